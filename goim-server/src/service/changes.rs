//! What is done to messages: edits, recalls, reactions and deletions.
//!
//! What cannot change about a message is looked at here; the lane judges by it and says if something
//! was done to the message since, and then it is looked at again.

use goim_core::lane::Outcome;
use goim_core::{ClientMsgId, ConversationId, Seq};
use goim_proto::content::{Edited, EncodedContent, Reacted, Recalled};
use goim_proto::limits::{DELETIONS_MAX, EDITS_MAX, EMOJI_BYTES_MAX, REACTIONS_MAX};
use goim_proto::{Content, Edit, Error, ErrorCode, MessageList, React, Recall, Reply, SessionInfo};

use super::answers::sent;
use super::conversations::Happening;
use super::draft::{Checked, check_content, check_id};
use super::rules::Refusal;
use super::{Answered, Service, failed, refuse};
use crate::clock::unix_ms;
use crate::store::{Effect, EntryKind, MessageAct, Notice, Objection, Target, TargetRow};

/// How often a message is looked at for one call. Each time something was done to it, or another
/// node has written to the conversation, within the milliseconds between look and commit.
const LOOKS_MAX: usize = 8;

/// Something to be done to a message.
struct Change {
    conversation: ConversationId,
    seq: Seq,
    client_msg_id: ClientMsgId,
    content: Content,
    act: MessageAct,
    /// The kind that an edit leaves as it is.
    keeps: Option<EntryKind>,
    /// For how long the sender may, in milliseconds.
    age_max_ms: u64,
}

impl Service {
    /// Edits a message of the caller's.
    pub(super) async fn edit(&self, session: &SessionInfo, arguments: Edit) -> Answered {
        let Edit { conversation, seq, client_msg_id, body } = arguments;
        let Checked { kind, mentions } = check_content(&body)?;
        let change = Change {
            conversation,
            seq,
            client_msg_id,
            content: Content::Edited(Edited { seq, body: EncodedContent(body.clone()) }),
            act: MessageAct::Edit { body, mentions },
            keeps: Some(kind),
            age_max_ms: self.limits.edit_age_max_ms,
        };
        self.change(session, change).await
    }

    /// Recalls a message.
    pub(super) async fn recall(&self, session: &SessionInfo, arguments: Recall) -> Answered {
        let Recall { conversation, seq, client_msg_id } = arguments;
        let change = Change {
            conversation,
            seq,
            client_msg_id,
            content: Content::Recalled(Recalled { seq }),
            act: MessageAct::Recall,
            keeps: None,
            age_max_ms: self.limits.recall_age_max_ms,
        };
        self.change(session, change).await
    }

    /// Reacts to a message, or not any more.
    pub(super) async fn react(&self, session: &SessionInfo, arguments: React) -> Answered {
        let React { conversation, seq, emoji, set, client_msg_id } = arguments;
        if emoji.is_empty() || emoji.len() > EMOJI_BYTES_MAX || emoji.chars().any(char::is_control) {
            return refuse(ErrorCode::BadArgument, "react with 1 to 32 bytes without control characters");
        }
        let change = Change {
            conversation,
            seq,
            client_msg_id,
            content: Content::Reacted(Reacted { seq, emoji: emoji.clone(), set }),
            act: MessageAct::React { emoji, set, known: false },
            keeps: None,
            age_max_ms: u64::MAX,
        };
        self.change(session, change).await
    }

    /// Takes messages out of the caller's sight, and of nobody else's.
    pub(super) async fn delete_for_me(&self, session: &SessionInfo, list: MessageList) -> Answered {
        if list.seqs.len() > DELETIONS_MAX {
            return refuse(ErrorCode::TooLarge, "at most 100 messages in one call");
        }
        let notice = Notice::of(&Content::DeletedForMe(list.clone()));
        self.store.delete_for(session.user, &list, &notice, unix_ms()).await.map_err(failed)?;
        // Other nodes, and devices, hear of it from the inbox.
        let last = list.seqs.iter().copied().max().unwrap_or_default();
        for connection in self.hub.connections_of(session.user) {
            connection.note_deletion(list.conversation, last);
        }
        self.due_now.notify_one();
        Ok(Reply::Done)
    }

    async fn change(&self, session: &SessionInfo, change: Change) -> Answered {
        check_id(change.client_msg_id)?;
        let Change { conversation, client_msg_id, .. } = change;
        let mut outcome = Outcome::Refused(Refusal::LookAgain);
        for _ in 0..LOOKS_MAX {
            // Of the epoch before the look: what another log has there is another message.
            let epoch = self.epoch();
            let (target, act) = self.look(session, &change).await?;
            let effect = Effect::OnMessage { target, act };
            let content = change.content.clone();
            let happening = Happening { conversation, client_msg_id, content, effect };
            outcome = self.settle(session, epoch, happening).await?;
            if outcome != Outcome::Refused(Refusal::LookAgain) {
                break;
            }
        }
        sent(&outcome).map(Reply::Sent)
    }

    /// What is to be judged: nothing is refused here, for a repetition is answered as before.
    async fn look(&self, session: &SessionInfo, change: &Change) -> Result<(Target, MessageAct), Error> {
        let Change { conversation, seq, .. } = *change;
        let mut act = change.act.clone();
        let emoji = if let MessageAct::React { emoji, .. } = &act { emoji.as_str() } else { "" };
        let row = self.store.target(session.user, conversation, seq, emoji).await.map_err(failed)?;
        let Some(row) = row else {
            let objection = Some(Objection::NoSuchMessage);
            // Entries do not go: what is none now was none before, and a later one is not meant.
            return Ok((Target { seq, seen: Seq::MAX, own: false, late: false, objection }, act));
        };
        if let MessageAct::React { known, .. } = &mut act {
            *known = row.known;
        }
        let target = Target {
            seq,
            seen: row.head,
            own: row.sender == session.user,
            late: unix_ms().saturating_sub(row.at_ms) >= change.age_max_ms,
            objection: objection(&row, &act, change.keeps),
        };
        Ok((target, act))
    }
}

fn objection(row: &TargetRow, act: &MessageAct, keeps: Option<EntryKind>) -> Option<Objection> {
    if !row.visible || !row.kind.is_message() {
        return Some(Objection::NoSuchMessage);
    }
    if row.recalled {
        return Some(Objection::Recalled);
    }
    match act {
        MessageAct::Edit { .. } if keeps != Some(row.kind) => Some(Objection::OtherKind),
        MessageAct::Edit { .. } if row.edits >= EDITS_MAX as u64 => Some(Objection::TooManyEdits),
        MessageAct::React { set: true, known: false, .. } if row.reactions >= REACTIONS_MAX as u64 => {
            Some(Objection::TooManyReactions)
        }
        MessageAct::Edit { .. } | MessageAct::Recall | MessageAct::React { .. } => None,
    }
}
