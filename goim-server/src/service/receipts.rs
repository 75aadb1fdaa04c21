//! Who has read what, for those who wrote it.

use goim_core::ConversationId;
use goim_proto::{ErrorCode, Position, ReaderList, Reply, SessionInfo};

use super::{Answered, Service, failed, refuse};

impl Service {
    /// Who has read a message, for members.
    pub(super) async fn readers(&self, session: &SessionInfo, position: Position) -> Answered {
        let Position { conversation, seq } = position;
        self.check_reads(session, conversation).await?;
        let row = self.store.target(session.user, conversation, seq, "").await.map_err(failed)?;
        let Some(message) = row.filter(|row| row.visible && row.kind.is_message()) else {
            return refuse(ErrorCode::NotFound, "there is no such message that you may read");
        };
        let members_max = self.limits.receipt_members_max;
        // One more tells whether there are too many.
        let members = self.store.readers_of(conversation, seq, members_max.saturating_add(1)).await;
        let members = members.map_err(failed)?;
        if members.len() > members_max as usize {
            return refuse(ErrorCode::TooLarge, "the group is too large to tell who has read what");
        }
        let others = || members.iter().filter(|(user, _)| *user != message.sender);
        let of = |has| others().filter(move |(_, read)| *read == Some(has)).map(|(user, _)| *user);
        Ok(Reply::Readers(ReaderList { read: of(true).collect(), unread: of(false).collect() }))
    }

    /// How far the other one in a direct chat is.
    pub(super) async fn receipt(&self, session: &SessionInfo, conversation: ConversationId) -> Answered {
        self.check_reads(session, conversation).await?;
        match self.store.receipt(session.user, conversation).await.map_err(failed)? {
            Some(receipt) => Ok(Reply::Receipt(receipt)),
            None => {
                refuse(ErrorCode::BadArgument, "this is no direct chat; ask for the readers of a message")
            }
        }
    }
}
