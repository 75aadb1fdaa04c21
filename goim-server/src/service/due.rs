//! What entries owe to inboxes: appended through the lanes, once, whatever crashes.
//!
//! An entry that lets somebody in commits together with rows that say whose inbox has to hear of
//! it. This worker appends those entries with ids derived from the one that owes them, so that a
//! second attempt, here or on another node, finds the first.

use std::time::Duration;

use goim_core::lane::{Offer, Outcome};
use goim_core::{DeviceId, Epoch};
use goim_proto::Content;
use goim_proto::content::Place;
use tokio::sync::oneshot;

use super::{Service, Ticket};
use crate::store::{DueRow, Effect, EntryDraft, StoreError, derived_id};

/// Rows taken at once.
const AT_ONCE: u32 = 256;
/// How often the rows are looked for that another node, or a crash, left behind.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The server itself, which owns no device.
const NO_DEVICE: DeviceId = DeviceId::new(0);

impl Service {
    /// Delivers what is due, for ever.
    pub(crate) async fn deliver_due(&self) {
        loop {
            match self.deliver_some().await {
                Ok(0) => {
                    // Either is fine: something is due now, or it is time to look.
                    let _ = tokio::time::timeout(LOOK_EVERY, self.due_now.notified()).await;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot deliver what is due");
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        }
    }

    async fn deliver_some(&self) -> Result<usize, StoreError> {
        // Of the log as it was when they were read.
        let epoch = self.epoch();
        let rows = self.store.due(AT_ONCE).await?;
        let mut offers = Vec::with_capacity(rows.len());
        let mut waiting = Vec::with_capacity(rows.len());
        for row in &rows {
            let (answer, answered) = oneshot::channel();
            offers.push(offer(row, epoch, Ticket::Call(answer)));
            waiting.push((row.id, answered));
        }
        while !offers.is_empty() {
            self.committer.offer(&mut offers);
            if !offers.is_empty() {
                self.committer.room().await;
            }
        }
        let mut done = Vec::with_capacity(waiting.len());
        for (id, answered) in waiting {
            match answered.await {
                Ok(Outcome::Unavailable(_)) | Err(_) => {}
                Ok(Outcome::Committed { .. } | Outcome::Duplicate { .. }) => done.push(id),
                Ok(outcome) => {
                    // Trying again would not help: better one hint less than a worker that stands still.
                    tracing::error!(id, ?outcome, "an inbox does not take what is due to it");
                    done.push(id);
                }
            }
        }
        self.store.due_done(&done).await?;
        Ok(done.len())
    }
}

fn offer(row: &DueRow, epoch: Epoch, ticket: Ticket) -> Offer<EntryDraft, Ticket> {
    let place = Place { conversation: row.conversation, seq: row.seq };
    let (user, kind) = (row.user.as_u64(), u64::from(row.kind.0.unsigned_abs()));
    let (id, body) = match &row.body {
        // No entry tells it from others, but the row's number does, which is never used again.
        Some(body) => (derived_id(row.at_ms, &[user, row.id.unsigned_abs(), kind]), body.clone()),
        None => {
            let parts = [user, place.conversation.as_u64(), place.seq.as_u64(), kind];
            let content =
                if row.kind.0 == 65 { Content::RemovedFrom(place) } else { Content::AddedTo(place) };
            (derived_id(row.at_ms, &parts), content.encode())
        }
    };
    Offer {
        ticket,
        conversation: row.inbox,
        sender: row.sender,
        device: NO_DEVICE,
        client_msg_id: id,
        after: None,
        retry: false,
        epoch,
        entry: EntryDraft { kind: row.kind, body, effect: Effect::None },
    }
}
