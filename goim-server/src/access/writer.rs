//! The task that writes one connection: answers, then announcements, then sleep.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use goim_core::notifier::Announce;
use goim_proto::splice::{NotificationHead, notification_frame};
use goim_proto::{EncodedEntry, ServerFrame, encode_frame};
use quinn::{SendDatagramError, SendStream, VarInt};
use tokio::time::timeout;

use super::connection::Connection;
use super::outgoing::Ending;
use crate::service::Service;

/// Entries that one announcement looks at.
const INLINE_ENTRIES_MAX: usize = 256;
/// Bytes of entries that one announcement pushes as datagrams: six packets.
const DATAGRAM_INLINE_BYTES_MAX: usize = 8 << 10;
/// Bytes of entries that one announcement pushes on the control stream; what is beyond is pulled.
const STREAM_INLINE_BYTES_MAX: usize = 32 << 10;
/// Bytes of announcements on the control stream before it is written, so that a reader who
/// stopped reading costs no more than this and the stream's own window.
const WRITE_BYTES_MAX: usize = 64 << 10;
/// Bytes on the control stream behind which nothing goes that may as well be dropped.
const EPHEMERAL_BEHIND_BYTES_MAX: usize = 4 << 10;
/// A notification without its entries: prefix 4, arrays 3, code 1, four numbers of up to 9, and the
/// entries' array 5.
const NOTIFICATION_BYTES_MAX: usize = 49;
/// How long an ending connection waits for its client to read why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A datagram that found no space.
type Blocked<'a> = Pin<Box<dyn Future<Output = Result<(), SendDatagramError>> + Send + 'a>>;

/// Why the writer stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    /// It was told to, and the client was told why.
    Ended,
    /// The connection is gone.
    Lost,
}

pub(super) struct Writer {
    service: Arc<Service>,
    connection: Arc<Connection>,
    quic: quinn::Connection,
    stream: SendStream,
    /// Frames for the control stream.
    out: BytesMut,
    /// The datagram that is being filled.
    datagram: BytesMut,
    datagrams: bool,
    more: bool,
}

impl Writer {
    pub(super) fn new(
        service: Arc<Service>,
        connection: Arc<Connection>,
        quic: quinn::Connection,
        stream: SendStream,
        datagrams: bool,
    ) -> Self {
        let (out, datagram) = (BytesMut::new(), BytesMut::new());
        let datagrams = datagrams && quic.max_datagram_size().is_some();
        Self { service, connection, quic, stream, out, datagram, datagrams, more: false }
    }

