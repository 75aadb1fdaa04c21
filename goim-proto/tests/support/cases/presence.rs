//! Who is there, and what passes.

use bytes::Bytes;
use goim_proto::{Call, ConversationArgument, Ephemeral, ServerFrame, Typing};

use super::{BEN, Case, GROUP, call, case};

pub(super) fn calls() -> Vec<Case> {
    vec![call("Typing", Call::Typing(ConversationArgument { conversation: GROUP }))]
}

pub(super) fn frames() -> Vec<Case> {
    let typing =
        || ServerFrame::<Bytes>::Ephemeral(Ephemeral::Typing(Typing { conversation: GROUP, user: BEN }));
    vec![case("ServerFrame/Ephemeral", typing()), case("Ephemeral/Typing", typing())]
}

pub(super) fn unknown() -> Case {
    case("Ephemeral of no known code", ServerFrame::<Bytes>::Ephemeral(Ephemeral::Unknown(99)))
}
