//! The rules: who may do what, and how it is done. No rule lives in a door.

mod passwords;
pub(crate) mod rules;
mod tokens;
