//! Devices that send as the SDK does: pipelined, each send naming the one before it, and what was
//! not acknowledged again, in order, through whichever committer is at hand.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use goim_core::lane::Offer;
use goim_core::{ClientMsgId, ConversationId, DeviceId, UserId};
use goim_server::store::EntryDraft;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::committer::{Committer, Outcome};
use crate::fixtures::{AS_SERVED, new_id, random_text};
use crate::ledger::{Ledger, place};

/// Nothing here takes this long; whoever is not done by then is stuck.
const DEADLINE: Duration = Duration::from_secs(120);

/// Who sends, from where, to where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Device {
    pub(crate) user: UserId,
    pub(crate) device: DeviceId,
    pub(crate) conversation: ConversationId,
}

struct Message {
    id: ClientMsgId,
    entry: EntryDraft,
    sent: bool,
}

/// Lets each device send so many texts, all at once, each window through a random committer;
/// returns when all are acknowledged.
pub(crate) async fn run(
    rng: &mut StdRng,
    committers: &[Arc<Committer>],
    ledger: &Ledger,
    devices: &[Device],
    texts: usize,
) {
    let tasks: Vec<_> = devices
        .iter()
        .map(|device| {
            let rng = StdRng::seed_from_u64(rng.random());
            tokio::spawn(send_all(rng, committers.to_vec(), ledger.clone(), *device, texts))
        })
        .collect();
    for task in tasks {
        let done = tokio::time::timeout(DEADLINE, task).await;
        done.expect("a device is stuck").expect("a device failed");
    }
}

async fn send_all(
    mut rng: StdRng,
    committers: Vec<Arc<Committer>>,
    ledger: Ledger,
    device: Device,
    texts: usize,
) {
    let messages = (0..texts).map(|_| Message { id: new_id(), entry: random_text(&mut rng), sent: false });
    let mut outbox: VecDeque<Message> = messages.collect();
    for message in &outbox {
        ledger.offered((device.conversation, device.user, message.id), device.device, &message.entry.body);
    }
    while !outbox.is_empty() {
        let committer = &committers[rng.random_range(0..committers.len())];
        let window = rng.random_range(1..=32).min(outbox.len());
        let done = send_window(committer, &ledger, device, &mut outbox, window).await;
        if done < window {
            // As a client backs off, so that a store that restarts is not hammered.
            tokio::time::sleep(Duration::from_millis(rng.random_range(1..10))).await;
        }
    }
}

/// Sends the first messages of the outbox and takes those away that were acknowledged; how many.
async fn send_window(
    committer: &Committer,
    ledger: &Ledger,
    device: Device,
    outbox: &mut VecDeque<Message>,
    window: usize,
) -> usize {
    let mut after = None;
    let mut answers = Vec::new();
    for message in outbox.iter_mut().take(window) {
        let answer = committer
            .offer(Offer {
                ticket: (),
                conversation: device.conversation,
                sender: device.user,
                device: device.device,
                client_msg_id: message.id,
                after,
                retry: message.sent,
                epoch: AS_SERVED,
                entry: message.entry.clone(),
            })
            .await;
        message.sent = true;
        after = Some(message.id);
        answers.push((message.id, answer));
    }
    let mut done = 0;
    for (n, (id, answer)) in answers.into_iter().enumerate() {
        let outcome = answer.await;
        let acknowledged = place(&outcome).is_some();
        let may_repeat = matches!(outcome, Outcome::Unavailable(_) | Outcome::OutOfOrder);
        assert!(acknowledged || may_repeat, "nobody here offends, yet {id} of {device:?} got {outcome:?}");
        assert!(!acknowledged || n == done, "{id} of {device:?} overtook what was sent before it");
        ledger.answered((device.conversation, device.user, id), outcome);
        done += usize::from(acknowledged);
    }
    outbox.drain(..done);
    done
}
