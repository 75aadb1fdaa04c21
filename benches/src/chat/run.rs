//! One run from an empty server to its report.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use goim_client::{Client, ConversationId, Seq, UserId};
use goim_proto::limits::USERS_MAX;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use super::ledger::{Ledger, Progress, Senders};
use super::pace::Pacer;
use super::report::CpuSeconds;
use super::talk::{Listener, Stage, Talker, lock};
use super::{ChatError, ChatOptions, Report};
use crate::crowd::{Crowd, CrowdError, User};
use crate::host::{Host, usage};
use crate::latency::{Latencies, per_s};

/// Before the clock is started: connections find their pace, the database its plans.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long after the run nothing may be acknowledged, and how long after all was the last may arrive.
const PATIENCE: Duration = Duration::from_secs(5);
/// The share of messages in an open loop that may be sent too late, and its figures be true.
const LATE_MAX_PERCENT: u64 = 1;
/// What may be on its way at the end of an open loop, however long it was: what is due in this part of a
/// second.
const BACKLOG_SHARE_OF_S: u64 = 4;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Runs users against a server.
pub(crate) async fn run(options: &ChatOptions) -> Result<Report, ChatError> {
    options.check()?;
    Host::with(&options.host, async |host| talk(options, host).await).await
}

async fn talk(options: &ChatOptions, host: &Host) -> Result<Report, ChatError> {
    let crowd = Crowd::gather(host).await?;
    let places = seat(options, &crowd).await?;
    let conversations =
        places.iter().map(|place| place.conversation).collect::<std::collections::HashSet<_>>();
    let stage = Arc::new(Stage {
        epoch: Instant::now(),
        measured_from_us: AtomicU64::new(u64::MAX),
        measured_until_us: AtomicU64::new(u64::MAX),
        ended: AtomicBool::new(false),
    });
    let start = Instant::now() + WARM_UP;
    let end = start + Duration::from_secs(options.seconds);
    let mut play = Play::start(options, &stage, &places, end);
    play.until(start).await?;
    stage.measured_from_us.store(stage.now_us(), Ordering::Relaxed);
    let before = Snapshot::take(host, &play);
    play.until(end).await?;
    stage.measured_until_us.store(stage.now_us(), Ordering::Relaxed);
    let after = Snapshot::take(host, &play);
    let at_end = play.missing();
    stage.ended.store(true, Ordering::Relaxed);
    let server_rss_bytes = host.rss_bytes();
    let (due, at_last) = play.finish().await?;
    options.judge(at_end, due, at_last)?;

    let seconds = (after.at - before.at).as_secs_f64();
    let (acked, delivered) = (after.acked - before.acked, after.delivered - before.delivered);
    let ack_ms = play.acks.percentiles().ok_or(ChatError::Nothing)?;
    let delivery_ms = match at_last.undelivered {
        0 => Some(play.deliveries.percentiles().ok_or(ChatError::Nothing)?),
        _ => None,
    };
    for place in places {
        place.user.client.close().await;
    }
    Ok(Report {
        users: options.users,
        conversations: conversations.len() as u64,
        window: options.rate.is_none().then_some(options.window),
        rate: options.rate,
        seconds,
        acked,
        acked_per_s: per_s(acked, seconds),
        delivered,
        delivered_per_s: per_s(delivered, seconds),
        ack_ms,
        delivery_ms,
        undelivered: at_last.undelivered,
        cpu_s: after.cpu_since(&before),
        server_rss_bytes,
    })
}

impl ChatOptions {
    /// Refuses figures of a server that did not keep up: they would say how long it was measured, or of which
    /// messages nobody knows. And those of a generator that did not. The server's backlog comes first, because
    /// who waits for it sends late, too; which of the two was in whose way nobody can tell on one machine.
    fn judge(&self, at_end: Missing, due: Due, at_last: Missing) -> Result<(), ChatError> {
        let Due { due, late } = due;
        if let Some(rate) = self.rate.map(u64::from) {
            let backlog_max = rate.div_ceil(BACKLOG_SHARE_OF_S);
            let readers = if self.group { self.readers.unwrap_or(self.users) } else { 1 };
            let Missing { unacked, undelivered } = at_end;
            if unacked > backlog_max || undelivered > backlog_max * u64::from(readers) {
                return Err(ChatError::Backlog { unacked, undelivered, due, late });
            }
        }
        if late * 100 > due * LATE_MAX_PERCENT {
            return Err(ChatError::Behind { due, late });
        }
        let Missing { unacked, undelivered } = at_last;
        if unacked > 0 || self.rate.is_some() && undelivered > 0 {
            return Err(ChatError::Unfinished { unacked, undelivered, patience_s: PATIENCE.as_secs() });
        }
        Ok(())
    }
}

/// A user, where he talks, and whether he reads.
struct Place {
    user: User,
    conversation: ConversationId,
    reads: bool,
}

