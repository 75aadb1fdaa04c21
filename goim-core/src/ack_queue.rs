//! The sliding window of one connection: what was sent and not yet acknowledged.
//!
//! One clock serves the whole queue. Items that were sent equally often expire in the order of
//! their sending, so one list per retry level, in that order, needs only its first item watched:
//! no heap, no timer wheel, no map. The lists are links inside one slab, and an id says in which
//! slot its item lies, so every operation touches a handful of slots.
//!
//! Call order: [`AckQueue::push`] when something was sent, [`AckQueue::ack`] when its answer
//! arrived; at [`AckQueue::poll_timeout`] drain [`AckQueue::expired`] and send again what it gives.
//! What goes onto a transport that itself delivers in order ([`AckQueue::push_ordered`]) has no
//! timer, takes its place in the window all the same, and is acknowledged singly or with
//! [`AckQueue::ack_through`].

mod slab;

use crate::rtt::{Rtt, RttConfig};
use crate::{Duration, Time};
use core::fmt;
use slab::{FIRST_TIMED, ORDERED, Slab};

pub use slab::{AckId, RETRIES_MAX, WINDOW_MAX};

/// The bounds of an [`AckQueue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AckQueueConfig {
    /// Items that may be unacknowledged; at most [`WINDOW_MAX`].
    pub window: usize,
    /// Retransmissions before an item is given up; at most [`RETRIES_MAX`].
    pub retries_max: u32,
    /// The timeout's bounds.
    pub rtt: RttConfig,
}

/// What [`AckQueue::expired`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Expired<'a, T> {
    /// Send it again, now: its clock runs anew, under the same id.
    Retransmit {
        /// The item's id.
        id: AckId,
        /// How often it has been sent again, this time included.
        retries: u32,
        /// The item.
        item: &'a mut T,
    },
    /// It was sent again as often as is allowed; it has left the window.
    GivenUp {
        /// The id it had.
        id: AckId,
        /// The item.
        item: T,
    },
}

/// The window is full: the item comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the window of unacknowledged items is full; wait for an ack")]
pub struct WindowFull<T>(pub T);

/// A bounded window of unacknowledged items with retransmission. See the [module](self).
///
/// Every method is O(1), [`AckQueue::ack_through`] amortised over the items it removes; none
/// panics. Memory is one slot per item of the fullest moment so far; once that is reached nothing
/// allocates. Time should not run backwards; if it does, an item counts as sent no earlier than
/// the one before it.
pub struct AckQueue<T> {
    slab: Slab<T>,
    rtt: Rtt,
    window: usize,
    retries_max: u32,
}

impl<T> AckQueue<T> {
    /// An empty queue.
    #[must_use]
    pub fn new(config: AckQueueConfig) -> Self {
        Self {
            slab: Slab::new(),
            rtt: Rtt::new(config.rtt),
            window: config.window.min(WINDOW_MAX),
            retries_max: config.retries_max.min(RETRIES_MAX),
        }
    }

    /// Takes note of an item sent at `now` over a transport that may lose it.
    ///
    /// # Errors
    /// A full window gives the item back.
    #[inline]
    pub fn push(&mut self, now: Time, item: T) -> Result<AckId, WindowFull<T>> {
        self.push_to(FIRST_TIMED, now, item)
    }

    /// Takes note of an item given to a transport that delivers in order and by itself sends again:
    /// no timer runs, and the item never expires.
    ///
    /// # Errors
    /// A full window gives the item back.
    #[inline]
    pub fn push_ordered(&mut self, now: Time, item: T) -> Result<AckId, WindowFull<T>> {
        self.push_to(ORDERED, now, item)
    }

    #[inline]
    fn push_to(&mut self, list: u8, now: Time, item: T) -> Result<AckId, WindowFull<T>> {
        if self.slab.len() >= self.window {
            return Err(WindowFull(item));
        }
        Ok(self.slab.insert(list, now.as_micros(), item))
    }

