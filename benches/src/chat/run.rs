//! One run from an empty server to its report.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use goim_client::{Client, ConversationId, Seq, UserId};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::pace::Pacer;
use super::report::CpuSeconds;
use super::talk::{Acked, Heard, Listener, Stage, Talker};
use super::{ChatError, ChatOptions, Report};
use crate::crowd::{Crowd, CrowdError, User};
use crate::host::{Host, usage};
use crate::latency::{Latencies, per_s};

/// Before the clock is started: connections find their pace, the database its plans.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long after the run its last messages may arrive.
const PATIENCE: Duration = Duration::from_secs(5);
/// The share of messages in an open loop that has to be sent in time for its figures to be true.
const IN_TIME_MIN_PERCENT: u64 = 99;

/// Runs users against a server.
pub(crate) async fn run(options: &ChatOptions) -> Result<Report, ChatError> {
    options.check()?;
    let host = Host::open(&options.host).await?;
    let measured = talk(options, &host).await;
    host.stop().await?;
    measured
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
    let mut play = Play::start(options, &stage, &places);
    let start = Instant::now() + WARM_UP;
    tokio::time::sleep_until(start.into()).await;
    stage.measured_from_us.store(stage.now_us(), Ordering::Relaxed);
    let before = Snapshot::take(host, &play);
    tokio::time::sleep_until((start + Duration::from_secs(options.seconds)).into()).await;
    stage.measured_until_us.store(stage.now_us(), Ordering::Relaxed);
    let after = Snapshot::take(host, &play);
    stage.ended.store(true, Ordering::Relaxed);
    let acks = play.finish_senders().await?;
    let undelivered = play.wait_for_listeners().await;
    if options.rate.is_some() && undelivered > 0 {
        return Err(play.unfinished());
    }
    let heard = play.finish_listeners().await?;
    let server_rss_bytes = host.rss_bytes();

    let mut delivery = Latencies::default();
    heard.iter().for_each(|heard| delivery.add(&heard.latencies));
    let seconds = (after.at - before.at).as_secs_f64();
    let acked = after.acked() - before.acked();
    let delivered = after.delivered(&play, &heard) - before.delivered(&play, &heard);
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
        ack_ms: acks.percentiles(),
        delivery_ms: (undelivered == 0).then(|| delivery.percentiles()),
        undelivered,
        cpu_s: after.cpu_since(&before),
        server_rss_bytes,
    })
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
    let conversation = crowd.owner.create_group("chat", &members).await?;
    let place = |(number, user)| Place { user, conversation, reads: number < readers };
    Ok(users.into_iter().enumerate().map(place).collect())
}

/// Everybody who is talking.
struct Play {
    senders: Vec<JoinHandle<Result<Latencies, ChatError>>>,
    listeners: Vec<JoinHandle<Result<Heard, ChatError>>>,
    pacer: Option<Pacer>,
    acked: HashMap<UserId, Arc<Acked>>,
    ears: Vec<Ear>,
    stop: watch::Sender<bool>,
}

/// How far a listener is.
struct Ear {
    me: UserId,
    client: Client,
    conversation: ConversationId,
    handled: Arc<AtomicU64>,
}

impl Play {
    fn start(options: &ChatOptions, stage: &Arc<Stage>, places: &[Place]) -> Self {
        let mut play = Self {
            senders: Vec::new(),
            listeners: Vec::new(),
            pacer: None,
            acked: HashMap::new(),
            ears: Vec::new(),
            stop: watch::Sender::new(false),
        };
        for place in places.iter().filter(|place| place.reads) {
            play.start_listener(stage, place);
        }
        let mut due = Vec::new();
        for place in places {
            let acked = Arc::new(Acked::default());
            play.acked.insert(place.user.id, Arc::clone(&acked));
            let (client, conversation) = (place.user.client.clone(), place.conversation);
            let talker = Talker { stage: Arc::clone(stage), client, conversation, acked };
            play.senders.push(if options.rate.is_some() {
                let (sender, receiver) = mpsc::unbounded_channel();
                due.push(sender);
                tokio::spawn(talker.open_loop(receiver))
            } else {
                tokio::spawn(talker.closed_loop(options.window as usize))
            });
        }
        play.pacer = options.rate.map(|rate| {
            let start = Instant::now();
            let end = start + WARM_UP + Duration::from_secs(options.seconds);
            Pacer::start(stage.epoch, (start, end), rate, due)
        });
        play
    }

