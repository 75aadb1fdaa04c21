//! What the tasks of a connection and everybody else change under one lock.

use std::collections::VecDeque;

use bytes::BytesMut;
use goim_core::hash::IdMap;
use goim_core::{ConversationId, Notifier, NotifierConfig, Seq};
use goim_proto::Ephemeral;

use super::{Ending, Outgoing};

/// What the tasks of the connection and everybody else change.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Knows the conversations in which something was announced; most that are subscribed to are
    /// silent, and on many connections all of them.
    pub(super) notifier: Option<Box<Notifier>>,
    pub(super) datagrams: bool,
    /// The client has asked where it stands, and so wants to hear of what comes.
    pub(super) listens: bool,
    /// Answers, as frames.
    pub(super) out: BytesMut,
    /// The last of them, if it is: the connection is closed behind it.
    pub(super) ending: Option<Ending>,
    /// There was a last one.
    pub(super) ended: bool,
    /// Conversations that it is registered for.
    pub(super) subscriptions: IdMap<ConversationId, Subscribed>,
    /// Where the user has deleted messages for himself, and up to where.
    pub(super) deleted: IdMap<ConversationId, Seq>,
    /// What passes.
    pub(super) ephemeral: VecDeque<Ephemeral>,
    /// The writer has been told that something waits.
    pub(super) told: bool,
    pub(super) closed: bool,
}

/// A conversation that a connection is registered for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subscribed {
    /// The first seq that it may be given from memory; [`Seq::MAX`] until that is known.
    pub(super) from: Seq,
    /// Everything up to here that the user may see was sent, or the client knows that it lacks it.
    pub(super) sent: Seq,
}

impl Shared {
    pub(super) fn push(&mut self, outgoing: Outgoing) {
        if !self.ended {
            self.ending = outgoing.encode(&mut self.out);
            self.ended = self.ending.is_some();
        }
    }

    pub(super) fn mark(&mut self, conversation: ConversationId, head: Seq, marker: Seq) -> bool {
        let (datagrams, subscribed) = (self.datagrams, self.subscriptions.get(&conversation));
        let new = || Notifier::new(NotifierConfig { datagrams, ..NotifierConfig::default() });
        let notifier = self.notifier.get_or_insert_with(|| Box::new(new()));
        if let Some(Subscribed { sent, .. }) = subscribed.filter(|_| !notifier.knows(conversation)) {
            notifier.sent_through(conversation, *sent);
        }
        let newly = notifier.mark(conversation, head, marker);
        if notifier.marks_dropped() > 0 && !self.ended {
            // Nobody else would tell this client of them: it comes back, and is told by its sync.
            let ending = Ending::shutdown(0, "you left too many announcements unread; connect again");
            self.push(Outgoing::End(ending));
            return true;
        }
        newly
    }

    pub(super) fn sent_through(&mut self, conversation: ConversationId, seq: Seq) {
        if let Some(subscribed) = self.subscriptions.get_mut(&conversation) {
            subscribed.sent = subscribed.sent.max(seq);
        }
        if let Some(notifier) = self.knows(conversation) {
            notifier.sent_through(conversation, seq);
        }
    }

    /// The notifier, if it knows the conversation.
    pub(super) fn knows(&mut self, conversation: ConversationId) -> Option<&mut Notifier> {
        self.notifier.as_deref_mut().filter(|notifier| notifier.knows(conversation))
    }
}

#[cfg(test)]
mod tests {
    use goim_core::Time;
    use goim_proto::Reply;

    use super::*;

    const C: ConversationId = ConversationId::new(1);

    fn subscribed(sent: u64) -> Shared {
        let mut shared = Shared { datagrams: true, ..Shared::default() };
        let (from, sent) = (Seq::FIRST, Seq::new(sent));
        shared.subscriptions.insert(C, Subscribed { from, sent });
        shared
    }

    #[test]
    fn a_silent_conversation_s_first_mark_brings_what_was_not_sent_before() {
        let mut shared = subscribed(5);
        shared.sent_through(C, Seq::new(6));
        assert!(shared.notifier.is_none(), "nothing has happened in it");
        assert!(shared.mark(C, Seq::new(8), Seq::ZERO));
        let announce = shared.notifier.as_mut().unwrap().poll_announce(Time::ZERO).unwrap();
        assert_eq!((announce.head, announce.inline_after), (Seq::new(8), Seq::new(6)));
    }

    /// It might be of the epoch that comes after the one that the connection ends with.
    #[test]
    fn g6_nothing_is_said_behind_the_last_words() {
        let mut shared = subscribed(0);
        shared.push(Outgoing::End(Ending::shutdown(0, "good-bye")));
        let said = shared.out.len();
        shared.push(Outgoing::reply(1, Reply::Done));
        assert_eq!(shared.out.len(), said);
        assert!(shared.ending.take().is_some());
    }

    #[test]
    fn what_was_sent_already_is_no_news() {
        let mut shared = subscribed(8);
        assert!(!shared.mark(C, Seq::new(8), Seq::ZERO));
    }

    /// A mark that finds no room would never be made good: the client has to come again.
    #[test]
    fn g7_a_client_that_leaves_too_much_unread_is_sent_away_once() {
        let mut shared = subscribed(0);
        let config = NotifierConfig { conversations_max: 1, ..NotifierConfig::default() };
        shared.notifier = Some(Box::new(Notifier::new(config)));
        assert!(shared.mark(C, Seq::FIRST, Seq::ZERO));
        assert_eq!(shared.ending, None);
        assert!(shared.mark(ConversationId::new(2), Seq::FIRST, Seq::ZERO));
        assert!(shared.ending.take().is_some() && !shared.out.is_empty());
        let said = shared.out.len();
        shared.mark(ConversationId::new(3), Seq::FIRST, Seq::ZERO);
        assert_eq!((shared.ending, shared.out.len()), (None, said));
    }
}
