//! Columns to types.

use std::collections::BTreeMap;

use bytes::Bytes;
use goim_core::{ClientMsgId, ConversationId, Seq, UserId};
use goim_proto::{
    Application, Audience, ConversationItem, ConversationKind, ConversationPage, ErrorCode, FriendRequest,
    Gender, GroupInfo, HistoryFrom, JoinPolicy, MessageForm, Profile, Reactions, RequestState, Role,
    SyncItem,
};

use crate::store::types::{GroupSettings, Member, OffsetRefusal, Range, StoredEntry};
use crate::store::{EntryKind, ReaderState, Relation, TargetRow};

/// A message's columns: seq, sender, client_msg_id, at, count, body.
pub(in crate::store) type EntryColumns = (i64, i64, uuid::Uuid, i64, i64, Vec<u8>);

pub(in crate::store) fn entry((seq, sender, id, at, count, body): EntryColumns) -> StoredEntry {
    StoredEntry {
        seq: Seq::from_i64(seq),
        sender: UserId::from_i64(sender),
        client_msg_id: ClientMsgId::from_uuid(id),
        at_ms: number(at),
        count: number(count),
        body: Bytes::from(body),
    }
}

/// What `reader_states` selects.
pub(in crate::store) type StateColumns = (i64, i16, i64, i64, i64, i64, i64);

pub(in crate::store) fn state(columns: StateColumns) -> ReaderState {
    let (conversation, kind_of, head, count, offset, marker, since) = columns;
    let item = SyncItem {
        conversation: ConversationId::from_i64(conversation),
        kind: kind(kind_of),
        head: Seq::from_i64(head),
        count: number(count),
        offset: Seq::from_i64(offset),
        read_marker: Seq::from_i64(marker),
    };
    ReaderState { item, from: (since > 0).then(|| Seq::from_i64(since)) }
}

/// What a list of conversations selects; the last column is the seq of the newest message.
pub(in crate::store) type ListedColumns =
    (i64, i16, String, String, i64, i64, i64, i64, i64, i64, bool, bool, bool, Option<i64>);

/// An item without its last message, and where that one is.
pub(in crate::store) fn listed(columns: ListedColumns) -> (ConversationItem, Option<(i64, i64)>) {
    let (
        id,
        kind_of,
        title,
        avatar,
        peer,
        head,
        offset,
        marker,
        unread,
        mentioned,
        muted,
        pinned,
        hidden,
        last,
    ) = columns;
    let item = ConversationItem {
        conversation: ConversationId::from_i64(id),
        kind: kind(kind_of),
        title,
        avatar,
        peer: UserId::from_i64(peer),
        head: Seq::from_i64(head),
        offset: Seq::from_i64(offset),
        read_marker: Seq::from_i64(marker),
        unread: number(unread),
        mentioned: number(mentioned),
        last: None,
        muted,
        pinned,
        hidden,
    };
    (item, last.map(|seq| (id, seq)))
}

/// A conversation before a message's columns.
pub(in crate::store) type LastColumns = (i64, i64, i64, uuid::Uuid, i64, i64, Vec<u8>);

pub(in crate::store) fn last(columns: LastColumns) -> (ConversationId, StoredEntry) {
    let (conversation, seq, sender, id, at, count, body) = columns;
    (ConversationId::from_i64(conversation), entry((seq, sender, id, at, count, body)))
}

/// Adds the last message of a conversation to its item; where it does not fit, and is not the first, the
/// page ends before it. Whether it goes on.
pub(in crate::store) fn add_last(
    page: &mut ConversationPage,
    conversation: ConversationId,
    last: StoredEntry,
    fits: bool,
) -> bool {
    let at = page.items.partition_point(|item| item.conversation < conversation);
    if !fits && at > 0 {
        page.items.truncate(at);
        page.more = true;
        return false;
    }
    if let Some(item) = page.items.get_mut(at) {
        item.last = Some(last);
    }
    true
}