    fn start_listener(&mut self, stage: &Arc<Stage>, place: &Place) {
        let (client, me, conversation) = (place.user.client.clone(), place.user.id, place.conversation);
        let handled = Arc::new(AtomicU64::new(0));
        self.ears.push(Ear { me, client: client.clone(), conversation, handled: Arc::clone(&handled) });
        let (stage, stop) = (Arc::clone(stage), self.stop.subscribe());
        let listener = Listener { stage, client, me, conversation, handled, stop };
        self.listeners.push(tokio::spawn(listener.listen()));
    }

    async fn finish_senders(&mut self) -> Result<Latencies, ChatError> {
        if let Some(pacer) = self.pacer.take() {
            let (due, sent) = pacer.finish().await;
            if sent * 100 < due * IN_TIME_MIN_PERCENT {
                return Err(ChatError::Behind { due, sent });
            }
        }
        let mut acks = Latencies::default();
        let all = async {
            for sender in self.senders.drain(..) {
                acks.add(&sender.await??);
            }
            Ok::<_, ChatError>(())
        };
        match tokio::time::timeout(PATIENCE, all).await {
            Ok(ended) => ended.map(|()| acks),
            Err(_) => Err(self.unfinished()),
        }
    }

    /// Lets the listeners read on for a while; says how many deliveries are still due then.
    async fn wait_for_listeners(&self) -> u64 {
        let deadline = Instant::now() + PATIENCE;
        while self.missing() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.missing()
    }

    async fn finish_listeners(&mut self) -> Result<Vec<Heard>, ChatError> {
        self.stop.send_replace(true);
        let mut heard = Vec::with_capacity(self.listeners.len());
        for listener in self.listeners.drain(..) {
            heard.push(listener.await??);
        }
        Ok(heard)
    }

    /// Messages that were acknowledged and have not reached all their readers.
    fn missing(&self) -> u64 {
        let sent: u64 = self.acked.values().map(|acked| acked.count.load(Ordering::Acquire)).sum();
        let own = |me: &UserId| self.acked.get(me).map_or(0, |acked| acked.count.load(Ordering::Acquire));
        let in_one_group = self.ears.windows(2).all(|pair| pair[0].conversation == pair[1].conversation);
        let due: u64 =
            if in_one_group { self.ears.iter().map(|ear| sent - own(&ear.me)).sum() } else { sent };
        let handled: u64 = self.ears.iter().map(|ear| ear.handled.load(Ordering::Acquire)).sum();
        due.saturating_sub(handled)
    }

    fn unfinished(&self) -> ChatError {
        ChatError::Unfinished { missing: self.missing(), patience_s: PATIENCE.as_secs() }
    }
}

/// Where everything stands at one moment.
struct Snapshot {
    at: Instant,
    acked: HashMap<UserId, (u64, Seq)>,
    /// How far each listener has committed.
    committed: Vec<Seq>,
    cpu: Option<CpuSeconds>,
}

impl Snapshot {
    fn take(host: &Host, play: &Play) -> Self {
        let acked = |(user, acked): (&UserId, &Arc<Acked>)| {
            let through = Seq::new(acked.through.load(Ordering::Acquire));
            (*user, (acked.count.load(Ordering::Acquire), through))
        };
        let committed = |ear: &Ear| ear.client.committed_offset(ear.conversation).unwrap_or(Seq::ZERO);
        Self {
            at: Instant::now(),
            acked: play.acked.iter().map(acked).collect(),
            committed: play.ears.iter().map(committed).collect(),
            cpu: cpu(host),
        }
    }

    fn acked(&self) -> u64 {
        self.acked.values().map(|(count, _)| count).sum()
    }

    /// Messages that had gone all the way by then.
    fn delivered(&self, play: &Play, heard: &[Heard]) -> u64 {
        let readers = play.ears.iter().zip(&self.committed).zip(heard);
        let whole = readers.map(|((_, committed), heard)| {
            let done = |(seq, sender): &&(Seq, UserId)| {
                seq <= committed && self.acked.get(sender).is_some_and(|(_, through)| seq <= through)
            };
            heard.messages.iter().filter(done).count() as u64
        });
        whole.sum()
    }

    fn cpu_since(&self, before: &Self) -> Option<CpuSeconds> {
        let (now, then) = (self.cpu?, before.cpu?);
        let (server, clients) = (now.server - then.server, now.clients - then.clients);
        // Below zero only by the kernel's rounding.
        Some(CpuSeconds { server, clients, rest: (now.rest - then.rest).max(0.0) })
    }
}

fn cpu(host: &Host) -> Option<CpuSeconds> {
    let (server, clients) = (usage::cpu_s(host.pid()?)?, usage::cpu_s(std::process::id())?);
    Some(CpuSeconds { server, clients, rest: usage::machine_cpu_s()? - server - clients })
}
