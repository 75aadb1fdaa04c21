//! Who plays: users, the conversations they have, and what each device is going to send.

use goim_core::{ClientMsgId, ConversationId, DeviceId, Epoch, UserId};
use goim_proto::content::{DirectOpened, Renamed};
use goim_proto::{Content, ConversationKind, Role};
use goim_server::store::{Effect, EntryDraft, EntryKind};
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::backend::Raw;
use crate::fixtures::{addition, group_with_roles, removal, text};
use crate::history::{History, Puller};
use crate::ledger::Outcome;
use crate::sender::{Message, Sender};
use crate::stage::Stage;

/// What each device sends, at most.
const SENDS_MAX: usize = 8;

pub(crate) struct Cast {
    pub(crate) owner: UserId,
    pub(crate) admin: UserId,
    pub(crate) member: UserId,
    /// Comes and goes.
    pub(crate) victim: UserId,
    /// Where people come and go.
    pub(crate) group: ConversationId,
    /// Of which old entries are removed.
    pub(crate) quiet: ConversationId,
    /// The store's epochs so far; "none" is the first.
    pub(crate) epochs: Vec<Epoch>,
    pub(crate) senders: Vec<Sender>,
    /// Devices that commit offsets, with their users.
    pub(crate) readers: Vec<(UserId, DeviceId)>,
}

/// An id that the seed alone says.
pub(crate) fn mint(rng: &mut StdRng, history: &History) -> ClientMsgId {
    ClientMsgId::mint(history.now_ms(), &rng.random())
}

fn renaming(name: &str) -> EntryDraft {
    let body = Content::Renamed(Renamed { name: name.into() }).encode();
    EntryDraft { kind: EntryKind(36), body, effect: Effect::Retitle { title: name.into() } }
}

fn leaving(user: UserId) -> EntryDraft {
    EntryDraft { kind: EntryKind(35), body: Content::MemberLeft.encode(), effect: Effect::Part { user } }
}

pub(crate) fn opening(own: UserId, other: UserId) -> EntryDraft {
    let body = Content::DirectOpened(DirectOpened { user: other }).encode();
    let users = vec![(own, Role::Member), (other, Role::Member)];
    EntryDraft { kind: EntryKind::DIRECT_OPENED, body, effect: Effect::Join { users } }
}

impl Cast {
    /// Makes users and conversations; nothing waits at the gate meanwhile.
    pub(crate) async fn gather(stage: &Stage, raw: &Raw, rng: &mut StdRng, history: &mut History) -> Self {
        let store = stage.store(0);
        let mut users = Vec::new();
        for name in ["owner", "admin", "member", "victim"] {
            let name = format!("{name}-{:016x}", rand::random::<u64>());
            let user =
                store.create_user(&name, None, None, 1).await.expect("an answer").expect("a free name");
            history.conversations.insert(user.inbox, (ConversationKind::Inbox, user.user));
            history.inboxes.insert(user.user, user.inbox);
            users.push(user.user);
        }
        let [owner, admin, member, victim] = users[..] else { panic!("four of them") };
        let of_group =
            vec![(owner, Role::Owner), (admin, Role::Admin), (member, Role::Member), (victim, Role::Member)];
        let mut conversations = Vec::new();
        let of_quiet = vec![(owner, Role::Owner), (admin, Role::Admin), (member, Role::Member)];
        for roles in [of_group, of_quiet] {
            let id = mint(rng, history);
            let conversation = group_with_roles(&store, &history.ledger, id, roles.clone()).await;
            history.conversations.insert(conversation, (ConversationKind::Group, owner));
            found(raw, history, conversation, roles).await;
            conversations.push(conversation);
        }
        let (group, quiet) = (conversations[0], conversations[1]);
        let epochs = vec![Epoch::default(), store.epoch().await.expect("an epoch")];
        let first_device = 100 * group.as_u64();
        let device = |n: u64| DeviceId::new(first_device + n);
        let mut cast = Self {
            owner,
            admin,
            member,
            victim,
            group,
            quiet,
            epochs,
            senders: Vec::new(),
            readers: Vec::new(),
        };
        cast.readers = vec![(owner, device(50)), (member, device(51)), (victim, device(52))];
        cast.write_scripts(rng, history, device);
        let puller = |user, conversation| Puller { user, conversation, offset: goim_core::Seq::ZERO };
        history.pullers = vec![puller(victim, group), puller(member, quiet), puller(admin, group)];
        cast
    }

    fn write_scripts(&mut self, rng: &mut StdRng, history: &History, device: impl Fn(u64) -> DeviceId) {
        let (owner, admin, member, victim) = (self.owner, self.admin, self.member, self.victim);
        let (group, quiet) = (Some(self.group), Some(self.quiet));
        let parts = [
            (owner, group, true),
            (admin, group, true),
            (member, group, true),
            (member, group, true),
            (victim, group, false),
            (victim, group, false),
            (owner, quiet, true),
            (member, quiet, true),
            (admin, quiet, true),
            (admin, quiet, true),
            (owner, None, true),
            (member, None, true),
        ];
        for (number, (user, conversation, steady)) in (1..).zip(parts) {
            let mut script = Vec::new();
            for n in 0..rng.random_range(2..=SENDS_MAX) {
                let entry = self.line(rng, user, conversation, &format!("{number}/{n}"), n);
                script.push(Message::new(mint(rng, history), entry));
            }
            self.senders.push(Sender::new((user, device(number)), conversation, steady, script));
        }
    }

    /// The nth thing that somebody sends to a conversation, or to the chat that is not made yet.
    fn line(
        &self,
        rng: &mut StdRng,
        user: UserId,
        to: Option<ConversationId>,
        words: &str,
        n: usize,
    ) -> EntryDraft {
        let (owner, admin, victim) = (self.owner, self.admin, self.victim);
        let draw = rng.random_range(0..10);
        let Some(to) = to else {
            let other = if user == owner { self.member } else { owner };
            return if n == 0 { opening(user, other) } else { text(words) };
        };
        match (to == self.group, draw) {
            // In turns, so that most of them are allowed; the admin gets in the way.
            (true, 0..8) if user == owner && n.is_multiple_of(2) => removal(victim),
            (true, 0..8) if user == owner => addition(&[victim]),
            (true, 0..2) if user == admin => removal(victim),
            (true, 2..4) if user == admin => addition(&[victim]),
            (true, 4) | (false, 0..8) if user == admin => renaming(words),
            (true, 0) if user == victim => leaving(victim),
            _ => text(words),
        }
    }
}

/// Takes down what a group was founded with as if its sender had been told.
async fn found(raw: &Raw, history: &mut History, conversation: ConversationId, users: Vec<(UserId, Role)>) {
    let entries = raw.entries(conversation).await;
    let [first] = &entries[..] else { panic!("one entry") };
    let key = (conversation, first.sender, first.client_msg_id);
    let entry = EntryDraft {
        kind: EntryKind::GROUP_CREATED,
        body: first.body.clone(),
        effect: Effect::Join { users },
    };
    history.drafts.insert(key, entry);
    history.answered(0, key, Outcome::Committed { seq: first.seq, count: first.count, at_ms: first.at_ms });
}
