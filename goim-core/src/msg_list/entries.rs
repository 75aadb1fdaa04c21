//! A view of neighbouring entries of a list.

use std::collections::{VecDeque, vec_deque};

/// Iterates over [`Entries`]. The standard library's own: what is collected from it is copied at once.
pub type Iter<'a, M> = vec_deque::Iter<'a, M>;

/// Neighbouring entries of a [`MsgList`](super::MsgList), oldest first; used like a slice.
#[derive(Debug)]
pub struct Entries<'a, M> {
    window: &'a VecDeque<M>,
    from: usize,
    to: usize,
}

impl<M> Clone for Entries<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Entries<'_, M> {}

impl<'a, M> Entries<'a, M> {
    /// `from <= to <= window.len()`.
    pub(super) const fn new(window: &'a VecDeque<M>, from: usize, to: usize) -> Self {
        Self { window, from, to }
    }

    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.to - self.from
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.from == self.to
    }

    /// The entry at `index`, counted from the oldest.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a M> {
        if index >= self.len() {
            return None;
        }
        self.window.get(self.from + index)
    }

    /// The oldest.
    #[must_use]
    pub fn first(&self) -> Option<&'a M> {
        self.get(0)
    }

    /// The newest.
    #[must_use]
    pub fn last(&self) -> Option<&'a M> {
        self.get(self.len().checked_sub(1)?)
    }

    /// All of them, oldest first.
    #[must_use]
    pub fn iter(&self) -> Iter<'a, M> {
        self.window.range(self.from..self.to)
    }
}

impl<'a, M> IntoIterator for Entries<'a, M> {
    type Item = &'a M;
    type IntoIter = Iter<'a, M>;

    fn into_iter(self) -> Iter<'a, M> {
        self.iter()
    }
}
