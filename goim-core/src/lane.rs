//! One serial committer's decisions: what to judge, number, write, answer and publish.
//!
//! A [`Lane`] owns no connection and reads no clock. Its runner owns both and goes round this
//! loop, in any order that suits it:
//!
//! 1. [`Lane::offer`] what arrived; a full lane hands the offer back, which is back-pressure.
//! 2. [`Lane::poll_load`] and run the loads beside the lane, several at once;
//!    [`Lane::handle_loaded`] each when it is there.
//! 3. [`Lane::poll_append`] and run the batch on the lane's one store connection;
//!    [`Lane::handle_appended`] with what came of it. At most one batch is out at a time.
//! 4. Drain [`Lane::poll_answer`] and [`Lane::poll_committed`].
//! 5. Sleep until [`Lane::poll_timeout`], then [`Lane::handle_timeout`].
//!
//! # Why nothing is lost, doubled or reordered
//!
//! The lane only believes; the store knows. A batch says for each conversation which head and
//! which revision its numbers were counted from, and the store writes nothing of a conversation
//! that stands elsewhere. So a lane whose belief is out of date, because a rival commits too or
//! because an answer was lost, is told that it is stale: it forgets what it believed about that
//! conversation, loads it and its waiting ids again, and judges and numbers anew. State that
//! entries of a batch have changed is never repaired after a failure; it is forgotten, because
//! forgetting cannot be wrong.
//!
//! An entry that will not be written is answered only while nothing of its conversation is in
//! flight. Therefore a refusal never rests on an effect that was not committed, and the answers
//! to what a device sent to one conversation come in the order of its sends. And a refusal is
//! given only by a state that a load has confirmed after the entry arrived: a cache may be old,
//! and a member whom a rival has just let in must not be turned away for good.
//!
//! A batch that the store refuses for one of its entries goes again by itself, before anything
//! new: after look-ups if an id was stored already, in halves if the data was at fault. So the
//! offender ends alone, however many new entries press on.
//!
//! # Panics
//!
//! Never on input. Calling [`Lane::handle_appended`] when no batch is out does nothing.

mod append;
mod conversation;
mod limits;
mod load;
mod machine;
mod recent;
mod rules;
mod settle;
mod types;

pub use limits::LaneLimits;
pub use load::LoadResult;
pub use machine::Lane;
pub use rules::{Fold, Rules};
pub use types::{
    Answer, AppendResult, Batch, Committed, Expect, Found, LoadFailed, LoadRequest, Loaded, Offer, Outcome,
    Row, Unavailable,
};
