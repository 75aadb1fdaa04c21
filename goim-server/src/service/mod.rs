//! The rules: who may do what, and how it is done. No rule lives in a door.

mod accounts;
mod answers;
mod calls;
mod changes;
mod conversations;
mod devices;
mod draft;
mod due;
mod errors;
mod external;
mod friends;
mod groups;
mod listing;
mod logins;
mod messages;
mod numbers;
mod offsets;
mod once;
mod passwords;
mod presence;
mod profile_news;
mod profiles;
mod receipts;
pub(crate) mod rules;
mod search;
mod sequences;
mod state;
mod sync;
mod tokens;
mod typing;
mod upkeep;
mod uploads;

pub(crate) use answers::{Outcomes, SendTicket, Ticket};
pub(crate) use draft::Offers;
pub(crate) use once::Caller;
pub(crate) use passwords::Passwords;
pub(crate) use rules::Refusal;
pub(crate) use search::News;
pub(crate) use state::{Parts, Service};
pub(crate) use sync::Stretch;
pub(crate) use tokens::Tokens;

pub(crate) use errors::too_fast;

pub(crate) use errors::Answered;
use errors::{failed, failed_or_too_many, refuse};
use state::{end_session, send_away};
