//! Some seeds, or many.

use std::collections::BTreeMap;

use crate::backend::Backend;
use crate::common::{scaled, seed};
use crate::run::{Played, play};

/// Of a run that failed, so many of its last moves are shown.
const MOVES_SHOWN: usize = 20000;

pub(crate) async fn some(backend: &Backend) {
    let first = seed("interleavings");
    let mut tally = BTreeMap::new();
    for seed in (0..).map(|n| first.wrapping_add(n)).take(scaled(8)) {
        let played = play(backend, &[], seed).await;
        let Played { findings, trace, .. } = played;
        if !findings.is_empty() {
            for line in &trace[trace.len().saturating_sub(MOVES_SHOWN)..] {
                eprintln!("{line}");
            }
            let said: Vec<_> =
                findings.iter().map(|finding| format!("{}: {}", finding.check, finding.message)).collect();
            panic!("GOIM_SEED={seed} repeats it: {said:#?}");
        }
        for (what, count) in played.tally {
            *tally.entry(what).or_insert(0) += count;
        }
    }
    eprintln!("{tally:?}");
    for what in
        ["stale batches", "batches in doubt", "batches with a duplicate", "waited for a lock", "refused"]
    {
        assert!(tally.contains_key(what), "no {what}: so that was not tested");
    }
}