async fn seat(options: &ChatOptions, crowd: &Crowd<'_>) -> Result<Vec<Place>, CrowdError> {
    let count = options.users as usize;
    if !options.group {
        let users = crowd.users(count, |builder| builder).await?;
        let mut places: Vec<Place> = Vec::with_capacity(count);
        let mut users = users.into_iter();
        while let (Some(one), Some(other)) = (users.next(), users.next()) {
            let conversation = one.client.open_direct(other.id).await?;
            places.extend([one, other].map(|user| Place { user, conversation, reads: true }));
        }
        return Ok(places);
    }
    let readers = options.readers.unwrap_or(options.users) as usize;
    let mut users = crowd.users(readers, |builder| builder).await?;
    users.extend(crowd.users(count - readers, goim_client::ClientBuilder::send_only).await?);
    let members: Vec<UserId> = users.iter().map(|user| user.id).collect();
    let (first, rest) = members.split_at(members.len().min(USERS_MAX));
    let conversation = crowd.owner.create_group("chat", first).await?;
    for more in rest.chunks(USERS_MAX) {
        crowd.owner.add_members(conversation, more).await?;
    }
    let place = |(number, user)| Place { user, conversation, reads: number < readers };
    Ok(users.into_iter().enumerate().map(place).collect())
}

/// Everybody who is talking.
struct Play {
    talkers: JoinSet<Result<Latencies, ChatError>>,
    listeners: JoinSet<Result<Latencies, ChatError>>,
    /// Of those who have ended.
    acks: Latencies,
    deliveries: Latencies,
    pacer: Option<Pacer>,
    senders: Arc<Senders>,
    ears: Vec<Ear>,
    stop: watch::Sender<bool>,
}

/// How far a listener is.
struct Ear {
    me: UserId,
    client: Client,
    conversation: ConversationId,
    ledger: Arc<Mutex<Ledger>>,
}

impl Play {
    /// Begins to talk, until `end` if it is an open loop.
    fn start(options: &ChatOptions, stage: &Arc<Stage>, places: &[Place], end: Instant) -> Self {
        let senders = places.iter().map(|place| (place.user.id, Progress::default()));
        let mut play = Self {
            talkers: JoinSet::new(),
            listeners: JoinSet::new(),
            acks: Latencies::default(),
            deliveries: Latencies::default(),
            pacer: None,
            senders: Arc::new(senders.collect()),
            ears: Vec::new(),
            stop: watch::Sender::new(false),
        };
        for place in places.iter().filter(|place| place.reads) {
            play.start_listener(stage, place);
        }
        let mut due = Vec::new();
        for Place { user, conversation, .. } in places {
            let (me, client, conversation) = (user.id, user.client.clone(), *conversation);
            let (stage, senders) = (Arc::clone(stage), Arc::clone(&play.senders));
            let talker = Talker { stage, client, me, conversation, senders };
            if options.rate.is_some() {
                let (sender, receiver) = mpsc::unbounded_channel();
                due.push(sender);
                play.talkers.spawn(talker.open_loop(receiver));
            } else {
                play.talkers.spawn(talker.closed_loop(options.window as usize));
            }
        }
        let start = Instant::now();
        play.pacer = options.rate.map(|rate| Pacer::start(stage.epoch, (start, end), rate, due));
        play
    }

    fn start_listener(&mut self, stage: &Arc<Stage>, place: &Place) {
        let (client, me, conversation) = (place.user.client.clone(), place.user.id, place.conversation);
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        self.ears.push(Ear { me, client: client.clone(), conversation, ledger: Arc::clone(&ledger) });
        let (stage, senders, stop) = (Arc::clone(stage), Arc::clone(&self.senders), self.stop.subscribe());
        self.listeners.spawn(Listener { stage, client, me, conversation, senders, ledger, stop }.listen());
    }

    /// Lets them talk until then; whoever fails ends the run.
    async fn until(&mut self, end: Instant) -> Result<(), ChatError> {
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(end.into()) => return Ok(()),
                Some(ended) = self.talkers.join_next() => self.acks.add(&ended??),
                Some(ended) = self.listeners.join_next() => self.deliveries.add(&ended??),
            }
        }
    }

    /// Waits for a while until all is acknowledged and handed over; says what was due, and what is missing.
    async fn finish(&mut self) -> Result<(Due, Missing), ChatError> {
        let due = match self.pacer.take() {
            Some(pacer) => pacer.finish().await?,
            None => 0,
        };
        let mut acked = None;
        while !self.talkers.is_empty() && acked != Some(self.acked()) {
            acked = Some(self.acked());
            let end = Instant::now() + PATIENCE;
            while let Ok(Some(ended)) = timeout_at(end.into(), self.talkers.join_next()).await {
                self.acks.add(&ended??);
            }
        }
        let end = Instant::now() + PATIENCE;
        while self.missing().undelivered > 0 && Instant::now() < end {
            self.until(Instant::now() + BETWEEN_LOOKS).await?;
        }
        let missing = self.missing();
        self.stop.send_replace(true);
        while let Some(ended) = self.listeners.join_next().await {
            self.deliveries.add(&ended??);
        }
        Ok((Due { due, late: self.sum(|sender| &sender.late) }, missing))
    }

    /// Messages that were sent and are not acknowledged, and deliveries of those that are.
    fn missing(&self) -> Missing {
        let acked = self.acked();
        let own = |me: &UserId| self.senders.get(me).map_or(0, |own| own.acked.load(Ordering::Acquire));
        let in_one_group = self.ears.windows(2).all(|pair| pair[0].conversation == pair[1].conversation);
        let due: u64 =
            if in_one_group { self.ears.iter().map(|ear| acked - own(&ear.me)).sum() } else { acked };
        let handled: u64 = self.ears.iter().map(|ear| lock(&ear.ledger).handled).sum();
        let unacked = self.sum(|sender| &sender.sent).saturating_sub(acked);
        Missing { unacked, undelivered: due.saturating_sub(handled) }
    }

    fn acked(&self) -> u64 {
        self.sum(|sender| &sender.acked)
    }

    fn sum(&self, what: impl Fn(&Progress) -> &AtomicU64) -> u64 {
        self.senders.values().map(|sender| what(sender).load(Ordering::Acquire)).sum()
    }
}

