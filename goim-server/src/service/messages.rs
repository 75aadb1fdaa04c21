//! Reading: pulls and history.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use goim_core::{Epoch, Seq};
use goim_proto::limits::PULL_LIMIT_MAX;
use goim_proto::splice::{PulledHead, pulled_frame};
use goim_proto::{
    EncodedEntry, Error, ErrorCode, History, HistoryPage, MessageForm, Pull, Pulled, Reply, SessionInfo,
};

use super::calls::encoded;
use super::{Answered, Service, failed, refuse};
use crate::access::Connection;
use crate::store::{StoredEntry, deleted_body};

/// Bytes of entries in one answer; a connection has at most four of them on their way.
pub(super) const PAGE_BYTES_MAX: usize = 256 << 10;
/// Bytes of what became of the messages of one page; a frame has 1 MiB for both.
const FORMS_BYTES_MAX: usize = 256 << 10;
/// What a form, and a kind of reactions, takes on the wire beside the emoji, at most.
const FORM_BYTES: usize = 24;
const REACTIONS_BYTES: usize = 14;

impl Service {
    /// Entries after an offset, from memory if they are all there.
    pub(super) async fn pull(
        &self,
        connection: &Arc<Connection>,
        session: &SessionInfo,
        id: u64,
        pull: Pull,
    ) -> Result<Bytes, Error> {
        let limit = clamp(pull.limit);
        if let Some(frame) = self.pull_from_memory(connection, id, &pull, limit) {
            self.metrics.pulls_from_memory_total.add(1);
            return frame;
        }
        let conversation = pull.conversation;
        let page = self.pull_from_store(session, connection.epoch(), pull).await?;
        // Whoever asks beyond the head has not been sent what will be there.
        connection.sent_through(conversation, page.through.min(page.head));
        encoded(id, Reply::Pulled(page))
    }

    /// Entries after an offset, in an epoch.
    pub(super) async fn pull_from_store(
        &self,
        session: &SessionInfo,
        epoch: Epoch,
        pull: Pull,
    ) -> Result<Pulled, Error> {
        let Pull { conversation, after, limit } = pull;
        self.metrics.pulls_from_store_total.add(1);
        let page = self.store.pull(session.user, conversation, after, clamp(limit), PAGE_BYTES_MAX).await;
        let page = page.map_err(failed)?;
        Ok(Pulled { entries: page.entries, through: page.through, head: page.head, epoch })
    }

    fn pull_from_memory(
        &self,
        connection: &Connection,
        id: u64,
        pull: &Pull,
        limit: u32,
    ) -> Option<Result<Bytes, Error>> {
        let conversation = pull.conversation;
        // What he has deleted for himself, the store blanks.
        if connection.deleted_through(conversation) > pull.after {
            return None;
        }
        // Only who reads now is served from memory, and only in his present range. Looked at
        // before, to save the work, and once more after: whoever is still reading then was
        // entitled to all that was there before.
        let reads = || connection.reading_from(conversation).is_some_and(|from| pull.after >= from.prev());
        if !reads() {
            return None;
        }
        let head = self.hub.head(conversation)?;
        let mut entries = self.hub.kept(conversation, pull.after, head, limit as usize)?;
        if !reads() {
            return None;
        }
        fit(&mut entries, PAGE_BYTES_MAX);
        let last = entries.last().map(EncodedEntry::seq);
        let through = last.unwrap_or(pull.after);
        if entries.is_empty() && pull.after < head {
            return None;
        }
        connection.sent_through(conversation, through.min(head));
        let mut frame = BytesMut::new();
        let start = PulledHead { id, through, head, epoch: connection.epoch() };
        let written = pulled_frame(&start, &entries, &mut frame);
        Some(match written {
            Ok(()) => Ok(frame.freeze()),
            Err(_) => refuse(ErrorCode::TooLarge, "the answer exceeds a frame; ask for less"),
        })
    }

