//! A device comes: what its connection has to know, and where its conversations stand.

use goim_core::hash::IdMap;
use goim_core::room::{Look, Registration};
use goim_core::{ConversationId, DeviceId, OffsetMove, Seq, UserId};

use super::{Node, Waiter};
use crate::cx::Cx;
use crate::event::{ConnId, Down};
use crate::marks::Mark;
use crate::store::{Ask, Position, Told};

/// A sync under way.
#[derive(Debug)]
pub(super) struct Syncing {
    conn: ConnId,
    user: UserId,
    device: DeviceId,
    own: Vec<OffsetMove>,
    registered: IdMap<ConversationId, Registration>,
    /// How often it may still register for what it sees, and look again.
    looks: u64,
    /// Where the user's conversations stood at the last look, if that saw all of them.
    page: Option<Vec<Position>>,
}

impl Node {
    /// Registers, then looks.
    pub(super) fn sync(
        &mut self,
        cx: &mut Cx,
        conn: ConnId,
        (user, device): (UserId, DeviceId),
        own: Vec<OffsetMove>,
    ) {
        let registered = IdMap::default();
        let sync = Syncing { conn, user, device, own, registered, looks: cx.s.sync_looks, page: None };
        self.ask(cx, Waiter::Sync(sync), Ask::Memberships(user));
    }

    /// What is new in a look is registered for before all is looked at again. All is of one moment:
    /// what lets the user in later comes behind what was seen of his inbox.
    pub(super) fn sync_looked(&mut self, cx: &mut Cx, mut sync: Syncing, told: Told) {
        let looks = match told {
            Told::Positions(all) if (all.len() as u64) < cx.s.sync_positions => {
                let looks = all.iter().filter(|one| one.from.is_some()).map(look_of).collect();
                sync.page = Some(all);
                looks
            }
            // Otherwise there may be more than a look shows.
            Told::Positions(all) => {
                cx.marks.hit(Mark::LookedInTwo);
                sync.page = bug!("a page of before the looks").then_some(all);
                let user = sync.user;
                return self.ask(cx, Waiter::Sync(sync), Ask::Memberships(user));
            }
            Told::Memberships(looks) => looks,
            _ => return cx.down(sync.conn, Down::SyncFailed),
        };
        let ids = looks.iter().map(|(conversation, _)| *conversation);
        let fresh: Vec<_> = ids.filter(|one| !sync.registered.contains_key(one)).collect();
        if sync.looks > 0 && !fresh.is_empty() {
            sync.looks -= 1;
            for conversation in fresh {
                let Some(registration) = self.register(sync.conn, sync.user, conversation) else { return };
                sync.registered.insert(conversation, registration);
            }
            let ask = Ask::Positions { user: sync.user, device: sync.device, own: sync.own.clone() };
            return self.ask(cx, Waiter::Sync(sync), ask);
        }
        self.take_looks(cx, sync, looks);
    }

    fn take_looks(&mut self, cx: &mut Cx, mut sync: Syncing, looks: Vec<(ConversationId, Look)>) {
        for (conversation, look) in looks {
            if let Some(registration) = sync.registered.remove(&conversation) {
                self.look(cx, sync.conn, sync.user, conversation, (registration, look), look.head);
            } else {
                // The inbox may have been looked at behind what tells of it.
                cx.marks.hit(Mark::SyncInvited);
                self.invite(cx, sync.user, conversation, Seq::ZERO);
            }
        }
        if sync.registered.is_empty() {
            return self.list(cx, sync);
        }
        let mut gone: Vec<_> = sync.registered.keys().copied().collect();
        gone.sort_unstable();
        self.ask(cx, Waiter::SyncGone(sync), Ask::Heads(gone));
    }

    /// Takes the heads of those conversations that the user has left meanwhile.
    pub(super) fn sync_gone(&mut self, cx: &mut Cx, mut sync: Syncing, told: Told) {
        let Told::Heads { heads, .. } = told else { return cx.down(sync.conn, Down::SyncFailed) };
        cx.marks.hit(Mark::SyncGone);
        for (conversation, head) in heads {
            if let Some(registration) = sync.registered.remove(&conversation) {
                let look = Look { head, from: None, last: Seq::ZERO };
                self.look(cx, sync.conn, sync.user, conversation, (registration, look), head);
            }
        }
        self.list(cx, sync);
    }

    /// Answers with what was seen, or with what is there now: the device is told beside of all that its
    /// connection takes it to know.
    fn list(&mut self, cx: &mut Cx, sync: Syncing) {
        let Syncing { conn, user, device, own, page, .. } = sync;
        match page {
            Some(page) => self.sync_page(cx, conn, Told::Positions(page)),
            None => self.ask(cx, Waiter::SyncPage { conn }, Ask::Positions { user, device, own }),
        }
    }

    pub(super) fn sync_page(&mut self, cx: &mut Cx, conn: ConnId, told: Told) {
        let Told::Positions(positions) = told else { return cx.down(conn, Down::SyncFailed) };
        let positions = positions.into_iter().filter(|position| position.head > position.offset).collect();
        cx.down(conn, Down::Synced { positions, epoch: self.epoch });
    }
}

fn look_of(position: &Position) -> (ConversationId, Look) {
    let Position { conversation, head, from, .. } = *position;
    (conversation, Look { head, from, last: Seq::ZERO })
}
