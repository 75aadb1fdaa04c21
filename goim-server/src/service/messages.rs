//! Reading: pulls and history.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use goim_core::{Epoch, Seq};
use goim_proto::limits::PULL_LIMIT_MAX;
use goim_proto::splice::{PulledHead, pulled_frame};
use goim_proto::{EncodedEntry, Error, ErrorCode, History, HistoryPage, Pull, Pulled, Reply, SessionInfo};

use super::calls::encoded;
use super::{Answered, Service, failed, refuse};
use crate::access::Connection;
use crate::store::deleted_body;

/// Bytes of entries in one answer; a connection has at most four of them on their way.
const PAGE_BYTES_MAX: usize = 256 << 10;

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
        let mut entries = self.hub.kept_after(conversation, pull.after, limit as usize)?;
        if !reads() {
            return None;
        }
        fit(&mut entries, PAGE_BYTES_MAX);
        let last = entries.last().map(EncodedEntry::seq);
        let through = last.unwrap_or(pull.after);
        let head = head.max(last.unwrap_or(Seq::ZERO));
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
        let entries = entries.map_err(failed)?;
        // A short page may have been cut by its bytes; the next one then says that it was all.
        let more = entries.last().is_some_and(|oldest| oldest.seq > Seq::FIRST);
        let deleted = deleted_body();
        let seqs: Vec<_> =
            entries.iter().filter(|entry| entry.body != deleted).map(|entry| entry.seq).collect();
        let forms = self.store.forms(session.user, conversation, &seqs).await.map_err(failed)?;
        Ok(Reply::History(HistoryPage { entries, more, forms }))
    }
}

fn clamp(limit: u32) -> u32 {
    if limit == 0 { PULL_LIMIT_MAX } else { limit.min(PULL_LIMIT_MAX) }
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
