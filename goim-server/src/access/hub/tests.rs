use futures_util::FutureExt as _;
use goim_core::room::{Look, Registration};
use goim_core::{BoxLimits, ClientMsgId, DeviceId, Entry};
use goim_proto::content::{MemberRemoved, MembersAdded};
use goim_proto::{Content, Ephemeral, ProfileChanged, SessionInfo};

use super::*;
use crate::telemetry::Open;

const C: ConversationId = ConversationId::new(1);
const NOW: Time = Time::ZERO;
const EPOCH: Epoch = Epoch::new(1);
const NEXT: Epoch = Epoch::new(2);

/// A hub and its users' connections.
struct Node {
    hub: Hub,
}

impl Node {
    fn new() -> Self {
        Self { hub: Hub::new(EPOCH, MsgBox::new(BoxLimits::default()), Arc::default()) }
    }

    /// A connection of a user of its own that is registered for the conversation.
    fn registered(&self, user: u64) -> (Arc<Connection>, Registration) {
        let connection = self.entered(user);
        let registration = self.hub.register(&connection, C).unwrap();
        (connection, registration)
    }

    /// One that reads the conversation as of a head.
    fn reading(&self, user: u64, head: u64) -> Arc<Connection> {
        let (connection, registration) = self.registered(user);
        self.hub.look(NOW, &connection, C, registration, member(head));
        connection
    }

    /// A connection of a user of its own.
    fn entered(&self, user: u64) -> Arc<Connection> {
        let connection = Arc::new(Connection::new(self.hub.epoch(), Open::connection(&Arc::default())));
        let (user, device, inbox) = (UserId::new(user), DeviceId::new(user), ConversationId::new(user));
        connection.authenticate(&SessionInfo { user, device, inbox }, u64::MAX);
        connection.listen();
        self.hub.enter(user, &connection);
        connection
    }

    /// Whose standing is to be looked up, if anybody's.
    fn invited(&self) -> Option<Vec<Invitation>> {
        self.hub.invitations().now_or_never()
    }
}

fn member(head: u64) -> Look {
    Look { head: Seq::new(head), from: Some(Seq::FIRST), last: Seq::ZERO }
}

fn removed(head: u64, last: u64) -> Look {
    Look { head: Seq::new(head), from: None, last: Seq::new(last) }
}

fn said(seq: u64, by: u64, content: &Content) -> Published {
    let (seq, sender, client_msg_id) = (Seq::new(seq), UserId::new(by), ClientMsgId::mint(seq, &[1; 10]));
    let (body, count) = (content.encode(), seq.as_u64());
    Published { conversation: C, entry: Entry { seq, sender, client_msg_id, at_ms: 0, count, body } }
}

fn entry(seq: u64) -> Published {
    said(seq, 9, &Content::text("a text"))
}

fn announced(connection: &Connection) -> Option<Seq> {
    connection.poll_announce(NOW).map(|announce| announce.head)
}

/// Entry 11 removed the first user, and it never passes here: the second one's look saw it already.
#[tokio::test]
async fn g9_who_looked_before_all_that_passed_is_served_nothing_until_looked_for_again() {
    let node = Node::new();
    let (one, first) = node.registered(101);
    let two = node.reading(102, 12);
    assert_eq!(two.reading_from(C), Some(Seq::FIRST));
    assert_eq!(node.invited(), None);

    node.hub.look(NOW, &one, C, first, member(10));
    assert_eq!((one.reading_from(C), announced(&one)), (Some(Seq::MAX), None));
    let invitation = Invitation { user: UserId::new(101), conversation: C, from: Seq::ZERO };
    assert_eq!(node.invited(), Some(vec![invitation]));

    let second = node.hub.register_invited(&one, invitation).unwrap();
    assert!(!node.hub.look_and_announce(NOW, &one, C, second, member(11)), "too old as well");
    assert_eq!((one.reading_from(C), announced(&one)), (Some(Seq::MAX), None));
    assert_eq!(node.invited(), None, "whoever looked looks again by himself");
    assert!(node.hub.look_and_announce(NOW, &one, C, second, removed(12, 11)));
    assert_eq!((one.reading_from(C), announced(&one)), (None, Some(Seq::new(11))));
}

#[tokio::test]
async fn g9_who_read_when_entries_were_passed_over_is_served_nothing_until_looked_for_again() {
    let node = Node::new();
    let one = node.reading(101, 10);
    assert_eq!((one.reading_from(C), announced(&one)), (Some(Seq::FIRST), None));
    let head = Head { conversation: C, head: Seq::new(15) };
    let gap = SeqRange { first: Seq::new(11), last: Seq::new(15) };
    assert_eq!(node.hub.saw(EPOCH, &[head]), [(C, gap)]);

    node.hub.fetched(NOW, EPOCH, C, gap, Vec::new());
    assert_eq!((one.reading_from(C), announced(&one)), (Some(Seq::MAX), None));
    let invitation = Invitation { user: UserId::new(101), conversation: C, from: Seq::ZERO };
    assert_eq!(node.invited(), Some(vec![invitation]));
    let again = node.hub.register_invited(&one, invitation).unwrap();
    assert!(node.hub.look_and_announce(NOW, &one, C, again, member(15)));
    assert_eq!((one.reading_from(C), announced(&one)), (Some(Seq::FIRST), Some(Seq::new(15))));
}