/// Messages of an open loop that were due, and those of them that were sent too late.
#[derive(Debug, Clone, Copy)]
struct Due {
    due: u64,
    late: u64,
}

/// What has not gone all the way.
#[derive(Debug, Clone, Copy)]
struct Missing {
    unacked: u64,
    undelivered: u64,
}

/// Where everything stands at one moment.
struct Snapshot {
    at: Instant,
    acked: u64,
    /// Messages that had gone all the way by then.
    delivered: u64,
    cpu: CpuSeconds,
}

impl Snapshot {
    fn take(host: &Host, play: &Play) -> Self {
        let delivered = |ear: &Ear| {
            let committed = ear.client.committed_offset(ear.conversation).unwrap_or(Seq::ZERO);
            lock(&ear.ledger).delivered(committed, &play.senders)
        };
        Self {
            at: Instant::now(),
            acked: play.acked(),
            delivered: play.ears.iter().map(delivered).sum(),
            cpu: cpu(host),
        }
    }

    fn cpu_since(&self, before: &Self) -> CpuSeconds {
        // Below zero only by the kernel's rounding.
        let since = |now: Option<f64>, then: Option<f64>| Some((now? - then?).max(0.0));
        CpuSeconds {
            server: since(self.cpu.server, before.cpu.server),
            clients: since(self.cpu.clients, before.cpu.clients),
            rest: since(self.cpu.rest, before.cpu.rest),
        }
    }
}

fn cpu(host: &Host) -> CpuSeconds {
    let (server, clients) = (host.pid().and_then(usage::cpu_s), usage::cpu_s(std::process::id()));
    let rest = || Some(usage::machine_cpu_s()? - server? - clients?);
    CpuSeconds { server, clients, rest: rest() }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        options: ChatOptions,
    }

    /// What is said of a run of an hour, after which so much was missing, late of 1,000, and missing still.
    fn judge(arguments: &[&str], at_end: (u64, u64), late: u64, at_last: (u64, u64)) -> &'static str {
        let arguments = [&["chat", "--seconds", "3600"], arguments].concat();
        let missing = |(unacked, undelivered)| Missing { unacked, undelivered };
        let due = Due { due: 1_000, late };
        let options = Arguments::parse_from(arguments).options;
        match options.judge(missing(at_end), due, missing(at_last)) {
            Ok(()) => "figures",
            Err(ChatError::Backlog { .. }) => "server",
            Err(ChatError::Behind { .. }) => "generator",
            Err(ChatError::Unfinished { .. }) => "unfinished",
            Err(_) => "another",
        }
    }

    #[test]
    fn a_server_that_is_a_quarter_of_a_second_behind_has_no_figures_however_long_it_took() {
        let rate = &["--rate", "1000"][..];
        assert_eq!(judge(rate, (250, 250), 0, (0, 0)), "figures");
        assert_eq!(judge(rate, (251, 0), 0, (0, 0)), "server");
        assert_eq!(judge(rate, (0, 251), 0, (0, 0)), "server");
        let group = &["--rate", "1000", "--group", "--users", "10", "--readers", "4"];
        assert_eq!(judge(group, (0, 1_000), 0, (0, 0)), "figures");
        assert_eq!(judge(group, (0, 1_001), 0, (0, 0)), "server");
    }

    #[test]
    fn a_generator_that_sends_too_late_has_no_figures_and_is_not_blamed_for_the_server() {
        let rate = &["--rate", "1000"][..];
        assert_eq!(judge(rate, (0, 0), 10, (0, 0)), "figures");
        assert_eq!(judge(rate, (0, 0), 11, (0, 0)), "generator");
        assert_eq!(judge(rate, (251, 0), 1_000, (9, 9)), "server");
    }

    #[test]
    fn only_readers_of_a_closed_loop_may_lag_for_long() {
        assert_eq!(judge(&[], (6_400, 10_000), 0, (0, 9)), "figures");
        assert_eq!(judge(&[], (6_400, 0), 0, (1, 0)), "unfinished");
        assert_eq!(judge(&["--rate", "1000"], (0, 0), 0, (0, 1)), "unfinished");
    }
}
