//! An entry as it is kept for readers: encoded once, shared by all of them.

use bytes::Bytes;
use goim_core::msg_list::Msg;
use goim_core::{Entry, Seq};
use goim_proto::{Content, EncodedEntry, decode};

use crate::store::{recalled_body, recalled_edit};

/// What an entry costs in memory beside its bytes: the list's slot and the allocation.
const OVERHEAD_BYTES: usize = 96;

/// An entry in the [`MsgBox`](goim_core::MsgBox).
#[derive(Debug, Clone)]
pub(crate) struct Kept(EncodedEntry);

impl Kept {
    pub(super) fn new(entry: &Entry<Bytes>) -> Self {
        Self(EncodedEntry::new(entry))
    }

    /// What a recall of a message leaves of this entry, if it is that message or an edit of it.
    pub(super) fn blanked(&self, target: Seq) -> Option<Self> {
        if self.seq() < target {
            return None;
        }
        let entry: Entry<Bytes> = decode(self.0.bytes()).ok()?;
        let body = match Content::decode(&entry.body) {
            _ if entry.seq == target => recalled_body(),
            Ok(Content::Edited(edited)) if edited.seq == target => recalled_edit(target),
            Ok(_) | Err(_) => return None,
        };
        Some(Self::new(&Entry { body, ..entry }))
    }

    pub(super) fn encoded(&self) -> EncodedEntry {
        self.0.clone()
    }
}

impl Msg for Kept {
    fn seq(&self) -> Seq {
        self.0.seq()
    }

    fn bytes(&self) -> usize {
        self.0.bytes().len() + OVERHEAD_BYTES
    }
}
