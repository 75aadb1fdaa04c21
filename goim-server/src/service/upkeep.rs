//! What a node does unasked: it fills gaps, compares heads, follows invitations, ends sessions.

use std::time::Duration;

use goim_core::{ConversationId, Epoch, Seq};
use tokio::time::{MissedTickBehavior, interval};

use super::{Service, end_session, send_away};
use crate::access::Invitation;
use crate::bus::Published;
use crate::clock::unix_ms;
use crate::store::StoreError;

/// How long an entry may be missing before the store is asked for it: it is likely on its way.
const GAP_AGE: Duration = Duration::from_millis(50);
/// Conversations whose heads are compared in one statement.
const HEADS_AT_ONCE: usize = 4_096;
/// Entries of one conversation fetched at once, and their bytes.
const ENTRIES_AT_ONCE: u32 = 512;
const ENTRY_BYTES_AT_ONCE: usize = 1 << 20;
/// Devices looked up at once.
const DEVICES_AT_ONCE: usize = 4_096;
/// Before an invitation is followed up again that the store failed.
const INVITATION_RETRY: Duration = Duration::from_millis(500);

impl Service {
    /// Fetches what stays missing, for ever.
    pub(crate) async fn fill_gaps(&self) {
        let mut ticks = interval(GAP_AGE / 2);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for (conversation, passed) in self.hub.take_gaps(self.clock.now(), GAP_AGE) {
                if let Err(error) = self.fetch(conversation, passed).await {
                    complain(&error);
                    self.hub.watch(self.clock.now(), conversation);
                }
            }
        }
    }

    /// Passes on what the store has behind `passed`.
    async fn fetch(&self, conversation: ConversationId, passed: Seq) -> Result<(), StoreError> {
        let epoch = self.epoch();
        let entries = self.store.entries(conversation, passed, ENTRIES_AT_ONCE, ENTRY_BYTES_AT_ONCE).await?;
        self.metrics.caught_up_entries_total.add(entries.len());
        let published = entries.into_iter().map(|entry| Published { conversation, entry });
        self.hub.fetched(self.clock.now(), epoch, conversation, passed, published.collect());
        Ok(())
    }

    /// Compares heads with the store, for ever.
    pub(crate) async fn catch_up(&self, every: Duration) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.compare_heads().await {
                complain(&error);
            }
        }
    }

    async fn compare_heads(&self) -> Result<(), StoreError> {
        let conversations = self.hub.conversations();
        // Once even if nobody reads here: the store looks at its epoch with the heads, and finds one
        // that began under connections that live.
        for chunk in conversations.chunks(HEADS_AT_ONCE).chain(conversations.is_empty().then_some(&[][..])) {
            let epoch = self.epoch();
            let heads = self.store.heads(chunk).await?;
            for (conversation, passed) in self.hub.saw(epoch, &heads) {
                self.fetch(conversation, passed).await?;
            }
        }
        Ok(())
    }

    /// Starts anew whenever the store went back, for ever. Until that is done the store answers
    /// nothing.
    pub(crate) async fn follow_epochs(&self) {
        loop {
            let epoch = self.store.gate().went_back().await;
            self.start_anew(epoch);
            self.store.gate().serve(epoch);
        }
    }

    /// The store went back: what is believed here is worth nothing. Clients come again, learn of
    /// the epoch in `Welcome`, and put their offsets right.
    fn start_anew(&self, epoch: Epoch) {
        tracing::warn!(epoch = epoch.as_u64(), "the store has a new epoch; all clients start anew");
        self.committer.begin_epoch(epoch);
        self.hub.forget_all(epoch);
        // Whoever opens a session behind this sees the new epoch.
        for connection in self.hub.sessions() {
            send_away(&connection);
        }
    }

    /// Looks where users stand in conversations that their inboxes tell of, or of which what was
    /// known is not known any more, for ever.
    pub(crate) async fn follow_invitations(&self) {
        loop {
            let mut failed = Vec::new();
            for invitation in self.hub.invitations().await {
                let Invitation { user, conversation, .. } = invitation;
                for connection in self.hub.connections_of(user) {
                    if let Err(error) = self.follow_invitation(&connection, invitation).await {
                        tracing::warn!(%user, %conversation, %error, "cannot follow an invitation yet");
                        failed.push(invitation);
                        break;
                    }
                }
            }
            if !failed.is_empty() {
                // A connection that is registered and not told where it stands hears of nothing.
                tokio::time::sleep(INVITATION_RETRY).await;
                self.hub.invite(failed);
            }
        }
    }

    /// Ends sessions whose token has expired or whose device was revoked, for ever.
    pub(crate) async fn end_stale_sessions(&self, every: Duration) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.end_stale().await {
                complain(&error);
            }
        }
    }

    async fn end_stale(&self) -> Result<(), StoreError> {
        let now_ms = unix_ms();
        let mut open = self.hub.sessions();
        open.retain(|connection| {
            let live = connection.expires_ms() > now_ms;
            if !live {
                end_session(connection, "the access token has expired; refresh it");
            }
            live
        });
        for chunk in open.chunks(DEVICES_AT_ONCE) {
            let devices: Vec<_> = chunk.iter().filter_map(|one| Some(one.session()?.device)).collect();
            let revoked = self.store.revoked_devices(&devices).await?;
            for connection in chunk {
                if connection.session().is_some_and(|session| revoked.contains(&session.device)) {
                    end_session(connection, "the device was revoked; log in again");
                }
            }
        }
        Ok(())
    }
}

fn complain(error: &StoreError) {
    tracing::warn!(error = error as &dyn std::error::Error, "the store failed the node's upkeep");
}
