//! What every suite that runs on both stores needs.

use std::time::{SystemTime, UNIX_EPOCH};

use rand::SeedableRng as _;
use rand::rngs::StdRng;

/// Randomness that can be had again.
pub(crate) fn seeded(test: &str) -> StdRng {
    StdRng::seed_from_u64(seed(test))
}

/// A test's seed: printed, and taken from `GOIM_SEED`.
pub(crate) fn seed(test: &str) -> u64 {
    let seed = std::env::var("GOIM_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(rand::random::<u64>);
    eprintln!("{test}: GOIM_SEED={seed}");
    seed
}

/// Whether random tests do much, which is what `GOIM_LONG=1` says.
pub(crate) fn is_long() -> bool {
    std::env::var("GOIM_LONG").is_ok_and(|long| long == "1")
}

/// How much a random test does: `short`, or twenty times that in the long form.
pub(crate) fn scaled(short: usize) -> usize {
    if is_long() { 20 * short } else { short }
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(since.as_millis()).expect("a year before 500,000,000")
}

/// Runs each test on both engines.
macro_rules! on_both_stores {
    ($($test:path as $name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let backend = $crate::backend::Backend::sqlite();
                $test(&backend).await;
                backend.finish().await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let backend = $crate::backend::Backend::postgres().await;
                $test(&backend).await;
                backend.finish().await;
            })*
        }
    };
}
pub(crate) use on_both_stores;
