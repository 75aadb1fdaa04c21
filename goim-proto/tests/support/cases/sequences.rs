//! Numbers for other services.

use goim_proto::{Allocate, Allocated, Call, Reply, SequenceKind};

use super::{Case, call, reply};

pub(super) fn calls() -> Vec<Case> {
    let allocate = Allocate { sequence: "invoices:2026".into(), kind: SequenceKind::Segmented, count: 20 };
    vec![call("Allocate", Call::Allocate(allocate))]
}

pub(super) fn replies() -> Vec<Case> {
    vec![reply("Allocated", Reply::Allocated(Allocated { first: 10_001, last: 10_020 }))]
}
