//! What a connection does when the server's store went back.

use std::mem;

use goim_core::{ConversationId, Epoch, OffsetMove, Seq};
use goim_proto::limits::POSITIONS_MAX;
use goim_proto::{Call, Heads, SyncItem};

use super::Session;
use crate::Event;
use crate::link::Link;
use crate::pending::Pending;
use crate::shared::State;

impl Session<'_> {
    /// After the store went back: asks where everything stands now, before anything else.
    pub(super) fn check_epoch(&mut self, state: &mut State, link: &mut Link) {
        if self.new_epoch.is_none() {
            return;
        }
        while !self.to_check.is_empty() {
            let rest = self.to_check.split_off(self.to_check.len().min(POSITIONS_MAX));
            let conversations = mem::replace(&mut self.to_check, rest);
            self.checking += 1;
            let call = Call::Heads(Heads { conversations: conversations.clone() });
            self.ask(link, call, Pending::WentBack(conversations));
        }
        if self.checking > 0 {
            return;
        }
        let Some(epoch) = self.new_epoch.take() else { return };
        state.epoch = Some(epoch);
        state.outbox.handle_reset();
        self.save_epoch = Some(epoch);
        let moved_back = mem::take(&mut self.moved_back);
        self.committed.extend(
            moved_back
                .iter()
                .map(|(conversation, offset)| OffsetMove { conversation: *conversation, offset: *offset }),
        );
        self.shared.event(Event::EpochChanged { epoch, moved_back });
    }

    pub(super) fn see_epoch(&mut self, state: &mut State, epoch: Epoch) {
        match state.epoch {
            None => {
                state.epoch = Some(epoch);
                self.save_epoch = Some(epoch);
            }
            Some(known) if known == epoch || self.new_epoch == Some(epoch) => {}
            Some(_) => {
                self.new_epoch = Some(epoch);
                self.to_check = state.inbox.offsets().map(|offset| offset.conversation).collect();
            }
        }
    }

    pub(super) fn went_back(&mut self, state: &mut State, asked: &[ConversationId], items: &[SyncItem]) {
        self.checking = self.checking.saturating_sub(1);
        for conversation in asked {
            // The offset that the store has, not its head: others may have written since it went
            // back, and what they wrote stands where this reader saw something else before. What
            // the store does not know any more has neither.
            let item = items.iter().find(|item| item.conversation == *conversation);
            let (offset, head) = item.map_or((Seq::ZERO, Seq::ZERO), |item| (item.offset, item.head));
            if state.inbox.handle_store_went_back(*conversation, offset) {
                self.moved_back.push((*conversation, offset));
            }
            state.inbox.subscribe(*conversation, offset, head);
        }
    }
}
