//! Being asked to stop, at any time of a run.

use std::sync::LazyLock;

use futures_util::FutureExt;
use tokio::sync::watch;

use super::HostError;

/// Signals are the whole process's, and so is this.
static ASKED: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::Sender::new(false));

/// Listens from here on, instead of being ended by a signal.
pub(crate) fn listen() -> Result<(), HostError> {
    let mut stop = Box::pin(goim_server::stop_signal());
    // It listens once it has been looked at.
    if let Some(asked) = (&mut stop).now_or_never() {
        asked.map_err(HostError::Signals)?;
        ASKED.send_replace(true);
        return Ok(());
    }
    tokio::spawn(async move {
        if stop.await.is_ok() {
            ASKED.send_replace(true);
        }
    });
    Ok(())
}

/// Gives work up when the process is asked to stop, or was.
pub(crate) async fn until_interrupted<T, E: From<HostError>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let mut asked = ASKED.subscribe();
    tokio::select! {
        biased;
        _ = asked.wait_for(|asked| *asked) => Err(HostError::Interrupted.into()),
        done = work => done,
    }
}
