//! What passes: told once, behind everything else, and only where there is room for it.

use std::collections::VecDeque;

use goim_proto::Ephemeral;

use super::Connection;

/// Events that wait for one connection, 24 bytes each; what finds no room is dropped.
const WAITING_MAX: usize = 16;

impl Connection {
    /// Queues what passes, if there is room and the same does not wait already; whether the writer has to
    /// be woken.
    pub(crate) fn whisper(&self, ephemeral: &Ephemeral) -> bool {
        let shared = &mut *self.shared();
        let full = shared.ephemeral.len() >= WAITING_MAX || shared.ephemeral.contains(ephemeral);
        if full || shared.closed || shared.ended {
            return false;
        }
        shared.ephemeral.push_back(ephemeral.clone());
        !std::mem::replace(&mut shared.told, true)
    }

    /// The first of what passes; nothing behind the last words. An idle connection is left without a
    /// queue.
    pub(crate) fn take_ephemeral(&self) -> Option<Ephemeral> {
        let shared = &mut *self.shared();
        let next = shared.ephemeral.pop_front().filter(|_| !shared.ended);
        if next.is_none() {
            shared.ephemeral = VecDeque::new();
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use goim_core::{ConversationId, Epoch, UserId};
    use goim_proto::Typing;

    use super::*;
    use crate::access::{Ending, Outgoing};
    use crate::telemetry::{Metrics, Open};

    fn connection() -> Connection {
        Connection::new(Epoch::new(1), Open::connection(&Arc::new(Metrics::default())))
    }

    fn typing(user: usize) -> Ephemeral {
        let user = UserId::new(user as u64 + 1);
        Ephemeral::Typing(Typing { conversation: ConversationId::new(1), user })
    }

    #[test]
    fn g7_what_passes_waits_in_bounds_and_once() {
        let connection = connection();
        assert!(connection.whisper(&typing(0)));
        for user in 0..100 {
            assert!(!connection.whisper(&typing(user)), "the writer was woken already");
        }
        for user in 0..WAITING_MAX {
            assert_eq!(connection.take_ephemeral(), Some(typing(user)));
        }
        assert_eq!(connection.take_ephemeral(), None);
    }

    #[test]
    fn nothing_passes_behind_the_last_words() {
        let connection = connection();
        connection.whisper(&typing(0));
        connection.answer(Outgoing::End(Ending::shutdown(0, "good-bye")));
        assert!(!connection.whisper(&typing(1)));
        assert_eq!(connection.take_ephemeral(), None);
    }
}
