//! What both engines say in the same words.
//!
//! Each macro takes the store's type and a macro that writes a list parameter as a subquery of
//! one column `id`; the type gives `read()` and `write()` connections and binds lists by `list()`.

#[macro_use]
mod accounts;
#[macro_use]
mod conversations;
#[macro_use]
mod deletions;
#[macro_use]
mod effects;
#[macro_use]
mod friends;
#[macro_use]
mod groups;
#[macro_use]
mod identities;
#[macro_use]
mod log;
#[macro_use]
mod messages;
#[macro_use]
mod presence;
#[macro_use]
mod profiles;
#[macro_use]
mod readers;
#[macro_use]
mod receipts;
pub(super) mod rows;
#[macro_use]
mod search;
#[macro_use]
mod sequences;
#[macro_use]
mod states;
#[macro_use]
mod uploads;
