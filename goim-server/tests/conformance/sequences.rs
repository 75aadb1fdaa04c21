//! Sequences: what is taken is taken once, by whichever node; ceilings only rise.

use std::sync::Arc;

use goim_core::id::NUMBER_MAX;
use goim_proto::SequenceKind;
use goim_server::store::Store;

use crate::backend::Backend;
use crate::on_both_stores;

async fn make(store: &Arc<dyn Store>, name: &str, kind: SequenceKind, most: u64) -> Option<SequenceKind> {
    store.make_sequence(name, kind, most).await.expect("an answer")
}

async fn made_once(backend: &Backend) {
    let store = backend.open().await;
    let (dense, segmented) = (SequenceKind::Dense, SequenceKind::Segmented);
    assert_eq!(store.allocate("a", 1).await.expect("an answer"), None, "there is none yet");
    assert_eq!(make(&store, "a", dense, 2).await, Some(dense));
    assert_eq!(make(&store, "a", segmented, 2).await, Some(dense));
    assert_eq!(make(&store, "b", segmented, 2).await, Some(segmented));
    assert_eq!(make(&store, "c", dense, 2).await, None, "there is no room");
    assert_eq!(make(&store, "a", dense, 2).await, Some(dense), "what is there needs no room");
    assert_eq!(store.allocate("b", 1).await.expect("an answer"), None, "a segmented one has no last number");
    assert_eq!(make(&store, "A", dense, 3).await, Some(dense), "names differ in capitals");
    assert_eq!(store.allocate("A", 7).await.expect("an answer"), Some(7));
}

async fn ends(backend: &Backend) {
    let store = backend.open().await;
    make(&store, "a", SequenceKind::Dense, 1).await;
    backend.raw().await.execute(&format!("UPDATE sequences SET last = {}", NUMBER_MAX - 2)).await;
    assert_eq!(store.allocate("a", 3).await.expect("an answer"), None);
    assert_eq!(store.allocate("a", 2).await.expect("an answer"), Some(NUMBER_MAX));
    assert_eq!(store.allocate("a", 1).await.expect("an answer"), None);
}

/// Two nodes, several calls each at once.
async fn rivals(backend: &Backend) {
    let stores = [backend.open().await, backend.open().await];
    make(&stores[0], "a", SequenceKind::Dense, 1).await;
    let mut takers = Vec::new();
    for at in 0..8 {
        let store = Arc::clone(&stores[at % 2]);
        takers.push(tokio::spawn(async move {
            let mut taken = Vec::new();
            for n in 1..=20 {
                let last = store.allocate("a", n).await.expect("an answer").expect("numbers");
                taken.extend(last - u64::from(n) + 1..=last);
            }
            taken
        }));
    }
    let mut all = Vec::new();
    for taker in takers {
        all.extend(taker.await.expect("an end"));
    }
    all.sort_unstable();
    assert!(all.iter().copied().eq(1..=8 * 210));
}

async fn ceilings(backend: &Backend) {
    let stores = [backend.open().await, backend.open().await];
    let raise = async |at: usize, from, to| stores[at].raise_ceiling(3, from, to).await.expect("an answer");
    assert_eq!(stores[0].ceiling(3).await.expect("an answer"), 0);
    assert!(!raise(0, 5, 10).await, "no row counts as 0");
    assert!(raise(0, 0, 10).await);
    assert!(!raise(1, 0, 10).await, "another node was faster");
    assert_eq!(stores[1].ceiling(3).await.expect("an answer"), 10);
    assert!(raise(1, 10, 20).await);
    assert!(!raise(0, 10, 20).await);
    assert_eq!(stores[0].ceiling(3).await.expect("an answer"), 20);
    assert_eq!(stores[0].ceiling(4).await.expect("an answer"), 0, "each section has its own");
}

on_both_stores! {
    super::made_once as a_sequence_is_made_once_and_of_one_kind,
    super::ends as a_dense_sequence_ends_with_the_last_number,
    super::rivals as g2_two_nodes_leave_out_no_number_of_a_dense_sequence,
    super::ceilings as a_ceiling_is_raised_by_one_of_those_who_saw_it,
}
