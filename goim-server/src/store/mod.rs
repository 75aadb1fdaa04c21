//! Where logs, members and offsets live: one trait, two engines, one suite that both have to pass.
//!
//! The lane's append is the law of the system (see [`LaneConnection::append`]); everything else
//! here reads, or moves numbers that only grow.
//!
//! What both engines say in the same words stands once, in `shared/`, as macros that write it for
//! each; what differs (arrays, appending, connections) stands in `postgres/` and `sqlite/`.

#[macro_use]
mod shared;

mod conversations;
mod error;
mod friends;
mod gate;
mod groups;
mod identities;
mod indexing;
mod limits;
mod messages;
mod open;
mod own;
mod postgres;
mod presence;
mod profiles;
mod ranges;
mod search;
mod sequences;
mod sqlite;
mod states;
mod traits;
mod types;
mod uploads;
mod words;

pub use conversations::{Conversations, EVERYBODY};
pub use error::{StoreError, StoreResult};
pub use friends::{Friends, Notice, Relation};
pub use gate::EpochGate;
pub use groups::{Applications, Groups};
pub use identities::{ExternalIdentity, Identities};
pub use limits::{BotOwner, OpenLimit};
pub use messages::{
    Deletions, MessageAct, Messages, Objection, Receipts, Target, TargetRow, deleted_body, recalled_body,
    recalled_edit,
};
pub use open::{Options, open};
pub use own::{OwnRead, ReadMarker};
pub use presence::{Presences, Seen};
pub use profiles::{Profiles, SearchKey, UpdatedProfile, folded};
pub use search::{Compared, MessageSearch, Search, SearchPlace};
pub use sequences::Sequences;
#[doc(hidden)]
pub use sqlite::sqlite_options;
pub use states::{Membership, ReaderState, ReaderStates, Which};
pub use traits::{Accounts, LaneConnection, LaneStore, Log, Readers, Store, derived_id};
pub use types::*;
pub use uploads::{Keeping, NewUpload, StoredObject, Uploads};
pub use words::{Query, QueryError};