/// He need not wait for his inbox to tell him of it, and a removal behind it finds him.
#[tokio::test]
async fn g9_who_joins_by_himself_reads_from_his_entry_on() {
    let node = Node::new();
    let (one, two) = (node.reading(101, 10), node.entered(102));
    let publish = |seq, content| node.hub.publish(NOW, EPOCH, vec![said(seq, 102, &content)]);
    publish(11, Content::MemberJoined);
    assert_eq!((two.reading_from(C), announced(&two)), (Some(Seq::new(11)), Some(Seq::new(11))));
    assert_eq!((one.reading_from(C), announced(&one)), (Some(Seq::FIRST), Some(Seq::new(11))));
    publish(12, Content::MemberLeft);
    publish(13, Content::text("behind his back"));
    assert_eq!(announced(&one), Some(Seq::new(13)));
    assert_eq!((two.reading_from(C), announced(&two)), (None, Some(Seq::new(12))));
}

/// His inbox tells of 12 before 11 has passed here, which put him out. It is no look of before that
/// says where he stands.
#[tokio::test]
async fn g5_g9_who_was_removed_and_added_again_reads_from_there_however_late_his_removal_passes() {
    let node = Node::new();
    let one = node.reading(101, 10);
    let added = Content::MembersAdded(MembersAdded { users: vec![UserId::new(101)] });
    node.hub.publish(NOW, EPOCH, vec![said(12, 9, &added)]);
    let old = node.hub.register(&one, C).unwrap();
    let invitation = Invitation { user: UserId::new(101), conversation: C, from: Seq::new(12) };
    let new = node.hub.register_invited(&one, invitation).unwrap();

    assert!(node.hub.look_and_announce(NOW, &one, C, old, member(10)));
    assert_eq!((one.reading_from(C), announced(&one)), (Some(Seq::MAX), None));
    let removed = Content::MemberRemoved(MemberRemoved { user: UserId::new(101) });
    node.hub.publish(NOW, EPOCH, vec![said(11, 9, &removed)]);
    let look = Look { from: Some(Seq::new(12)), ..member(12) };
    assert!(node.hub.look_and_announce(NOW, &one, C, new, look));
    assert_eq!((one.reading_from(C), announced(&one)), (Some(Seq::new(12)), Some(Seq::new(12))));
    assert_eq!(node.hub.register_invited(&one, invitation), None, "he reads from there on");
    node.hub.publish(NOW, EPOCH, vec![entry(13)]);
    assert_eq!(announced(&one), Some(Seq::new(13)));
}

/// What is kept is from before: 11 to 13 passed while one was here who left. Then 11 comes late, which
/// added the other, and 12, which removed him, is not known here yet.
#[tokio::test]
async fn g9_what_is_kept_from_before_the_room_opened_is_served_to_nobody() {
    let node = Node::new();
    let (one, two) = (node.reading(101, 10), node.entered(102));
    let added = Content::MembersAdded(MembersAdded { users: vec![UserId::new(103)] });
    node.hub.publish(NOW, EPOCH, vec![said(11, 9, &added), entry(12), entry(13)]);
    node.hub.leave(&one);
    let added = Content::MembersAdded(MembersAdded { users: vec![UserId::new(102)] });
    node.hub.publish(NOW, EPOCH, vec![said(11, 9, &added)]);
    let (from, head) = (two.reading_from(C).unwrap(), node.hub.head(C).unwrap());
    assert_eq!((from, head), (Seq::new(11), Seq::new(11)));
    let served = node.hub.kept(C, from.prev(), head, 100).unwrap();
    assert_eq!(served.iter().map(EncodedEntry::seq).collect::<Vec<_>>(), [from]);
}

/// Entry 11 was taken by retention, and 12 came while that was asked.
#[tokio::test]
async fn g5_what_waits_passes_though_what_comes_before_it_is_passed_over() {
    let node = Node::new();
    let (one, two) = (node.reading(101, 10), node.entered(102));
    let head = Head { conversation: C, head: Seq::new(11) };
    let gap = SeqRange { first: Seq::new(11), last: Seq::new(11) };
    assert_eq!(node.hub.saw(EPOCH, &[head]), [(C, gap)]);
    let added = Content::MembersAdded(MembersAdded { users: vec![UserId::new(102)] });
    node.hub.publish(NOW, EPOCH, vec![said(13, 9, &added)]);
    node.hub.fetched(NOW, EPOCH, C, gap, Vec::new());
    assert_eq!(
        (node.hub.head(C), two.reading_from(C)),
        (Some(Seq::new(11)), None),
        "12 is known to be there"
    );
    node.hub.publish(NOW, EPOCH, vec![entry(12)]);
    assert_eq!((node.hub.head(C), two.reading_from(C)), (Some(Seq::new(13)), Some(Seq::new(13))));
    assert_eq!(one.reading_from(C), Some(Seq::MAX), "it has to be looked for");
}

