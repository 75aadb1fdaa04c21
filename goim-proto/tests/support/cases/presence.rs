//! Who is there, and what passes.

use bytes::Bytes;
use goim_proto::{
    Call, ConversationArgument, Ephemeral, Presence, PresenceList, PresenceState, ProfileChanged, Reply,
    ServerFrame, SetPresence, Typing, UserList,
};

use super::{ADA, BEN, BOT, Case, GROUP, NOW_MS, call, case, reply};

pub(super) fn calls() -> Vec<Case> {
    vec![
        call("Typing", Call::Typing(ConversationArgument { conversation: GROUP })),
        call("SetPresence", Call::SetPresence(SetPresence { away: true })),
        call("Presences", Call::Presences(UserList { users: vec![BEN, BOT] })),
    ]
}

pub(super) fn frames() -> Vec<Case> {
    let typing =
        || ServerFrame::<Bytes>::Ephemeral(Ephemeral::Typing(Typing { conversation: GROUP, user: BEN }));
    let changed = Ephemeral::ProfileChanged(ProfileChanged { user: BEN, version: 4 });
    vec![
        case("ServerFrame/Ephemeral", typing()),
        case("Ephemeral/Typing", typing()),
        case("Ephemeral/ProfileChanged", ServerFrame::<Bytes>::Ephemeral(changed)),
    ]
}

pub(super) fn unknown() -> Case {
    case("Ephemeral of no known code", ServerFrame::<Bytes>::Ephemeral(Ephemeral::Unknown(99)))
}

pub(super) fn replies() -> Vec<Case> {
    let presence = |user, state, last_seen_ms| Presence { user, state, last_seen_ms };
    let presences = vec![
        presence(ADA, PresenceState::Online, NOW_MS),
        presence(BEN, PresenceState::Offline, NOW_MS - 60_000),
    ];
    let hidden = vec![presence(BOT, PresenceState::default(), 0)];
    vec![
        reply("Presences", Reply::Presences(PresenceList { presences })),
        reply("Presences of who hides", Reply::Presences(PresenceList { presences: hidden })),
    ]
}
