//! Who may do what to a message. What it was when somebody looked at it in the store comes with the
//! entry; what was done to it since, the fold says.

use super::{ChatFold, Refusal};
use crate::store::{MessageAct, Target};

/// Whether a member may do this who does or does not manage the conversation.
pub(super) fn judge(
    fold: &ChatFold,
    manages: bool,
    target: &Target,
    act: &MessageAct,
) -> Result<(), Refusal> {
    if fold.settings.changes.may_touch(target.seq, target.seen) {
        return Err(Refusal::LookAgain);
    }
    if let Some(objection) = target.objection {
        return Err(Refusal::Message(objection));
    }
    match act {
        MessageAct::React { .. } => Ok(()),
        MessageAct::Recall if manages => Ok(()),
        MessageAct::Edit { .. } | MessageAct::Recall if !target.own => Err(Refusal::NotYours),
        MessageAct::Edit { .. } | MessageAct::Recall if target.late => Err(Refusal::TooLate),
        MessageAct::Edit { .. } | MessageAct::Recall => Ok(()),
    }
}
