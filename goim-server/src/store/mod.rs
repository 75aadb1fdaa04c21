//! Where logs, members and offsets live: one trait, two engines, one suite that both have to pass.
//!
//! The lane's append is the law of the system (see [`LaneConnection::append`]); everything else
//! here reads, or moves numbers that only grow.

mod error;
mod ranges;
mod traits;
mod types;

pub use error::{StoreError, StoreResult};
pub use traits::derived_id;
pub use traits::{Accounts, LaneConnection, Log, Readers, Store};
pub use types::*;
