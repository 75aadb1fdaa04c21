//! G7: what somebody slow costs is counted in bytes and has a cap, and nobody else pays for it.

use std::net::SocketAddr;

use crate::backend::Backend;
use crate::fixtures::{answered, in_time, say, seeded, send};
use crate::http::gauge;
use crate::log::{is_log, read, whole_log};
use crate::on_both_stores;
use crate::proxy::{Faults, Proxy};
use crate::world::{ANY, World, bots, connected};

const KIB: u64 = 1_024;
/// What a node here keeps of entries for its readers.
const KEPT_BYTES_MAX: u64 = 1_024 * KIB;
/// What may wait to be committed of one client, and the message that went beyond it.
const SENDS_BYTES_MAX: u64 = (256 + 5) * KIB;
/// What may wait to be written to one client, and the answer that went beyond it.
const ANSWERS_BYTES_MAX: u64 = (256 + 5) * KIB;
/// What a reader takes of one conversation that nobody reads, and one page that went beyond it.
const UNREAD_BYTES_MAX: u64 = (1_024 + 256) * KIB;

const TEXTS: usize = 1_500;
const TEXT_BYTES: usize = 4_000;

#[derive(Debug, Default)]
struct Highest {
    sends: u64,
    answers: u64,
    kept: u64,
}

impl Highest {
    async fn look(&mut self, http: SocketAddr) {
        self.sends = self.sends.max(gauge(http, "send_bytes_held").await);
        self.answers = self.answers.max(gauge(http, "answer_bytes_held").await);
        self.kept = self.kept.max(gauge(http, "entry_bytes_held").await);
    }
}

/// One reader takes nothing out of his subscription, another one's network is dead, a third reads
/// along, while far more is said than any of the bounds.
async fn slow_readers(backend: &Backend) {
    let mut rng = seeded("readers that do not read");
    let world = World::new(backend);
    let node = world
        .node_with(|config| {
            config.http_listen = Some(ANY);
            config.limits.msg_box_bytes_max = usize::try_from(KEPT_BYTES_MAX).expect("it fits");
        })
        .await;
    let http = node.server.http_addr().expect("metrics");
    let owner = node.place().person("owner").await;
    let tokens = bots(&owner, 3).await;
    let members: Vec<_> = tokens.iter().map(|bot| bot.user).collect();
    let group = owner.create_group("group", &members).await.expect("a group");
    let beside = owner.create_group("beside", &members).await.expect("a group");
    let ways = [
        Proxy::start(&mut rng, node.place().address, Faults::NONE).await,
        Proxy::start(&mut rng, node.place().address, Faults::NONE).await,
    ];
    let idle = connected(node.place().by(ways[0].address).bot(&tokens[0], "")).await;
    let gone = connected(node.place().by(ways[1].address).bot(&tokens[1], "")).await;
    let quick = connected(node.place().bot(&tokens[2], "")).await;
    let mut unread = [idle.subscribe(group), gone.subscribe(group)];
    let (mut along, mut elsewhere) = (quick.subscribe(group), quick.subscribe(beside));
    read(&mut along, 0, 1).await;
    read(&mut elsewhere, 0, 1).await;
    ways[1].set(Faults::DARK);

    let before = ways[0].to_client_bytes();
    let mut highest = Highest::default();
    let mut unanswered = std::collections::VecDeque::new();
    for n in 0..TEXTS {
        unanswered.push_back(send(&owner, group, format!("{n} {}", "x".repeat(TEXT_BYTES))).await);
        if n % 100 == 99 {
            highest.look(http).await;
            for sending in unanswered.drain(..) {
                answered(sending).await.expect("stored");
            }
            // Who reads hears of it, there and elsewhere, while the others hold on to nothing.
            let last = n as u64 + 2;
            read(&mut along, last - 100, last).await;
            let sent = say(&owner, beside, "still quick").await;
            read(&mut elsewhere, sent.seq.as_u64() - 1, sent.seq.as_u64()).await;
        }
    }
    assert!(highest.sends <= SENDS_BYTES_MAX, "{highest:?}");
    assert!(highest.answers <= ANSWERS_BYTES_MAX, "{highest:?}");
    assert!(highest.kept > KEPT_BYTES_MAX / 2 && highest.kept <= KEPT_BYTES_MAX, "{highest:?}");
    // He has had as much as he may hold, and a notification for each of the others at the most.
    let said = (TEXTS * TEXT_BYTES) as u64;
    let reached = ways[0].to_client_bytes() - before;
    assert!(reached < UNREAD_BYTES_MAX * 5 / 4 + 200 * TEXTS as u64, "{reached} of {said} bytes reached him");

    // Nothing was lost by it: they read on, and get everything.
    ways[1].set(Faults::NONE);
    let log = whole_log(backend, group).await;
    for messages in &mut unread {
        let all = in_time("the whole log", read(messages, 0, log.len() as u64)).await;
        is_log(&all, &log);
    }
}

on_both_stores! {
    super::slow_readers as g7_who_does_not_read_costs_no_more_than_the_bounds_and_loses_nothing,
}
