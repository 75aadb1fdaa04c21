//! The client's one task: connects, runs the connection, connects again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use goim_proto::Welcome;

use crate::backoff::Backoff;
use crate::link::{Link, datagram_frames, read_answer};
use crate::pending::Ended;
use crate::session::Session;
use crate::shared::Shared;
use crate::transport::Transport;
use crate::{CallError, ConnectError, Event, SendError};

/// A connection that lived for so long was a good one: the next loss is tried again at once.
const STEADY_AFTER: Duration = Duration::from_secs(5);

/// Sets up the first connection and starts the task.
pub(crate) async fn start(shared: Arc<Shared>, transport: Transport) -> Result<(), ConnectError> {
    let address = shared.options.addresses.first().cloned().unwrap_or_default();
    let (link, welcome) = Link::open(&shared, &transport, &address).await?;
    if let Some(refused) = &welcome.refused {
        return Err(ConnectError::Refused(refused.clone()));
    }
    tokio::spawn(run(shared, transport, link, welcome));
    Ok(())
}

async fn run(shared: Arc<Shared>, transport: Transport, link: Link, welcome: Welcome) {
    let mut next = Some((link, welcome));
    let mut tries = 0;
    let mut backoff = Backoff::new(shared.options.reconnect_min, shared.options.reconnect_max);
    while let Some((link, welcome)) = next {
        let since = shared.now();
        let (reason, at_least) = match live(&shared, link, &welcome).await {
            Ended::Closed => break,
            Ended::Refused(reason) => {
                shared.state().ended = true;
                shared.event(Event::SessionEnded { reason });
                break;
            }
            Ended::Lost(reason, wait) => (reason, wait.min(shared.options.reconnect_max)),
        };
        if shared.now().since(since) > STEADY_AFTER {
            backoff.reset();
        }
        {
            let mut state = shared.state();
            state.inbox.handle_reset();
            state.outbox.handle_reset();
        }
        shared.event(Event::Disconnected { reason });
        next = reconnect(&shared, &transport, at_least, &mut backoff, &mut tries).await;
    }
    let (calls, fates) = {
        let mut state = shared.state();
        state.ended = true;
        state.wake_readers();
        (std::mem::take(&mut state.calls), state.outbox.drain())
    };
    for fate in fates.flatten() {
        let _ = fate.send(Err(SendError::Closed));
    }
    for (_, fate) in calls {
        // Whoever called may be gone.
        let _ = fate.send(Err(CallError::Closed));
    }
    shared.progress.notify_waiters();
}

/// Tries the nodes in turn until one answers, or the client is closed; waits first for as long as
/// the server that went away asked for.
async fn reconnect(
    shared: &Shared,
    transport: &Transport,
    mut at_least: Duration,
    backoff: &mut Backoff,
    tries: &mut usize,
) -> Option<(Link, Welcome)> {
    let options = &shared.options;
    loop {
        // On top, so that clients that were sent away together do not come back together.
        let wait = tokio::time::sleep(std::mem::take(&mut at_least) + backoff.next());
        tokio::pin!(wait);
        loop {
            if shared.state().closed {
                return None;
            }
            tokio::select! {
                () = &mut wait => break,
                () = shared.wake.notified() => {}
            }
        }
        *tries += 1;
        let address = &options.addresses[*tries % options.addresses.len()];
        match Link::open(shared, transport, address).await {
            // Without a session nothing is read or sent, and a bot would get no other one.
            Ok((_, Welcome { refused: Some(error), .. })) if error.code.is_retryable() => {
                let wait = Duration::from_millis(error.retry_after_ms.unwrap_or_default());
                at_least = wait.min(options.reconnect_max);
                tracing::debug!(%error, address, "no session yet");
            }
            Ok(opened) => return Some(opened),
            Err(error) => tracing::debug!(%error, address, "no connection yet"),
        }
    }
}

/// Runs one connection to its end.
async fn live(shared: &Shared, mut link: Link, welcome: &Welcome) -> Ended {
    let mut session = Session::new(shared, welcome);
    let mut answers = FuturesUnordered::new();
    let connection = link.connection.clone();
    loop {
        if shared.state().closed {
            link.close().await;
            return Ended::Closed;
        }
        session.fill(&mut link);
        let timeout = session.timeout();
        let (frames, from_stream) = tokio::select! {
            frames = link.exchange() => match frames {
                Ok(frames) => (frames, true),
                Err(reason) => return Ended::lost(reason),
            },
            datagram = connection.read_datagram() => match datagram {
                Ok(datagram) => (datagram_frames(&datagram), false),
                Err(error) => return Ended::lost(error.to_string()),
            },
            stream = connection.accept_uni() => match stream {
                Ok(stream) => {
                    answers.push(read_answer(stream));
                    continue;
                }
                Err(error) => return Ended::lost(error.to_string()),
            },
            Some(frames) = answers.next() => (frames, true),
            () = shared.wake.notified() => (Vec::new(), true),
            () = tokio::time::sleep(timeout) => (Vec::new(), true),
        };
        if let Err(ended) = session.handle(&frames, from_stream).await {
            return ended;
        }
    }
}