    /// Messages before a seq, newest first.
    pub(super) async fn history(&self, session: &SessionInfo, history: History) -> Answered {
        let History { conversation, before, limit } = history;
        let before = if before == Seq::ZERO { Seq::MAX } else { before };
        let limit = clamp(limit);
        let entries = self.store.history(session.user, conversation, before, limit, PAGE_BYTES_MAX).await;
        let mut entries = entries.map_err(failed)?;
        let deleted = deleted_body();
        let seqs: Vec<_> =
            entries.iter().filter(|entry| entry.body != deleted).map(|entry| entry.seq).collect();
        let mut forms = self.store.forms(session.user, conversation, &seqs).await.map_err(failed)?;
        fit_forms(&mut entries, &mut forms, FORMS_BYTES_MAX);
        // A short page may have been cut by its bytes; the next one then says that it was all.
        let more = entries.last().is_some_and(|oldest| oldest.seq > Seq::FIRST);
        Ok(Reply::History(HistoryPage { entries, more, forms }))
    }
}

fn clamp(limit: u32) -> u32 {
    if limit == 0 { PULL_LIMIT_MAX } else { limit.min(PULL_LIMIT_MAX) }
}

/// Cuts a page, which is newest first, down to messages whose forms, by ascending seq, have so many bytes.
fn fit_forms(entries: &mut Vec<StoredEntry>, forms: &mut Vec<MessageForm>, bytes_max: usize) {
    let mut bytes = 0;
    let too_many = forms.iter().rposition(|form| {
        let kinds = form.reactions.iter().map(|reactions| REACTIONS_BYTES + reactions.emoji.len());
        bytes += FORM_BYTES + kinds.sum::<usize>();
        bytes > bytes_max
    });
    if let Some(last) = too_many.and_then(|at| forms.drain(..=at).next_back()) {
        entries.retain(|entry| entry.seq > last.seq);
    }
}

/// Cuts entries down to a number of bytes, but not to none.
fn fit(entries: &mut Vec<EncodedEntry>, bytes_max: usize) {
    let mut bytes = 0;
    let fit = entries.iter().take_while(|entry| {
        bytes += entry.bytes().len();
        bytes <= bytes_max
    });
    let fit = fit.count().max(1);
    entries.truncate(fit);
}

#[cfg(test)]
mod tests {
    use goim_core::{ClientMsgId, UserId};
    use goim_proto::limits::{EMOJI_BYTES_MAX, FRAME_BYTES_MAX, PULL_LIMIT_MAX, REACTIONS_MAX};
    use goim_proto::{Reactions, encode};

    use super::*;

    fn message(seq: u64) -> StoredEntry {
        let (sender, client_msg_id) = (UserId::new(1), ClientMsgId::mint(0, &[0; 10]));
        StoredEntry { seq: Seq::new(seq), sender, client_msg_id, at_ms: 0, count: seq, body: Bytes::new() }
    }

    fn form(seq: u64) -> MessageForm {
        let one = Reactions { emoji: "x".repeat(EMOJI_BYTES_MAX), count: u64::MAX, own: true };
        MessageForm { seq: Seq::new(seq), edited_at_ms: u64::MAX, reactions: vec![one; REACTIONS_MAX] }
    }

    fn bytes_of(forms: &[MessageForm]) -> usize {
        let mut bytes = BytesMut::new();
        forms.iter().for_each(|form| encode(form, &mut bytes));
        bytes.len()
    }

    #[test]
    fn a_page_ends_where_what_became_of_its_messages_would_not_fit_a_frame() {
        let first = 1 << 62;
        let seqs = || first..first + u64::from(PULL_LIMIT_MAX);
        let mut entries: Vec<_> = seqs().rev().map(message).collect();
        let mut forms: Vec<_> = seqs().map(form).collect();
        assert!(bytes_of(&forms) + PAGE_BYTES_MAX > FRAME_BYTES_MAX, "it would");
        fit_forms(&mut entries, &mut forms, FORMS_BYTES_MAX);
        assert!(entries.len() > 250, "{}", entries.len());
        assert_eq!(entries.last().map(|entry| entry.seq), forms.first().map(|form| form.seq));
        assert_eq!((entries[0].seq, entries.len()), (Seq::new(first + 999), forms.len()));
        let bytes = bytes_of(&forms);
        assert!(bytes <= FORMS_BYTES_MAX && bytes > FORMS_BYTES_MAX / 2, "{bytes}");
    }

    #[test]
    fn a_page_that_fits_stays_whole() {
        let (mut entries, mut forms) = (vec![message(3), message(2)], vec![form(2)]);
        fit_forms(&mut entries, &mut forms, FORMS_BYTES_MAX);
        assert_eq!((entries.len(), forms.len()), (2, 1));
    }
}
