//! Where everything waits until the schedule lets it go on.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::ops::Output;

/// A place on the stage: whoever has it does one thing at a time.
pub(crate) type SeatId = usize;

/// What is told to somebody who waits at the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// Go on.
    Go,
    /// Go on, and the answer gets lost.
    LoseAnswer,
    /// The connection is cut: before what waits is sent, or, once it is, without waiting for its
    /// end, which comes some time later.
    Cut,
}

/// Somebody who waits at the gate.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    pub(crate) connection: u64,
    /// PostgreSQL's process behind the connection; 0 on SQLite.
    pub(crate) pid: i32,
    /// What he is about to do, for people.
    pub(crate) label: String,
    pub(crate) control: UnboundedSender<Control>,
}

/// What happens on the stage.
pub(crate) enum Event {
    /// A statement, or on SQLite the next step of a call, waits to be let go on.
    Parked { seat: SeatId, handle: Handle },
    /// A step was made on SQLite, and what it waits for has not come yet.
    Pending { seat: SeatId, handle: Handle },
    /// A statement that was let go on has been carried out or refused.
    Answered { seat: SeatId, connection: u64 },
    /// A connection has ended on the database's side.
    Gone { seat: SeatId, connection: u64 },
    /// A call has ended.
    Finished { seat: SeatId, output: Output },
}

/// Runs a call step by step: from one moment at which it has to wait to the next. Says when it waits
/// at the gate, and when behind it. Returns `None` if it was cut.
pub(crate) async fn stepped<T>(
    call: impl Future<Output = T>,
    mut parked: impl FnMut(),
    mut pending: impl FnMut(),
    controls: &mut UnboundedReceiver<Control>,
) -> Option<T> {
    let mut call = pin!(call);
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(Arc::clone(&alarm));
    loop {
        parked();
        if controls.recv().await != Some(Control::Go) {
            return None;
        }
        let polled = call.as_mut().poll(&mut Context::from_waker(&waker));
        match polled {
            Poll::Ready(output) => return Some(output),
            Poll::Pending => pending(),
        }
        alarm.0.notified().await;
    }
}

#[derive(Default)]
struct Alarm(Notify);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}