/// The room would begin at a head of the log that is no more, and its readers hear nothing until the
/// one that is has passed it.
#[tokio::test]
async fn g6_a_look_from_before_the_store_went_back_tells_nothing() {
    let node = Node::new();
    let (before, of_before) = node.registered(101);
    node.hub.forget_all(NEXT);
    let (after, of_after) = node.registered(102);
    let told = node.hub.look_and_announce(NOW, &before, C, of_before, member(10));
    assert!(told, "nobody has to look again");
    assert_eq!(node.hub.head(C), None);

    node.hub.look(NOW, &after, C, of_after, member(4));
    assert_eq!(node.hub.head(C), Some(Seq::new(4)));
    node.hub.publish(NOW, NEXT, vec![entry(5)]);
    assert_eq!((announced(&after), announced(&before)), (Some(Seq::new(5)), None));
}

/// Committed, fetched or seen before, and handed in behind it.
#[tokio::test]
async fn g6_nothing_of_the_log_that_is_no_more_gets_into_a_room() {
    let node = Node::new();
    node.registered(101);
    node.hub.forget_all(NEXT);
    let (after, registration) = node.registered(102);
    let head = Head { conversation: C, head: Seq::new(9) };
    let of_before = || {
        node.hub.publish(NOW, EPOCH, vec![entry(5)]);
        node.hub.fetched(NOW, EPOCH, C, SeqRange { first: Seq::new(5), last: Seq::new(5) }, vec![entry(5)]);
        assert_eq!(node.hub.saw(EPOCH, &[head]), []);
    };
    of_before();
    node.hub.look(NOW, &after, C, registration, member(4));
    of_before();
    assert_eq!((node.hub.head(C), announced(&after)), (Some(Seq::new(4)), None));
    assert_eq!(node.hub.take_gaps(NOW, Duration::ZERO), []);
}

/// The message has passed, the edit has, and what waits for its turn has not.
#[test]
fn a_recall_blanks_what_is_kept_of_its_message_and_of_the_edits_of_it() {
    let node = Node::new();
    let _reader = node.reading(101, 0);
    let edit = |of: u64, text: &str| {
        let body = goim_proto::content::EncodedContent(Content::text(text).encode());
        Content::Edited(goim_proto::content::Edited { seq: Seq::new(of), body })
    };
    let log = [
        Content::text("secret"),
        edit(1, "more secret"),
        Content::text("another"),
        edit(3, "better"),
        Content::Recalled(goim_proto::content::Recalled { seq: Seq::FIRST }),
    ];
    // The recall comes first, and the message last.
    for at in [5, 4, 2, 3, 1] {
        node.hub.publish(NOW, EPOCH, vec![said(at, 9, &log[usize::try_from(at).unwrap() - 1])]);
    }
    let kept = node.hub.kept(C, Seq::ZERO, Seq::MAX, 9).unwrap();
    let kept: Vec<Entry<Bytes>> =
        kept.iter().map(|entry| goim_proto::decode(entry.bytes()).unwrap()).collect();
    let bodies: Vec<_> = kept.iter().map(|entry| entry.body.clone()).collect();
    let [.., another, better, recalled] = log.map(|content| content.encode());
    let (blank, blank_edit) = (crate::store::recalled_body(), crate::store::recalled_edit(Seq::FIRST));
    assert_eq!(bodies, [blank, blank_edit, another, better, recalled]);
    assert_eq!(kept[0], Entry { body: bodies[0].clone(), ..entry(1).entry }, "all else is as it was");
}

#[test]
fn g6_what_passes_is_told_in_its_own_epoch_and_to_all_of_a_user_s_connections() {
    let node = Node::new();
    let (one, other, stranger) = (node.entered(1), node.entered(1), node.entered(2));
    let news = Ephemeral::ProfileChanged(ProfileChanged { user: UserId::new(9), version: 2 });
    node.hub.whisper_to(NEXT, &[UserId::new(1)], &news);
    assert_eq!(one.take_ephemeral(), None);
    node.hub.whisper_to(EPOCH, &[UserId::new(1), UserId::new(3)], &news);
    assert_eq!((one.take_ephemeral(), other.take_ephemeral()), (Some(news.clone()), Some(news)));
    assert_eq!(stranger.take_ephemeral(), None);
}
