//! The test of the test: bugs in the statements, each of which the suite has to notice.
//!
//! The store says what it always says; the wire says something else.

use crate::backend::Backend;
use crate::checks;
use crate::common::{is_long, seed};
use crate::run::play;
use crate::wire::Rewrite;

/// Worlds after which a bug would have been noticed, wherever one begins to look: many times what was
/// ever needed, which is 17.
const SEEDS_MAX: u64 = 500;

/// Worlds after which every statement was made.
const SAID_WITHIN: u64 = 10;

/// A bug.
struct Bug {
    name: &'static str,
    /// What is said instead of what.
    rewrites: &'static [Rewrite],
    /// The check that has to notice it. What others say does not count: a statement that is slow or
    /// a database that is gone would be noticed, too.
    check: &'static str,
    /// A seed that is known to show it, so that the search is short as long as nothing changes.
    from: u64,
}

/// Plays seeds until the check fails; in the long form beginning anywhere.
async fn notice(bug: Bug) {
    assert!(checks::exists(bug.check), "no check is called {}", bug.check);
    let backend = Backend::postgres().await;
    let given = is_long() || std::env::var("GOIM_SEED").is_ok();
    let first = if given { seed(bug.name) } else { bug.from };
    for n in 0..SEEDS_MAX {
        let seed = first.wrapping_add(n);
        let played = play(&backend, bug.rewrites, seed).await;
        let is_noticed = played.findings.iter().any(|finding| finding.check == bug.check);
        let unused = played.unused_rewrites;
        let is_said = unused.is_empty() || (!is_noticed && n < SAID_WITHIN);
        assert!(is_said, "no statement says {unused:?} any more");
        if !is_noticed {
            continue;
        }
        eprintln!("{}: noticed with seed {seed}", bug.name);
        return backend.finish().await;
    }
    panic!("{}: nobody noticed, from seed {first} on", bug.name);
}

/// Each bug: which check notices it, with which seed, and what is said instead of what.
macro_rules! bugs {
    ($($(#[$what:meta])* $name:ident noticed by $check:ident with $from:literal {
        $($find:literal => $replace:literal),* $(,)?
    })*) => {
        $($(#[$what])*
        #[tokio::test]
        async fn $name() {
            const REWRITES: &[Rewrite] = &[$(Rewrite { find: $find, replace: $replace }),*];
            let (name, check) = (stringify!($name), stringify!($check));
            notice(Bug { name, rewrites: REWRITES, check, from: $from }).await;
        })*
    };
}

bugs! {
    /// Whoever is out of date writes all the same.
    the_head_is_not_compared noticed by g3_what_is_called_a_duplicate_is_one with 1 { " AND v.head = r.base" => "" }
    the_revision_is_not_compared noticed by g9_entries_were_allowed_by_the_state_before with 13 { " AND v.rev = r.rev" => "" }
    /// What is compared may change while the statement waits for the lock.
    the_revision_is_compared_before_it_is_locked noticed by g9_entries_were_allowed_by_the_state_before with 9 {
        " AND v.rev = r.rev" => "",
        "t(conversation, base, rev, n, count, at))" =>
            "t(conversation, base, rev, n, count, at) \
             WHERE EXISTS (SELECT 1 FROM conversations c WHERE c.id = t.conversation AND c.rev = t.rev))",
    }
    /// Those of a conversation that stood elsewhere are inserted too.
    rows_do_not_depend_on_the_head noticed by g3_what_is_called_a_duplicate_is_one with 1 { "WHERE i.conversation IN (SELECT id FROM w)" => "" }
    /// Stale or not, it is answered as written.
    nobody_is_told_that_he_is_stale noticed by g1_what_is_acknowledged_is_stored_as_said with 1 {
        "SELECT w.id, k.conversation IS NOT NULL FROM w LEFT JOIN k ON k.conversation = w.id" =>
            "SELECT conversation, false FROM r",
    }
    a_unique_index_is_the_fence noticed by g2_logs_are_dense with 1 {
        " AND v.head = r.base" => "",
        "WHERE i.conversation IN (SELECT id FROM w)" => "ON CONFLICT DO NOTHING",
    }
    the_head_comes_from_the_rows noticed by everybody_comes_to_an_end with 1 {
        "SELECT c.head, c.count" =>
            "SELECT COALESCE((SELECT max(seq) FROM messages WHERE conversation = $1), 0), c.count",
    }
    who_was_a_member_once_is_one noticed by g9_entries_were_allowed_by_the_state_before with 1 {
        "max(m.role) FILTER (WHERE m.until_seq IS NULL)" => "max(m.role)",
    }
    offsets_are_overwritten noticed by g6_offsets_never_move_back with 1 {
        "GREATEST(offsets.seq, excluded.seq)" => "excluded.seq",
        "WHERE offsets.seq < excluded.seq" => "",
    }
    offsets_beyond_the_head_are_taken noticed by g6_offsets_are_what_was_committed with 1 { "COALESCE(r.head >= t.seq, false)" => "true" }
    offsets_of_another_epoch_are_taken noticed by g6_offsets_are_what_was_committed with 1 { "t.epoch IN (0, (SELECT epoch FROM meta))" => "true" }
    read_markers_are_overwritten noticed by g6_read_markers_never_move_back with 1 { "WHERE read_markers.seq < excluded.seq" => "" }
    whoever_sends_has_read_everything noticed by g6_read_markers_never_move_back with 1 { " AND k.count = o.before" => "" }
    what_was_not_written_was_read noticed by g6_read_markers_never_move_back with 1 { "AND o.conversation IN (SELECT id FROM w)" => "" }
    /// Everybody reads to the end of the log.
    windows_have_no_end noticed by g9_nobody_is_given_what_is_not_his with 8 { "m.seq <= w.until " => "(m.seq <= w.until OR m.seq < 99) " }
    /// What came later goes too.
    too_much_counts_as_delivered noticed by g5_inboxes_get_what_they_are_owed_once with 1 { "DELETE FROM due WHERE id IN" => "DELETE FROM due WHERE id >= ANY" }
}
