//! How many uploads come at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use goim_core::UserId;

/// Places for uploads on one node.
#[derive(Debug)]
pub(crate) struct Slots {
    at_once_max: usize,
    user_at_once_max: usize,
    /// How many each user has taken.
    taken: Mutex<HashMap<UserId, usize>>,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    user: UserId,
}

impl Slots {
    pub(crate) fn new(at_once_max: usize, user_at_once_max: usize) -> Arc<Self> {
        Arc::new(Self { at_once_max, user_at_once_max, taken: Mutex::default() })
    }

    /// A place for an upload of a user's, if there is one.
    pub(crate) fn take(self: &Arc<Self>, user: UserId) -> Option<Slot> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_user = taken.get(&user).copied().unwrap_or(0);
        if taken.values().sum::<usize>() >= self.at_once_max || of_user >= self.user_at_once_max {
            return None;
        }
        taken.insert(user, of_user + 1);
        Some(Slot { slots: Arc::clone(self), user })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_so_many_places_and_all_together_so_many() {
        let slots = Slots::new(3, 2);
        let (ada, ben) = (UserId::new(1), UserId::new(2));
        let first = slots.take(ada);
        let _second = slots.take(ada).unwrap();
        assert!(first.is_some() && slots.take(ada).is_none());
        let _third = slots.take(ben).unwrap();
        assert!(slots.take(ben).is_none(), "the node is full");
        drop(first);
        drop(slots.take(ben).unwrap());
        assert_eq!(slots.taken.lock().unwrap().len(), 2);
    }
}