/// A range's columns: its first seq, and its last if it is closed.
pub(in crate::store) fn range((from, until): (i64, Option<i64>)) -> Range {
    Range { from: Seq::from_i64(from), until: until.map(Seq::from_i64) }
}

/// Why an offset was refused whose reader may or may not be a member, and whose log is or is not the
/// present one.
pub(in crate::store) fn refusal(place: i64, member: bool, present: bool) -> OffsetRefusal {
    let code = match (member, present) {
        (false, _) => ErrorCode::NotMember,
        (true, false) => ErrorCode::OtherEpoch,
        (true, true) => ErrorCode::OffsetBeyondHead,
    };
    (usize::try_from(place).unwrap_or(usize::MAX), code)
}

/// A column that is never negative.
pub(in crate::store) fn number(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

/// A number as a column; the store's range is all that a number here can mean.
pub(in crate::store) fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The code of a wire enum, as a column holds it.
pub(in crate::store) fn code(column: i16) -> u64 {
    number(i64::from(column))
}

/// The code of a wire enum as a column; services keep those only that they know, which are small.
pub(in crate::store) fn code_column(code: u64) -> i16 {
    i16::try_from(code).unwrap_or(i16::MAX)
}

pub(in crate::store) fn kind(column: i16) -> ConversationKind {
    ConversationKind::from_code(code(column))
}

pub(in crate::store) fn kind_column(kind: ConversationKind) -> i16 {
    code_column(kind.code())
}

pub(in crate::store) fn role(column: i16) -> Role {
    Role::from_code(code(column))
}

pub(in crate::store) fn role_column(role: Role) -> i16 {
    code_column(role.code())
}

pub(in crate::store) fn conversations(ids: &[ConversationId]) -> Vec<i64> {
    ids.iter().map(|id| id.as_i64()).collect()
}

/// A profile's columns: id, name, nickname, avatar, gender, bio, version, whether it is a bot.
pub(in crate::store) type ProfileColumns = (i64, String, String, String, i16, String, i64, bool);

pub(in crate::store) fn profile(columns: ProfileColumns) -> Profile {
    let (user, name, nickname, avatar, gender, bio, version, bot) = columns;
    Profile {
        user: UserId::from_i64(user),
        name,
        nickname,
        avatar,
        gender: Gender::from_code(code(gender)),
        bio,
        version: number(version),
        bot,
    }
}

pub(in crate::store) fn viewers(column: i16) -> goim_proto::Viewers {
    goim_proto::Viewers::from_code(code(column))
}

pub(in crate::store) fn audience(column: i16) -> Audience {
    Audience::from_code(code(column))
}

/// How a user stands to another one, in the order of the fields of [`Relation`].
pub(in crate::store) type RelationColumns = (bool, bool, bool, bool, bool, bool, i16, Option<i64>);

pub(in crate::store) fn relation(columns: RelationColumns) -> Relation {
    let (friends, blocks, blocked, asked, is_asked, owns, direct_from, direct) = columns;
    let direct_from = audience(direct_from);
    let direct = direct.map(ConversationId::from_i64);
    Relation { friends, blocks, blocked, asked, is_asked, owns, direct_from, direct }
}

/// A group's columns: conversation, title, avatar, announcement, policy, history, muted, dismissed,
/// owner, members, role.
pub(in crate::store) type GroupColumns =
    (i64, String, String, String, i16, i16, bool, bool, i64, i64, Option<i16>);

pub(in crate::store) fn group(columns: GroupColumns) -> GroupInfo {
    let (id, name, avatar, announcement, policy, history, muted, dismissed, owner, members, role_of) =
        columns;
    GroupInfo {
        conversation: ConversationId::from_i64(id),
        number: 0,
        name,
        avatar,
        announcement,
        policy: JoinPolicy::from_code(code(policy)),
        history: HistoryFrom::from_code(code(history)),
        muted,
        dismissed,
        owner: UserId::from_i64(owner),
        members: number(members),
        role: role_of.map_or(Role::default(), role),
    }
}

/// What a lane loads of a user: id, role, whether he is muted, his stays, whether he applies.
pub(in crate::store) type FoldMemberColumns = (i64, Option<i16>, bool, i64, bool);

pub(in crate::store) fn fold_member(columns: FoldMemberColumns) -> (UserId, Option<Member>) {
    let (user, role_of, muted, stays, applies) = columns;
    let stays = u32::try_from(stays).unwrap_or(u32::MAX);
    let member = Member { role: role_of.map(role), muted, stays, applies };
    (UserId::from_i64(user), (member != Member::default()).then_some(member))
}

/// Columns that groups alone have: policy, muted, dismissed, the number of members.
type GroupSettingsColumns = (Option<i16>, Option<bool>, Option<bool>, Option<i64>);

/// What a group allows; other conversations have none of it.
pub(in crate::store) fn group_settings(columns: GroupSettingsColumns) -> GroupSettings {
    let (policy, muted, dismissed, members) = columns;
    GroupSettings {
        policy: policy.map_or(JoinPolicy::InviteOnly, |policy| JoinPolicy::from_code(code(policy))),
        muted: muted.unwrap_or(false),
        dismissed: dismissed.unwrap_or(false),
        members: members.map_or(0, number),
    }
}

/// An application's columns: id, conversation, user, comment, state, at.
pub(in crate::store) type ApplicationColumns = (i64, i64, i64, String, i16, i64);

pub(in crate::store) fn application(columns: ApplicationColumns) -> Application {
    let (id, conversation, user, comment, state, at) = columns;
    Application {
        number: number(id),
        conversation: ConversationId::from_i64(conversation),
        user: UserId::from_i64(user),
        comment,
        state: RequestState::from_code(code(state)),
        at_ms: number(at),
    }
}

/// A request's columns: id, the other side, greeting, state, at.
pub(in crate::store) type FriendRequestColumns = (i64, i64, String, i16, i64);

pub(in crate::store) fn friend_request(columns: FriendRequestColumns) -> FriendRequest {
    let (id, user, greeting, state, at) = columns;
    FriendRequest {
        number: number(id),
        user: UserId::from_i64(user),
        greeting,
        state: RequestState::from_code(code(state)),
        at_ms: number(at),
    }
}

/// What `target` selects: head, sender, kind, at, whether it is visible and was recalled, edits, kinds of
/// reactions, whether it has one.
pub(in crate::store) type TargetColumns = (i64, i64, i16, i64, bool, bool, i64, i64, bool);

pub(in crate::store) fn target(columns: TargetColumns) -> TargetRow {
    let (head, sender, kind, at, visible, recalled, edits, reactions, known) = columns;
    TargetRow {
        head: Seq::from_i64(head),
        sender: UserId::from_i64(sender),
        kind: EntryKind(kind),
        at_ms: number(at),
        visible,
        recalled,
        edits: number(edits),
        reactions: number(reactions),
        known,
    }
}

/// Forms from (seq, edited at), and (seq, emoji, count, own) in the order in which they are shown.
pub(in crate::store) fn forms(
    edited: Vec<(i64, i64)>,
    reactions: Vec<(i64, String, i64, bool)>,
) -> Vec<MessageForm> {
    let mut forms: BTreeMap<i64, MessageForm> = BTreeMap::new();
    let blank = |seq| MessageForm { seq: Seq::from_i64(seq), ..MessageForm::default() };
    for (seq, edited_at) in edited {
        forms.entry(seq).or_insert_with(|| blank(seq)).edited_at_ms = number(edited_at);
    }
    for (seq, emoji, count, own) in reactions {
        let form = forms.entry(seq).or_insert_with(|| blank(seq));
        form.reactions.push(Reactions { emoji, count: number(count), own });
    }
    forms.into_values().collect()
}

/// Behind all texts that begin like this and have none of the last character there is.
pub(in crate::store) fn prefix_end(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}
