//! Numbers for other services: from several nodes, across their ends, for whom the operator has named.

use std::ops::RangeInclusive;

use goim_proto::{Allocate, Allocated, Call, CreateBot, Error, ErrorCode, Reply, SequenceKind};
use rand::RngExt as _;

use crate::backend::Backend;
use crate::common::{scaled, seeded};
use crate::on_both_stores;
use crate::support::{RawClient, TestServer};
use crate::world::{device, ended, instance, server};

/// The account of a service.
const MINT: &str = "mint";
const PASSWORD: &str = "correct horse";

async fn node(backend: &Backend) -> TestServer {
    server(backend, |config| {
        config.sequence_users = vec![MINT.into(), "counter".into()];
        config.limits.sequences_max = 4;
        config.catch_up_interval_ms = Some(20);
    })
    .await
}

fn call(sequence: &str, kind: SequenceKind, count: u32) -> Call {
    Call::Allocate(Allocate { sequence: sequence.into(), kind, count })
}

async fn take(
    client: &mut RawClient,
    sequence: &str,
    kind: SequenceKind,
    count: u32,
) -> Result<RangeInclusive<u64>, Error> {
    match client.call(call(sequence, kind, count)).await? {
        Reply::Allocated(Allocated { first, last }) => {
            assert_eq!(last - first + 1, u64::from(count));
            Ok(first..=last)
        }
        other => panic!("{other:?}"),
    }
}

/// Several callers at once take numbers of one sequence from two nodes; what each was given, in order.
async fn rush(
    nodes: &[TestServer; 2],
    kind: SequenceKind,
    counts: &[Vec<u32>],
) -> Vec<Vec<RangeInclusive<u64>>> {
    let mut callers = Vec::new();
    for (at, counts) in counts.iter().cloned().enumerate() {
        let (mut client, _) = device(&nodes[at % 2], MINT, PASSWORD).await;
        callers.push(tokio::spawn(async move {
            let mut given = Vec::new();
            for count in counts {
                given.push(take(&mut client, "orders", kind, count).await.unwrap());
            }
            given
        }));
    }
    let mut all = Vec::new();
    for caller in callers {
        all.push(caller.await.unwrap());
    }
    for given in &all {
        assert!(given.windows(2).all(|pair| pair[0].end() < pair[1].start()), "what one is given grows");
    }
    all
}

/// Numbers that rushes gave, with nodes that are stopped and that die in between.
async fn rushes(backend: &Backend, kind: SequenceKind, name: &str) -> Vec<Vec<RangeInclusive<u64>>> {
    let mut rng = seeded(name);
    let rounds = 3;
    let first = node(backend).await;
    RawClient::user(first.addr(), MINT).await;
    let mut nodes = [first, node(backend).await];
    let mut all = Vec::new();
    for round in 0..rounds {
        let mut counts = || (0..scaled(20)).map(|_| rng.random_range(1..=1_000)).collect::<Vec<u32>>();
        let counts: Vec<_> = (0..6).map(|_| counts()).collect();
        all.push(rush(&nodes, kind, &counts).await.concat());
        let [one, other] = nodes;
        if round % 2 == 0 {
            drop(one.server);
        } else {
            one.server.shutdown().await;
        }
        // One after the other, and both at once.
        let other = if round == 0 { other } else { node(backend).await };
        nodes = [node(backend).await, other];
    }
    all
}

fn sorted(given: &[Vec<RangeInclusive<u64>>]) -> Vec<u64> {
    let mut numbers: Vec<_> = given.iter().flatten().cloned().flatten().collect();
    numbers.sort_unstable();
    numbers
}

async fn dense(backend: &Backend) {
    let numbers = sorted(&rushes(backend, SequenceKind::Dense, "dense").await);
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "each number once, and none left out");
}

async fn segmented(backend: &Backend) {
    let given = rushes(backend, SequenceKind::Segmented, "segmented").await;
    let numbers = sorted(&given);
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "a number was given twice");
    assert!(numbers[0] >= 1);
    // Behind the second round both nodes were new.
    let highest = given[1].iter().map(RangeInclusive::end).max().unwrap();
    assert!(
        given[2].iter().all(|later| later.start() > highest),
        "a new node begins above all that was given"
    );
}

