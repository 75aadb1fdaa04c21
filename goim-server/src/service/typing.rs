//! Who is typing: told to those who read along, and kept nowhere.

use goim_core::{ConversationId, Epoch};
use goim_proto::{Ephemeral, Reply, SessionInfo, Typing};

use super::{Answered, Service};

impl Service {
    /// Tells those who read a conversation on this node that the caller, who may write there, is typing;
    /// too soon after the last time nothing happens.
    pub(super) async fn typing(
        &self,
        session: &SessionInfo,
        epoch: Epoch,
        conversation: ConversationId,
    ) -> Answered {
        let user = session.user;
        let typist = (session.device, conversation);
        // First: a client that tells of each key costs the store no more than one that does not.
        if self.typists.take(self.clock.now(), typist).is_err() {
            return Ok(Reply::Done);
        }
        if let Err(refused) = self.check_writes(user, conversation).await {
            self.typists.give_back(&typist);
            return Err(refused);
        }
        self.hub.whisper(epoch, conversation, user, &Ephemeral::Typing(Typing { conversation, user }));
        Ok(Reply::Done)
    }
}
