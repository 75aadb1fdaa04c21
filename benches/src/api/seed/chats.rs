//! Conversations: who is in them, how they begin, and how far everybody has read them.

use std::collections::VecDeque;

use goim_client::{
    ClientMsgId, ConversationId, ConversationKind, ConversationUpdate, DeviceId, Epoch, GroupChange,
    JoinPolicy, Role, Seq, UserId,
};
use goim_proto::Content;
use goim_proto::content::{ApplicationMade, DirectOpened, GroupCreated};
use goim_server::store::{Effect, NewConversation, Notice, OffsetCommit};
use rand::RngExt;
use rand::rngs::StdRng;

use super::stream::Writer;
use super::{ANY_NUMBER, People, SeedError, Shared, Size, any, each, some};

/// Of the heavy user's conversations so many in a hundred are direct chats.
const DIRECT_PERCENT: usize = 40;
/// Of his groups one in so many is his own.
const OWN_EVERY: usize = 4;
/// One in so many let him in late, and one in so many has put him out.
const LATE_EVERY: usize = 50;
const OUT_EVERY: usize = 100;
/// Groups that he may join or apply to.
const CLUBS: usize = 40;
/// Applications to each of those that take them, which are not answered.
const APPLICATIONS: usize = 20;
/// Larger groups tell nobody who has read what, so nobody's marker matters there.
const MARKERS_MEMBERS_MAX: usize = 200;
/// One in so many of the heavy user's conversations is muted by him.
const MUTED_EVERY: usize = 20;

/// Whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The heavy user is in it, or was.
    Mine,
    /// He may join it, or apply to it.
    Club,
    /// Others'.
    Elsewhere,
}

/// What the heavy user has to do with it in the course of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stay {
    Always,
    /// He is let in later.
    Late,
    /// He is put out at last.
    Out,
}

/// How much of a conversation a reader may see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) head: Seq,
    /// The messages up to the head.
    pub(crate) count: u64,
    /// The last message.
    pub(crate) last: Seq,
}

/// A conversation, as its log says that it is.
#[derive(Debug)]
pub(crate) struct Chat {
    pub(crate) id: ConversationId,
    pub(crate) kind: ConversationKind,
    pub(crate) place: Place,
    pub(crate) stay: Stay,
    pub(crate) policy: JoinPolicy,
    pub(crate) owner: UserId,
    /// Its members now, the owner first.
    pub(crate) members: Vec<UserId>,
    pub(super) head: Seq,
    /// The messages up to the head.
    pub(super) count: u64,
    /// The last message that everybody who is in may read.
    pub(super) last: Seq,
    /// Where the heavy user was put out.
    pub(super) out: Option<View>,
    /// The messages that the heavy user has behind him: up to his read marker, or up to where he was let in.
    pub(crate) seen: u64,
    pub(crate) marker: Seq,
    /// The latest messages, and who sent each.
    pub(super) recent: VecDeque<(Seq, UserId)>,
}

impl Chat {
    fn new(kind: ConversationKind, place: Place, members: Vec<UserId>) -> Self {
        Self {
            id: ConversationId::new(0),
            kind,
            place,
            stay: Stay::Always,
            policy: JoinPolicy::InviteOnly,
            owner: members[0],
            members,
            head: Seq::ZERO,
            count: 0,
            last: Seq::ZERO,
            out: None,
            seen: 0,
            marker: Seq::ZERO,
            recent: VecDeque::new(),
        }
    }

    /// What the heavy user may see.
    pub(crate) fn view(&self) -> View {
        let Self { head, count, last, .. } = *self;
        self.out.unwrap_or(View { head, count, last })
    }

    pub(crate) fn is_direct(&self) -> bool {
        self.kind == ConversationKind::Direct
    }
}

/// Which there shall be.
pub(super) fn plan(size: Size, people: &People, random: &mut StdRng) -> Vec<Chat> {
    let mine = size.conversations as usize;
    let directs = (mine * DIRECT_PERCENT / 100).min(people.others.len());
    let mut all = Vec::new();
    let pair = |one, other| Chat::new(ConversationKind::Direct, Place::Mine, vec![one, other]);
    all.extend(some(random, &people.others, directs).into_iter().map(|other| pair(people.heavy, other)));
    for number in 0..mine - directs {
        let mut members = crowd(random, people);
        let own = number % OWN_EVERY == 0;
        // Whoever is out at last, or is not in yet, owns nothing.
        let stay = match number {
            _ if own => Stay::Always,
            _ if number % LATE_EVERY == 1 => Stay::Late,
            _ if number % OUT_EVERY == 3 => Stay::Out,
            _ => Stay::Always,
        };
        if stay != Stay::Late {
            members.insert(usize::from(!own), people.heavy);
        }
        all.push(Chat { stay, ..Chat::new(ConversationKind::Group, Place::Mine, members) });
    }
    for number in 0..mine {
        let chat = if number % 2 == 0 {
            Chat::new(ConversationKind::Direct, Place::Elsewhere, some(random, &people.others, 2))
        } else {
            Chat::new(ConversationKind::Group, Place::Elsewhere, crowd(random, people))
        };
        all.push(chat);
    }
    for number in 0..CLUBS {
        let mut members = crowd(random, people);
        members.insert(0, people.peer);
        let policy = if number % 2 == 0 { JoinPolicy::Open } else { JoinPolicy::Approval };
        all.push(Chat { policy, ..Chat::new(ConversationKind::Group, Place::Club, members) });
    }
    all
}

