//! One connection's life: handshake, `Hello`, its two tasks, and what is left behind at its end.

use std::sync::Arc;
use std::time::Duration;

use quinn::{Incoming, VarInt};
use tokio::time::timeout;

use super::connection::Connection;
use super::leave::Leave;
use super::outgoing::Outgoing;
use super::reader::{Reader, Stop};
use super::writer::Writer;
use crate::service::Service;
use crate::telemetry::Open;

/// How long a client may take from its first packet to its `Hello`.
const HELLO_WITHIN: Duration = Duration::from_secs(10);

/// Serves one connection until it ends.
pub(super) async fn serve(service: Arc<Service>, incoming: Incoming, open: Open) {
    let opened = timeout(HELLO_WITHIN, async {
        let quic = incoming.await.ok()?;
        let (send, receive) = quic.accept_bi().await.ok()?;
        Some((quic, send, receive))
    });
    let Ok(Some((quic, send, receive))) = opened.await else { return };
    // Answers before announcements' entries and pulls on their own streams.
    let _ = send.set_priority(1);
    let remote = quic.remote_address();
    let connection = Arc::new(Connection::new(service.epoch(), open));
    let _leave = Leave::new(&service, &connection);
    let mut reader = Reader::new(Arc::clone(&service), Arc::clone(&connection), quic.clone(), receive);
    let Ok(hello) = timeout(HELLO_WITHIN, reader.hello()).await else {
        quic.close(VarInt::from_u32(1), b"no Hello came");
        return;
    };
    let wanted = hello.as_ref().is_ok_and(|hello| hello.datagrams);
    let datagrams = wanted && quic.max_datagram_size().is_some();
    connection.set_datagrams(datagrams);
    let writer = Writer::new(Arc::clone(&service), Arc::clone(&connection), quic.clone(), send, datagrams);
    let writer = tokio::spawn(writer.run());
    let stop = match hello {
        Ok(_) => reader.run().await,
        Err(stop) => stop,
    };
    match stop {
        Stop::Ended(ending) => {
            tracing::debug!(%remote, reason = ending.message(), "a client broke the protocol");
            connection.answer(Outgoing::End(ending));
            let _ = writer.await;
        }
        Stop::Gone => {
            quic.close(VarInt::from_u32(0), b"");
            writer.abort();
        }
    }
}