/// What a node raised before the store went back is another's by now.
async fn went_back(backend: &Backend) {
    let segmented = SequenceKind::Segmented;
    let old = node(backend).await;
    let mut mint = RawClient::user(old.addr(), MINT).await;
    take(&mut mint, "orders", segmented, 5).await.unwrap();
    let raw = backend.raw().await;
    raw.execute("DELETE FROM sequences; DELETE FROM sequence_ceilings; UPDATE meta SET epoch = epoch + 1")
        .await;
    ended(&mut mint).await;
    let new = node(backend).await;
    let (mut one, _) = device(&old, MINT, PASSWORD).await;
    let (mut other, _) = device(&new, MINT, PASSWORD).await;
    let one = take(&mut one, "orders", segmented, 10).await.unwrap();
    let other = take(&mut other, "orders", segmented, 20).await.unwrap();
    assert!(one.end() < other.start() || other.end() < one.start(), "{one:?} and {other:?}");
}

async fn refusals(backend: &Backend) {
    let server = node(backend).await;
    let (mut mint, mut eve) =
        (RawClient::user(server.addr(), MINT).await, RawClient::user(server.addr(), "eve").await);
    let dense = SequenceKind::Dense;
    assert_eq!(take(&mut eve, "a", dense, 1).await.unwrap_err().code, ErrorCode::Forbidden);
    let Reply::BotToken(bot) =
        mint.call(Call::CreateBot(CreateBot { name: "counter".into() })).await.unwrap()
    else {
        panic!("no bot")
    };
    let mut counter = instance(&server, &bot.token, "").await;
    assert_eq!(take(&mut counter, "a", dense, 3).await, Ok(1..=3));
    assert_eq!(take(&mut mint, "a", dense, 2).await, Ok(4..=5), "they share it");
    for (sequence, kind, count, code) in [
        ("", dense, 1, ErrorCode::BadName),
        ("a b", dense, 1, ErrorCode::BadName),
        ("a", dense, 0, ErrorCode::BadArgument),
        ("a", dense, 1_001, ErrorCode::TooLarge),
        ("a", SequenceKind::Unknown(0), 1, ErrorCode::BadArgument),
        ("a", SequenceKind::Segmented, 1, ErrorCode::BadArgument),
    ] {
        let refused = take(&mut mint, sequence, kind, count).await.unwrap_err();
        assert_eq!(refused.code, code, "{sequence:?} {kind:?} {count}");
    }
    for (name, kind) in [("b", dense), ("c", SequenceKind::Segmented), ("d", dense)] {
        take(&mut mint, name, kind, 1).await.unwrap();
    }
    for kind in [dense, SequenceKind::Segmented] {
        assert_eq!(take(&mut mint, "e", kind, 1).await.unwrap_err().code, ErrorCode::TooLarge);
    }
    assert_eq!(take(&mut mint, "c", dense, 1).await.unwrap_err().code, ErrorCode::BadArgument);
    assert_eq!(take(&mut mint, "a", dense, 1).await, Ok(6..=6), "what was refused took nothing");
}

async fn paced(backend: &Backend) {
    let server = server(backend, |config| {
        config.sequence_users = vec![MINT.into()];
        config.limits.allocations_per_s = 1;
    });
    let server = server.await;
    let mut mint = RawClient::user(server.addr(), MINT).await;
    // More than the burst and what may come meanwhile.
    for _ in 0..1_000 {
        if let Err(error) = take(&mut mint, "a", SequenceKind::Segmented, 1).await {
            assert_eq!(error.code, ErrorCode::RateLimited);
            assert!(error.retry_after_ms.is_some());
            return;
        }
    }
    panic!("as often as one likes");
}

on_both_stores! {
    super::dense as a_dense_sequence_gives_each_number_once_and_leaves_none_out,
    super::segmented as a_segmented_sequence_gives_no_number_twice,
    super::went_back as g6_a_node_gives_nothing_that_it_raised_before_the_store_went_back,
    super::refusals as numbers_are_for_whom_the_operator_named_and_within_bounds,
    super::paced as whoever_takes_numbers_too_often_waits,
}