/// Members of a group, without the heavy user and his peer: most groups are small, and some are not.
fn crowd(random: &mut StdRng, people: &People) -> Vec<UserId> {
    let most = people.others.len() / 10;
    let count = match random.random_range(0..100) {
        0..85 => random.random_range(3..20),
        85..98 => random.random_range(20..=most.clamp(20, 200)),
        _ => random.random_range(20..=most.clamp(20, 1_000)),
    };
    some(random, &people.others, count)
}

/// Makes them, each with its first entry.
pub(super) async fn open(store: &Shared, planned: Vec<Chat>, at_ms: u64) -> Result<Vec<Chat>, SeedError> {
    let make = |mut chat: Chat| async move {
        chat.id = if chat.is_direct() {
            store.direct_chat(chat.members[0], chat.members[1]).await?
        } else {
            let new = NewConversation {
                kind: chat.kind,
                creator: chat.owner,
                client_msg_id: ClientMsgId::mint(at_ms, &rand::random()),
                title: title(&chat),
            };
            store.create_conversation(&new).await?
        };
        Ok(chat)
    };
    let mut all = each(planned, make).await?;
    // Two of the others may have been drawn twice for a direct chat.
    all.sort_by_key(|chat| chat.id);
    all.dedup_by_key(|chat| chat.id);
    let mut writer = Writer::new(store).await?;
    for chat in &mut all {
        let (owner, users) = (chat.owner, chat.members.iter());
        let role = |user: &UserId| match chat.kind {
            ConversationKind::Group if *user == owner => Role::Owner,
            _ => Role::Member,
        };
        let effect = Effect::Join { users: users.map(|user| (*user, role(user))).collect() };
        let content = if chat.is_direct() {
            Content::DirectOpened(DirectOpened { user: chat.members[1] })
        } else {
            Content::GroupCreated(GroupCreated { name: title(chat), members: chat.members[1..].to_vec() })
        };
        writer.append(chat, owner, &content, effect, at_ms).await?;
        if chat.policy != JoinPolicy::InviteOnly {
            let change = GroupChange { policy: Some(chat.policy), ..GroupChange::default() };
            let content = Content::GroupUpdated(change.clone());
            writer.append(chat, owner, &content, Effect::Change(change), at_ms).await?;
        }
    }
    writer.flush().await?;
    Ok(all)
}

fn title(chat: &Chat) -> String {
    format!("group of {} and {} others", chat.owner, chat.members.len() - 1)
}

/// The heavy user has read everything of these conversations.
pub(super) async fn read(store: &Shared, heavy: UserId, chats: Vec<&mut Chat>) -> Result<(), SeedError> {
    each(chats.iter().map(|chat| (chat.id, chat.head)), |(id, head)| store.mark_read(heavy, id, head))
        .await?;
    for chat in chats {
        let view = chat.view();
        (chat.marker, chat.seen) = (view.head, view.count);
    }
    Ok(())
}

/// What others have read, who applies, who was connected, what is muted.
pub(super) async fn afterwards(
    store: &Shared,
    people: &People,
    all: &mut [Chat],
    random: &mut StdRng,
    now_ms: u64,
) -> Result<(), SeedError> {
    let small = |chat: &&Chat| chat.place == Place::Mine && chat.members.len() <= MARKERS_MEMBERS_MAX;
    let mut read = Vec::new();
    for chat in all.iter().filter(small) {
        let others = chat.members.iter().filter(|user| **user != people.heavy);
        read.extend(others.filter(|_| random.random_bool(0.5)).map(|user| (*user, chat.id, chat.head)));
    }
    let offsets = offsets(people, &read);
    each(read, |(user, id, head)| store.mark_read(user, id, head)).await?;
    for some in offsets.chunks(1_000) {
        store.commit_offsets(some).await?;
    }
    for some in people.devices.chunks(1_000) {
        store.note_devices(some, false, 1, now_ms, 0).await?;
    }
    let muted = all.iter().filter(|chat| chat.place == Place::Mine && chat.stay == Stay::Always);
    let muted: Vec<_> = muted.step_by(MUTED_EVERY).map(|chat| chat.id).collect();
    each(muted, |conversation| async move {
        let update = ConversationUpdate { conversation, muted: Some(true), ..ConversationUpdate::default() };
        let notice = Notice::of(&Content::ConversationUpdated(update.clone()));
        store.update_conversation(people.heavy, &update, &notice, now_ms).await
    })
    .await?;
    let mut applicants = Vec::new();
    for club in all.iter().filter(|chat| chat.policy == JoinPolicy::Approval) {
        let outside = (0..APPLICATIONS).map(|_| any(random, &people.others));
        applicants.extend(outside.filter(|user| !club.members.contains(user)).map(|user| (club.id, user)));
    }
    each(applicants, |(conversation, user)| async move {
        let comment = "a friend told me of you";
        let made = ApplicationMade { conversation, comment: comment.to_owned() };
        let notice = Notice::of(&Content::ApplicationMade(made));
        store.apply_to_group(conversation, user, comment, &notice, ANY_NUMBER, now_ms).await
    })
    .await?;
    Ok(())
}

/// Where the devices of those are who have read something.
fn offsets(people: &People, read: &[(UserId, ConversationId, Seq)]) -> Vec<OffsetCommit> {
    let devices: std::collections::HashMap<UserId, DeviceId> =
        people.others.iter().copied().zip(people.devices.iter().copied()).collect();
    let offset = |(user, conversation, seq): &(UserId, ConversationId, Seq)| {
        let (user, conversation, seq) = (*user, *conversation, *seq);
        let device = *devices.get(&user)?;
        Some(OffsetCommit { device, user, conversation, seq, epoch: Epoch::default() })
    };
    read.iter().filter_map(offset).collect()
}