    pub(super) async fn run(mut self) -> Stopped {
        let (connection, quic) = (Arc::clone(&self.connection), self.quic.clone());
        let mut blocked: Option<Blocked<'_>> = None;
        loop {
            // A fresh buffer each time: an idle connection holds none.
            let (out, ending) = connection.take_out();
            self.out = out;
            if blocked.is_none() && ending.is_none() {
                let full = self.announce();
                blocked = full.map(|datagram| Box::pin(quic.send_datagram_wait(datagram)) as Blocked<'_>);
            }
            if blocked.is_none() && ending.is_none() {
                self.whisper();
            }
            let out = std::mem::take(&mut self.out);
            if !out.is_empty() && self.stream.write_chunk(out.freeze()).await.is_err() {
                return Stopped::Lost;
            }
            if let Some(ending) = ending {
                return self.end(ending).await;
            }
            if std::mem::take(&mut self.more) {
                continue;
            }
            match self.wait(&mut blocked).await {
                Ok(()) => {}
                Err(SendDatagramError::ConnectionLost(_)) => return Stopped::Lost,
                // The path carries less, or none, now; the notifier tries again or the stream does.
                Err(_) => self.datagrams = quic.max_datagram_size().is_some(),
            }
        }
    }

    /// Writes what there is to announce, until a datagram finds no space: that one is returned.
    fn announce(&mut self) -> Option<Bytes> {
        let now = self.service.clock.now();
        // Answers do not count: however many there are, announcements get their turn.
        let answers = self.out.len();
        loop {
            if self.out.len() - answers >= WRITE_BYTES_MAX {
                self.more = true;
                break;
            }
            let next = self.connection.poll_announce(now);
            let Some(announce) = next else { break };
            if let Some(full) = self.announce_one(&announce) {
                return Some(full);
            }
        }
        self.send_datagram()
    }

    fn announce_one(&mut self, announce: &Announce) -> Option<Bytes> {
        let entries = self.entries(announce);
        if self.connection.has_ended() {
            // The entries may be those of another epoch.
            return None;
        }
        let epoch = self.connection.epoch();
        let head = NotificationHead {
            conversation: announce.conversation,
            head: announce.head,
            read_marker: announce.read_marker,
            epoch,
        };
        let bytes: usize = entries.iter().map(encoded_len).sum();
        let packet = self.quic.max_datagram_size().unwrap_or(0);
        let largest = entries.iter().map(encoded_len).max().unwrap_or(0);
        let fits = bytes <= DATAGRAM_INLINE_BYTES_MAX && largest + NOTIFICATION_BYTES_MAX <= packet;
        let inlined = entries.last().map_or(announce.inline_after, EncodedEntry::seq);
        self.connection.announced(announce, inlined);
        self.service.metrics.notifications_total.add(1);
        if announce.reliable || !self.datagrams || !fits {
            self.service.metrics.notifications_reliable_total.add(1);
            self.write_frame(&head, &entries);
            return None;
        }
        self.fill_datagrams(&head, &entries, packet)
    }

    fn write_frame(&mut self, head: &NotificationHead, entries: &[EncodedEntry]) {
        // Bounded far below a frame.
        let _ = notification_frame(head, entries, &mut self.out);
    }

    /// The entries that ride along: those right behind what was sent before, as far as they are
    /// in memory.
    fn entries(&self, announce: &Announce) -> Vec<EncodedEntry> {
        if announce.head <= announce.inline_after {
            return Vec::new();
        }
        let (conversation, after) = (announce.conversation, announce.inline_after);
        let kept = self.service.hub.kept(conversation, after, announce.head, INLINE_ENTRIES_MAX);
        let Some(mut entries) = kept else { return Vec::new() };
        let mut next = after.next();
        let mut bytes = 0;
        let mut fit = 0;
        for entry in &entries {
            bytes += encoded_len(entry);
            if entry.seq() != next || bytes > STREAM_INLINE_BYTES_MAX {
                break;
            }
            next = next.next();
            fit += 1;
        }
        entries.truncate(fit);
        entries
    }

    /// Packs the entries into as many notifications as it takes. Each names the head as of its last
    /// entry, and only the last one the head itself: whoever has to wait for the next packet is not
    /// to pull for it.
    fn fill_datagrams(
        &mut self,
        head: &NotificationHead,
        entries: &[EncodedEntry],
        packet: usize,
    ) -> Option<Bytes> {
        let mut rest = entries;
        loop {
            let room = packet.saturating_sub(self.datagram.len() + NOTIFICATION_BYTES_MAX);
            let mut bytes = 0;
            let fit = rest.iter().take_while(|entry| {
                bytes += encoded_len(entry);
                bytes <= room
            });
            let fit = fit.count();
            let has_room = self.datagram.len() + NOTIFICATION_BYTES_MAX <= packet;
            if has_room && (fit > 0 || rest.is_empty()) {
                let (these, later) = rest.split_at(fit);
                let through = these.last().filter(|_| !later.is_empty()).map(EncodedEntry::seq);
                let named = NotificationHead { head: through.unwrap_or(head.head), ..*head };
                let _ = notification_frame(&named, these, &mut self.datagram);
                if later.is_empty() {
                    return None;
                }
                rest = later;
            }
            if let Some(full) = self.send_datagram() {
                // What is left of the entries is pulled by whoever hears of the head.
                let _ = notification_frame(head, &[], &mut self.datagram);
                return Some(full);
            }
        }
    }

    /// Sends the datagram that was filled, or returns it if there is no space.
    fn send_datagram(&mut self) -> Option<Bytes> {
        if self.datagram.is_empty() {
            return None;
        }
        let datagram = std::mem::take(&mut self.datagram).freeze();
        let quic = &self.quic;
        if quic.datagram_send_buffer_space() < datagram.len() {
            return Some(datagram);
        }
        // A failure is a lost hint: the notifier sends it again, on the stream in the end.
        if quic.send_datagram(datagram).is_err() {
            self.datagrams = quic.max_datagram_size().is_some();
        }
        None
    }

    /// Writes what passes where there is room now, behind everything else; elsewhere it is dropped.
    fn whisper(&mut self) {
        let mut frames = BytesMut::new();
        while let Some(ephemeral) = self.connection.take_ephemeral() {
            // Far below a frame.
            let _ = encode_frame(&ServerFrame::<Bytes>::Ephemeral(ephemeral), &mut frames);
        }
        if frames.is_empty() {
            return;
        }
        let packet = self.quic.max_datagram_size().unwrap_or(0);
        let space = self.quic.datagram_send_buffer_space().min(packet);
        if self.datagrams && frames.len() <= space {
            let _ = self.quic.send_datagram(frames.freeze());
        } else if self.out.len() <= EPHEMERAL_BEHIND_BYTES_MAX {
            self.out.extend_from_slice(&frames);
        }
    }

    async fn wait(&self, blocked: &mut Option<Blocked<'_>>) -> Result<(), SendDatagramError> {
        let at = self.connection.poll_timeout();
        let is_blocked = blocked.is_some();
        let timer = async {
            match at {
                // A blocked datagram comes first.
                Some(at) if !is_blocked => tokio::time::sleep_until(self.service.clock.instant(at)).await,
                _ => pending().await,
            }
        };
        let sent = async {
            match blocked.as_mut() {
                Some(datagram) => datagram.await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = self.connection.woken() => Ok(()),
            () = timer => Ok(()),
            result = sent => {
                *blocked = None;
                result
            }
        }
    }

    async fn end(mut self, ending: Ending) -> Stopped {
        let _ = self.stream.finish();
        // What was written is lost with the connection unless the client has it.
        let _ = timeout(LAST_WORDS, self.stream.stopped()).await;
        self.quic.close(VarInt::from_u32(ending.close_code()), ending.message().as_bytes());
        Stopped::Ended
    }
}

fn encoded_len(entry: &EncodedEntry) -> usize {
    entry.bytes().len()
}
