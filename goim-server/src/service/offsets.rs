//! Offsets of all connections, written in bulk and answered after the flush.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use goim_core::{ConversationId, DeviceId, Epoch, Seq};
use goim_proto::limits::POSITIONS_MAX;
use goim_proto::{Commit, Committed, Error, ErrorCode, RefusedOffset, Reply, SessionInfo};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

use super::{Answered, Service, failed, refuse};
use crate::store::{OffsetCommit, Store};

/// Offsets written at once, 40 bytes each: 160 KiB.
const AT_ONCE_MAX: usize = 4_096;

/// From one write to the next: nobody waits for an offset to be committed as for a message, and each
/// write is a flush that a batch of messages has to wait for, or has to share the disk with.
const WRITE_EVERY: Duration = Duration::from_millis(20);

/// What became of one call's offsets: those that were refused.
type Flushed = Result<Vec<RefusedOffset>, Error>;

/// Offsets that wait to be written. Each connection has at most `calls_in_flight_max` calls here, of
/// 1,000 offsets of 40 bytes: with the defaults 1.3 MiB, if it does its worst.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    waiting: Mutex<Vec<Waiting>>,
    arrived: Notify,
}

#[derive(Debug)]
struct Waiting {
    offsets: Vec<OffsetCommit>,
    done: oneshot::Sender<Flushed>,
}

impl Service {
    /// Commits offsets of the calling device; answered when they are durable.
    pub(super) async fn commit(&self, session: &SessionInfo, commit: Commit) -> Answered {
        if commit.offsets.len() > POSITIONS_MAX {
            return refuse(ErrorCode::TooLarge, "at most 1,000 offsets in one commit");
        }
        let SessionInfo { user, device, .. } = *session;
        let epoch = commit.epoch;
        let offsets = commit.offsets.into_iter().map(|position| {
            let (conversation, seq) = (position.conversation, position.seq);
            OffsetCommit { device, user, conversation, seq, epoch }
        });
        let refused = self.offsets.commit(offsets.collect()).await?;
        Ok(Reply::Committed(Committed { refused }))
    }
}

impl Offsets {
    async fn commit(&self, offsets: Vec<OffsetCommit>) -> Flushed {
        if offsets.is_empty() {
            return Ok(Vec::new());
        }
        let (done, flushed) = oneshot::channel();
        self.waiting().push(Waiting { offsets, done });
        self.arrived.notify_one();
        let stopping = || Error::new(ErrorCode::Unavailable, "the server is stopping");
        flushed.await.unwrap_or_else(|_| Err(stopping()))
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what arrives, for ever: what comes until the next write is due goes into it together.
    pub(crate) async fn run(&self, store: Arc<dyn Store>) {
        loop {
            let (batch, more) = self.take_batch();
            if batch.is_empty() {
                self.arrived.notified().await;
                continue;
            }
            let next = Instant::now() + WRITE_EVERY;
            flush(&*store, batch).await;
            if !more {
                sleep_until(next).await;
            }
        }
    }

    /// What is to be written at once, and whether more than that waits.
    fn take_batch(&self) -> (Vec<Waiting>, bool) {
        let mut waiting = self.waiting();
        let mut offsets = 0;
        let fit = waiting.iter().take_while(|one| {
            offsets += one.offsets.len();
            offsets <= AT_ONCE_MAX
        });
        let fit = fit.count();
        let rest = waiting.split_off(fit);
        let more = !rest.is_empty();
        (mem::replace(&mut waiting, rest), more)
    }
}

async fn flush(store: &dyn Store, batch: Vec<Waiting>) {
    // In key order: rival writers then take their locks in one order. Each is judged by itself: one
    // beyond the head must not take a good one of the same device with it.
    let mut rows: Vec<_> = batch.iter().flat_map(|one| &one.offsets).copied().collect();
    rows.sort_unstable_by_key(key);
    rows.dedup_by_key(|row| key(row));
    let written = store.commit_offsets(&rows).await.map_err(failed);
    let written = written.map(|refused| {
        let by_key = |(at, code): (usize, ErrorCode)| rows.get(at).map(|row| (key(row), code));
        refused.into_iter().filter_map(by_key).collect::<BTreeMap<_, _>>()
    });
    for one in batch {
        let answer = written.as_ref().map_err(Clone::clone).map(|refused| {
            let refusal = |offset: &OffsetCommit| {
                let code = refused.get(&key(offset))?;
                Some(RefusedOffset { conversation: offset.conversation, code: *code })
            };
            one.offsets.iter().filter_map(refusal).collect()
        });
        // Whoever asked may be gone.
        let _ = one.done.send(answer);
    }
}

fn key(offset: &OffsetCommit) -> (DeviceId, ConversationId, Seq, Epoch) {
    (offset.device, offset.conversation, offset.seq, offset.epoch)
}
