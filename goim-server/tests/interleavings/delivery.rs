//! G5 and the half of G9 that is about readers: what each is given, and what inboxes are owed.

use std::collections::{BTreeMap, BTreeSet};

use goim_core::{ConversationId, Seq, UserId};
use goim_proto::{Content, ConversationKind};
use goim_server::store::{DueRow, Effect, EntryKind, Page};

use crate::checks::Case;
use crate::history::{Puller, Seen};
use crate::outcomes::owed;

/// The pages of each puller, in the order in which he got them, with his offsets before them.
fn pages<'a>(case: &'a Case<'_>) -> Vec<(&'a Puller, Vec<(Seq, &'a Page)>)> {
    let of = |number: usize| {
        let pages = case.history.reads.iter().filter_map(move |(_, seen)| match seen {
            Seen::Page { puller, after, page } if *puller == number => Some((*after, page)),
            _ => None,
        });
        pages.collect()
    };
    case.history.pullers.iter().enumerate().map(|(number, puller)| (puller, of(number))).collect()
}

/// A reader who goes on behind each page is given everything that he may see, once and in order.
pub(crate) fn g5_pullers_get_each_entry_once_in_order(case: &Case<'_>) {
    for (puller, pages) in pages(case) {
        let Puller { user, conversation, .. } = *puller;
        let erased = case.history.erased_through(conversation);
        let mut offset = Seq::ZERO;
        for (after, page) in pages {
            assert_eq!(after, offset, "{user} went on elsewhere in {conversation}");
            assert!(page.through >= after, "the offset of {user} moved back in {conversation}");
            let mut given = page.entries.iter().map(|entry| entry.seq).peekable();
            for seq in (after.next().as_u64()..=page.through.as_u64()).map(Seq::new) {
                let got = given.next_if_eq(&seq).is_some();
                let due = seq > erased && case.replays[&conversation].is_readable(user, seq);
                assert!(got || !due, "{user} was not given {seq} in {conversation}");
            }
            assert_eq!(given.next(), None, "{user} was given it out of order or beyond, in {conversation}");
            offset = page.through;
        }
    }
}

pub(crate) fn g9_nobody_is_given_what_is_not_his(case: &Case<'_>) {
    for (puller, pages) in pages(case) {
        let Puller { user, conversation, .. } = *puller;
        for entry in pages.iter().flat_map(|(_, page)| &page.entries) {
            let his = case.replays[&conversation].is_readable(user, entry.seq);
            assert!(his, "{user} was given {} in {conversation}", entry.seq);
        }
    }
}

/// Everybody who is let in or put out hears of it in his inbox, once.
pub(crate) fn g5_inboxes_get_what_they_are_owed_once(case: &Case<'_>) {
    let mut expected: BTreeMap<ConversationId, BTreeSet<_>> = BTreeMap::new();
    for conversation in case.replays.keys() {
        for entry in &case.logs[conversation] {
            let key = (*conversation, entry.sender, entry.client_msg_id);
            let Some(draft) = case.history.drafts.get(&key) else { continue };
            let (kind, users): (i16, Vec<UserId>) = match &draft.effect {
                Effect::Join { users } => (64, users.iter().map(|(user, _)| *user).collect()),
                Effect::Part { user } => (65, vec![*user]),
                _ => continue,
            };
            for user in users {
                let inbox = case.history.inboxes[&user];
                let (conversation, seq, sender) = (*conversation, entry.seq, entry.sender);
                let (kind, at_ms) = (EntryKind(kind), entry.at_ms);
                let row = DueRow { id: 0, inbox, user, kind, conversation, seq, sender, at_ms, body: None };
                let (key, entry) = owed(&row);
                expected.entry(inbox).or_default().insert((key.1, key.2, entry.body));
            }
        }
    }
    for (inbox, _) in
        case.history.conversations.iter().filter(|(_, (kind, _))| *kind == ConversationKind::Inbox)
    {
        let owed = expected.remove(inbox).unwrap_or_default();
        let log = &case.logs[inbox];
        let got: BTreeSet<_> = log.iter().map(|e| (e.sender, e.client_msg_id, e.body.clone())).collect();
        let named = |set: &BTreeSet<(UserId, goim_core::ClientMsgId, bytes::Bytes)>| {
            set.iter().map(|(_, _, body)| format!("{:?}", Content::decode(body))).collect::<Vec<_>>()
        };
        let missing = owed.difference(&got).cloned().collect();
        let surplus = got.difference(&owed).cloned().collect();
        assert_eq!(
            (named(&missing), named(&surplus)),
            (vec![], vec![]),
            "missing and surplus in inbox {inbox}"
        );
    }
    assert_eq!(case.tables.due, 0, "it is still owed");
}

/// What is made by two at once is one.
pub(crate) fn things_are_made_once(case: &Case<'_>) {
    for (what, conversations) in &case.history.made {
        assert_eq!(conversations.len(), 1, "{what}: {conversations:?}");
    }
    assert_eq!(case.tables.stray_chats, 0, "direct chats of nobody");
}