    /// Takes the answer to an item: removes and returns it, or `None` if it is not in the window
    /// (acknowledged before, or given up). The round trip of what was sent once is a sample.
    #[inline]
    pub fn ack(&mut self, now: Time, id: AckId) -> Option<T> {
        let (item, list, sent_us) = self.slab.remove(id)?;
        let elapsed_us = now.as_micros().saturating_sub(sent_us);
        if list == FIRST_TIMED {
            self.rtt.sample_micros(elapsed_us);
        } else if list != ORDERED {
            // The timeouts before this sending add up to one less than the doubled one.
            let retries = u32::from(list);
            let waited_us = self.rtt.timeout_micros(retries).saturating_sub(self.rtt.timeout_micros(0));
            self.rtt.ambiguous_micros(waited_us.saturating_add(elapsed_us));
        }
        Some(item)
    }

    /// Takes the answer to an ordered item and thereby to all ordered items pushed before it:
    /// removes them, oldest first. `id` itself may be gone already. Returns how many there were.
    pub fn ack_through(&mut self, id: AckId, mut acked: impl FnMut(AckId, T)) -> usize {
        let mut count = 0;
        while let Some(first) = self.slab.first(ORDERED) {
            if first > id && !bug!("an ack covers what was sent after it") {
                break;
            }
            let Some((item, ..)) = self.slab.remove(first) else { break };
            acked(first, item);
            count += 1;
        }
        count
    }

    /// Removes an item without learning anything about the round trip.
    #[inline]
    pub fn remove(&mut self, id: AckId) -> Option<T> {
        self.slab.remove(id).map(|(item, ..)| item)
    }

    /// Starts an item's clock anew, as if it had been sent for the first time at `now`; says
    /// whether there was such an item. An ordered item, having no clock, stays as it is.
    pub fn restart(&mut self, now: Time, id: AckId) -> bool {
        match self.slab.list_of(id) {
            None => false,
            Some(ORDERED) => true,
            Some(_) => {
                self.slab.relink(id, FIRST_TIMED, now.as_micros());
                true
            }
        }
    }

    /// When [`AckQueue::expired`] has something next, as things stand. A sample moves it.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.earliest().map(|(_, deadline_us)| Time::from_micros(deadline_us))
    }

    /// The next item whose timeout has passed, the longest overdue first; call it until it is
    /// `None`.
    pub fn expired(&mut self, now: Time) -> Option<Expired<'_, T>> {
        let (list, deadline_us) = self.earliest()?;
        if deadline_us > now.as_micros() || bug!("nothing is sent again") {
            return None;
        }
        let id = self.slab.first(list)?;
        let retries = u32::from(list) + 1;
        if retries > self.retries_max {
            let (item, ..) = self.slab.remove(id)?;
            return Some(Expired::GivenUp { id, item });
        }
        self.slab.relink(id, list + 1, now.as_micros());
        let item = self.slab.item_mut(id)?;
        Some(Expired::Retransmit { id, retries, item })
    }

    /// The list whose first item expires first, and when.
    fn earliest(&self) -> Option<(u8, u64)> {
        let mut earliest: Option<(u8, u64)> = None;
        for list in self.slab.timed_lists() {
            let Some(sent_us) = self.slab.first_sent(list) else { continue };
            let deadline_us = sent_us.saturating_add(self.rtt.timeout_micros(u32::from(list)));
            if earliest.is_none_or(|(_, best)| deadline_us < best) {
                earliest = Some((list, deadline_us));
            }
        }
        earliest
    }

    /// An item in the window.
    #[must_use]
    pub fn item(&self, id: AckId) -> Option<&T> {
        self.slab.item(id)
    }

    /// How often an item was retransmitted; `None` if it is not in the window or ordered.
    #[must_use]
    pub fn retries(&self, id: AckId) -> Option<u32> {
        self.slab.list_of(id).filter(|list| *list != ORDERED).map(u32::from)
    }

    /// Takes a round trip that was measured some other way.
    pub fn sample(&mut self, round_trip: Duration) {
        self.rtt.sample(round_trip);
    }

    /// What is known of the round trip.
    #[must_use]
    pub const fn rtt(&self) -> &Rtt {
        &self.rtt
    }

    /// Items in the window.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether nothing waits for an answer.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.slab.len() == 0
    }

    /// Whether the next push is refused.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.slab.len() >= self.window
    }
}

impl<T> fmt::Debug for AckQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AckQueue")
            .field("len", &self.len())
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
