use std::collections::VecDeque;

use crate::hash::IdMap;
use crate::{ClientMsgId, ConversationId, Seq, UserId};

/// (conversation, sender, id): what is stored at most once.
pub(super) type Key = (ConversationId, UserId, ClientMsgId);

/// Where a stored id stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    pub(super) seq: Seq,
    pub(super) count: u64,
    pub(super) at_ms: u64,
}

/// The ids that were committed or found last. They are facts, so they outlive what a lane
/// believes about heads; only a store that went back takes them away.
#[derive(Debug)]
pub(super) struct Recent {
    ids: IdMap<Key, Stored>,
    order: VecDeque<Key>,
    max: usize,
}

impl Recent {
    pub(super) fn new(max: usize) -> Self {
        Self { ids: IdMap::default(), order: VecDeque::new(), max }
    }

    pub(super) fn find(&self, key: &Key) -> Option<Stored> {
        self.ids.get(key).copied()
    }

    pub(super) fn insert(&mut self, key: Key, stored: Stored) {
        if self.ids.insert(key, stored).is_some() {
            return;
        }
        if self.order.len() >= self.max
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        self.order.push_back(key);
    }

    pub(super) fn clear(&mut self) {
        self.ids.clear();
        self.order.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_ids_are_forgotten() {
        let mut recent = Recent::new(3);
        let key = |n| (ConversationId::new(1), UserId::new(1), ClientMsgId::mint(n, &[0; 10]));
        for n in 1..=9 {
            let stored = Stored { seq: Seq::new(n), count: n, at_ms: 0 };
            recent.insert(key(n), stored);
            recent.insert(key(n), stored);
        }
        let known: Vec<_> = (1..=9).filter(|n| recent.find(&key(*n)).is_some()).collect();
        assert_eq!(known, [7, 8, 9]);
        assert_eq!(recent.order.len(), 3);
    }
}
