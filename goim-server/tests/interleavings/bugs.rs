//! The test of the test: bugs in the statements, each of which the suite has to notice.
//!
//! The store says what it always says; the wire says something else.

use crate::backend::Backend;
use crate::run::play;
use crate::wire::Rewrite;

/// Where bugs are looked for, if nothing else is said.
const FIRST_SEED: u64 = 0;

/// Plays seeds until a check fails: the same ones each time, unless `GOIM_SEED` says where to begin.
/// Returns after how many, and which checks failed.
async fn noticed(rewrites: &'static [Rewrite], seeds: u64) -> Option<(u64, Vec<&'static str>)> {
    let backend = Backend::postgres().await;
    let first = std::env::var("GOIM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(FIRST_SEED);
    for n in 1..=seeds {
        let played = play(&backend, rewrites, first + n).await;
        if played.findings.is_empty() {
            continue;
        }
        let unused = played.unused_rewrites;
        assert!(unused.is_empty(), "no statement says {unused:?} any more");
        backend.finish().await;
        return Some((n, played.findings.iter().map(|finding| finding.check).collect()));
    }
    None
}

/// Each bug: what is said instead of what, and within how many seeds it has to be noticed.
macro_rules! bugs {
    ($($(#[$what:meta])* $name:ident within $seeds:literal { $($find:literal => $replace:literal),* $(,)? })*) => {
        $($(#[$what])*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            const REWRITES: &[Rewrite] = &[$(Rewrite { find: $find, replace: $replace }),*];
            let noticed = noticed(REWRITES, $seeds).await;
            let (seed, checks) = noticed.expect("nobody noticed");
            eprintln!("{}: seed {seed}, {checks:?}", stringify!($name));
        })*
    };
}

bugs! {
    /// Whoever is out of date writes all the same.
    the_head_is_not_compared within 40 { " AND v.head = r.base" => "" }
    the_revision_is_not_compared within 40 { " AND v.rev = r.rev" => "" }
    /// What is compared may change while the statement waits for the lock.
    the_revision_is_compared_before_it_is_locked within 40 {
        " AND v.rev = r.rev" => "",
        "t(conversation, base, rev, n, count, at))" =>
            "t(conversation, base, rev, n, count, at) \
             WHERE EXISTS (SELECT 1 FROM conversations c WHERE c.id = t.conversation AND c.rev = t.rev))",
    }
    /// Those of a conversation that stood elsewhere are inserted too.
    rows_do_not_depend_on_the_head within 40 { "WHERE i.conversation IN (SELECT id FROM w)" => "" }
    /// Stale or not, it is answered as written.
    nobody_is_told_that_he_is_stale within 40 {
        "(SELECT id FROM w))\nSELECT id FROM w" => "(SELECT id FROM w))\nSELECT conversation FROM r",
    }
    a_unique_index_is_the_fence within 40 {
        " AND v.head = r.base" => "",
        "WHERE i.conversation IN (SELECT id FROM w)" => "ON CONFLICT DO NOTHING",
    }
    the_head_comes_from_the_rows within 40 {
        "SELECT head, count, rev, kind, creator FROM conversations WHERE id = $1" =>
            "SELECT COALESCE((SELECT max(seq) FROM messages WHERE conversation = $1), 0), \
             count, rev, kind, creator FROM conversations WHERE id = $1",
    }
    who_was_a_member_once_is_one within 40 {
        "conversation = $1 AND until_seq IS NULL AND user_id IN" => "conversation = $1 AND user_id IN",
    }
    offsets_are_overwritten within 40 {
        "GREATEST(offsets.seq, excluded.seq)" => "excluded.seq",
        "WHERE offsets.seq < excluded.seq" => "",
    }
    offsets_beyond_the_head_are_taken within 40 { "COALESCE(c.head >= t.seq, false)" => "true" }
    offsets_of_another_epoch_are_taken within 40 { "t.epoch IN (0, (SELECT epoch FROM meta))" => "true" }
    read_markers_are_overwritten within 40 { "WHERE read_markers.seq < excluded.seq" => "" }
    /// Everybody reads to the end of the log.
    windows_have_no_end within 40 { "AND seq <= $3 ORDER BY seq LIMIT" => "AND (seq <= $3 OR seq < 99) ORDER BY seq LIMIT" }
    /// What came later goes too.
    too_much_counts_as_delivered within 40 { "DELETE FROM due WHERE id IN" => "DELETE FROM due WHERE id >= ANY" }
}
