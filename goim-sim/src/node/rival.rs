//! A rival committer, as an embedder would write one: numbers from core's `SequenceAllocator`, and
//! the same compare-and-append, beside the lanes and on the same conversations.

use std::num::NonZeroU64;
use std::sync::Arc;

use goim_core::hash::IdMap;
use goim_core::lane::{AppendResult, Batch, Expect, Row};
use goim_core::sequence::Reserve;
use goim_core::{ClientMsgId, ConversationId, DeviceId, Entry, Epoch, SeqRange, SequenceAllocator};

use super::{Node, Waiter};
use crate::cx::Cx;
use crate::entry::{Content, Kept, SYSTEM};
use crate::event::NodeEvent;
use crate::marks::Mark;
use crate::scenario::Scenario;
use crate::store::{Ask, Told};

/// Notes in one append, at most.
const NOTES_MAX: u64 = 3;

pub(super) struct Rival {
    numbers: SequenceAllocator,
    /// Count and revision of the conversations whose heads are known.
    stands: IdMap<ConversationId, (u64, u64)>,
    under_way: Option<(ConversationId, SeqRange, Arc<Batch<Content>>, Epoch)>,
}

impl Rival {
    pub(super) fn new(s: &Scenario) -> Self {
        let conversations_max = usize::try_from(s.rival_conversations).unwrap_or(1);
        Self { numbers: SequenceAllocator::new(conversations_max), stands: IdMap::default(), under_way: None }
    }

    /// Heads belong to the connection through which they were learnt.
    pub(super) fn forget_all(&mut self) {
        if !bug!("a rival keeps heads across store connections") {
            self.numbers.forget_all();
            self.stands.clear();
        }
    }

    fn forget(&mut self, conversation: ConversationId) {
        self.numbers.forget(conversation);
        self.stands.remove(&conversation);
    }
}

impl Node {
    pub(super) fn rival_writes(&mut self, cx: &mut Cx) {
        if !cx.weather.busy {
            return;
        }
        let wait = cx.rng.around(cx.s.rival_every_ms);
        self.after(cx, wait, NodeEvent::Rival);
        let conversation = ConversationId::new(cx.rng.between(1, cx.s.groups));
        if self.rival.under_way.is_none() {
            self.rival_append(cx, conversation);
        }
    }

    fn rival_append(&mut self, cx: &mut Cx, conversation: ConversationId) {
        let n = NonZeroU64::new(cx.rng.between(1, NOTES_MAX)).unwrap_or(NonZeroU64::MIN);
        let reserved = self.rival.numbers.reserve(conversation, n);
        let (Reserve::Range(range), Some((count, rev))) =
            (reserved, self.rival.stands.get(&conversation).copied())
        else {
            return self.ask(cx, Waiter::RivalStand { conversation }, Ask::Stand(conversation));
        };
        let at_ms = cx.wall_ms(self.id);
        let first = range.first.as_u64();
        let mut rows = Vec::new();
        for (at, seq) in (first..=range.last.as_u64()).enumerate() {
            let note = cx.rng.between(0, u64::MAX);
            rows.push(Row {
                conversation,
                seq: goim_core::Seq::new(seq),
                sender: SYSTEM,
                device: DeviceId::new(0),
                client_msg_id: ClientMsgId::mint(at_ms, &cx.rng.bytes()),
                count: count + at as u64 + 1,
                at_ms,
                entry: Content::Note(note),
            });
        }
        let (base, n) = (range.first.prev(), n.get());
        let expect = Expect { conversation, base, rev, n, count: count + n, at_ms };
        let batch = Arc::new(Batch { expects: vec![expect], rows, effects: false });
        self.rival.under_way = Some((conversation, range, Arc::clone(&batch), self.epoch));
        self.ask(cx, Waiter::RivalAppend, Ask::Append(batch));
    }

    pub(super) fn rival_stands(&mut self, cx: &mut Cx, conversation: ConversationId, told: &Told) {
        let Told::Stands { head, count, rev } = *told else { return };
        if self.rival.under_way.is_some() {
            return;
        }
        self.rival.forget(conversation);
        if self.rival.numbers.learn(conversation, head) {
            self.rival.stands.insert(conversation, (count, rev));
            self.rival_append(cx, conversation);
        }
    }

    pub(super) fn rival_appended(&mut self, cx: &mut Cx, told: &Told) {
        let Some((conversation, range, batch, epoch)) = self.rival.under_way.take() else { return };
        match told {
            Told::Appended(AppendResult::Written { stale }) if stale.is_empty() => {
                cx.marks.hit(Mark::RivalWrote);
                self.rival.numbers.confirm(conversation, range);
                if let Some((count, _)) = self.rival.stands.get_mut(&conversation) {
                    *count += batch.rows.len() as u64;
                }
                let entries = batch.rows.iter().map(|row| (conversation, published(row))).collect();
                self.publish_all(cx, entries, epoch);
            }
            Told::Appended(AppendResult::Conflict | AppendResult::Full | AppendResult::Down) => {
                self.rival.numbers.abort(conversation, range);
            }
            _ => {
                cx.marks.hit(Mark::RivalLost);
                self.rival.forget(conversation);
            }
        }
    }
}

fn published(row: &Row<Content>) -> Kept {
    let Row { seq, sender, client_msg_id, at_ms, count, entry, .. } = *row;
    Kept(Entry { seq, sender, client_msg_id, at_ms, count, body: entry.encode() })
}
