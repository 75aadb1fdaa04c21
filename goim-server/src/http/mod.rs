//! The HTTP door: calls in JSON, and what operators look at, on two addresses.
//!
//! [`Operation`](operations::Operation)s are a table. The routes are made of it, and so is the OpenAPI
//! document and the page that shows it; what an operation takes and answers is what the types of
//! goim-proto say of themselves. `api` takes a request, `arguments` makes a call of it, the service
//! answers, `answer` and `problem` write that down. `events` is a connection that only hears of heads.

mod answer;
mod api;
mod arguments;
mod door;
mod events;
mod openapi;
mod operations;
mod operators;
mod page;
mod problem;
mod schema;

pub(crate) use api::Api;
pub(crate) use door::serve;
pub(crate) use operators::{Health, router};
