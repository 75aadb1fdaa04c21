//! What came before its turn: kept in order of seq until the gap before it is filled.

use core::mem::size_of;
use std::collections::VecDeque;

use super::room::grown;
use super::{Inserted, Msg, MsgList};
use crate::Seq;

/// Entries beyond a gap; there while there are some.
#[derive(Debug)]
pub(super) struct Ahead<M> {
    /// In order of seq, all beyond the list's `head + 1`.
    pub(super) msgs: VecDeque<M>,
    /// The sum of their bytes.
    pub(super) msg_bytes: usize,
}

impl<M> Ahead<M> {
    const fn new() -> Self {
        Self { msgs: VecDeque::new(), msg_bytes: 0 }
    }

    pub(super) fn bytes_held(&self) -> usize {
        size_of::<Self>() + self.msg_bytes + self.msgs.capacity() * size_of::<M>()
    }
}

impl<M: Msg> Ahead<M> {
    fn pop_nearest(&mut self) -> Option<M> {
        let msg = self.msgs.pop_front()?;
        self.msg_bytes -= msg.bytes();
        Some(msg)
    }

    fn pop_farthest(&mut self) {
        if let Some(msg) = self.msgs.pop_back() {
            self.msg_bytes -= msg.bytes();
        }
    }

    /// Its capacity once it has taken one more.
    fn capacity_for_one(&self, entries_max: usize) -> usize {
        let capacity = self.msgs.capacity();
        grown(capacity, self.msgs.len() + 1).min(entries_max.max(capacity))
    }

    /// What it holds once it has taken one more of `bytes`.
    fn bytes_held_with(&self, bytes: usize, entries_max: usize) -> usize {
        let more = self.capacity_for_one(entries_max) - self.msgs.capacity();
        self.bytes_held() + bytes + more * size_of::<M>()
    }
}

impl<M: Msg> MsgList<M> {
    pub(super) fn ahead_len(&self) -> usize {
        self.ahead.as_ref().map_or(0, |ahead| ahead.msgs.len())
    }

    pub(super) fn ahead_first(&self) -> Option<Seq> {
        Some(self.ahead.as_ref()?.msgs.front()?.seq())
    }

    /// The most by which the buffers grow when one more is set aside.
    pub(super) fn ahead_growth(&self) -> usize {
        let entries_max = self.limits.ahead_entries_max();
        self.ahead.as_ref().map_or_else(
            || Ahead::<M>::new().bytes_held_with(0, entries_max),
            |ahead| ahead.bytes_held_with(0, entries_max) - ahead.bytes_held(),
        )
    }

    /// Keeps what lies beyond a gap. The nearest are kept: they are the first to be of use.
    pub(super) fn set_aside(&mut self, msg: M) -> Inserted {
        let entries_max = self.limits.ahead_entries_max();
        let bytes_max = self.limits.ahead_bytes_max();
        let bytes = msg.bytes();
        let mut ahead = self.ahead.take().unwrap_or_else(|| Box::new(Ahead::new()));
        let inserted = match ahead.msgs.binary_search_by_key(&msg.seq(), Msg::seq) {
            Ok(_) => Inserted::Duplicate,
            Err(at) => {
                while at < ahead.msgs.len()
                    && (ahead.msgs.len() >= entries_max
                        || ahead.bytes_held_with(bytes, entries_max) > bytes_max)
                {
                    ahead.pop_farthest();
                }
                if ahead.msgs.len() >= entries_max || ahead.bytes_held_with(bytes, entries_max) > bytes_max {
                    Inserted::TooFar
                } else {
                    let more = ahead.capacity_for_one(entries_max) - ahead.msgs.len();
                    ahead.msgs.reserve_exact(more);
                    ahead.msgs.insert(at, msg);
                    ahead.msg_bytes += bytes;
                    Inserted::Ahead
                }
            }
        };
        self.ahead = (!ahead.msgs.is_empty()).then_some(ahead);
        self.trim_window();
        inserted
    }

    /// Blanks an entry that waits; gives the stub back if none does.
    pub(super) fn blank_ahead(&mut self, stub: M) -> Option<M> {
        let bytes_max = self.limits.ahead_bytes_max();
        let Some(ahead) = &mut self.ahead else {
            return Some(stub);
        };
        let Ok(at) = ahead.msgs.binary_search_by_key(&stub.seq(), Msg::seq) else {
            return Some(stub);
        };
        ahead.msg_bytes += stub.bytes();
        let old = core::mem::replace(&mut ahead.msgs[at], stub);
        ahead.msg_bytes -= old.bytes();
        while ahead.bytes_held() > bytes_max && !ahead.msgs.is_empty() {
            ahead.pop_farthest();
        }
        if ahead.msgs.is_empty() {
            self.ahead = None;
        }
        self.trim_window();
        None
    }

    /// Moves what waited for its turn into the window.
    pub(super) fn take_in_ahead(&mut self) {
        while self.ahead_first() == Some(self.head().next()) {
            if let Some(msg) = self.pop_ahead() {
                self.append(msg);
            }
        }
    }

    pub(super) fn pop_ahead(&mut self) -> Option<M> {
        let ahead = self.ahead.as_mut()?;
        let msg = ahead.pop_nearest();
        if ahead.msgs.is_empty() {
            self.ahead = None;
        }
        msg
    }
}
