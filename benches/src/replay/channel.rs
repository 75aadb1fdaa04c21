//! One log through one group.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use goim_client::{CallError, Client, ClientMsgId, Content, ConversationId, ErrorCode, Sending, Seq, Start};
use rand::RngExt;
use tokio::sync::{Notify, mpsc};

use super::check::{self, Acked, Stored};
use super::person::{Got, Person, Reader};
use crate::crowd::{Crowd, CrowdError, User};
use crate::host::Host;
use crate::irc::{Script, Step};
use crate::latency::Latencies;

/// Messages that may wait for their acknowledgement.
const UNANSWERED_MAX: usize = 8_192;
/// Nothing happened for so long: whoever is not complete now never will be.
const PATIENCE: Duration = Duration::from_secs(30);
const PULL_LIMIT: u32 = 1_000;

/// What a channel's replay came to.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) persons: usize,
    pub(crate) messages: u64,
    pub(crate) deliveries: u64,
    pub(crate) took: Duration,
    pub(crate) acks: Latencies,
    pub(crate) delivered: Latencies,
    pub(crate) findings: Vec<String>,
}

/// When each message was sent, by the number inside its id.
pub(super) struct Clock {
    start: Instant,
    run: [u8; 6],
    sent_us: Vec<AtomicU64>,
}

impl Clock {
    fn new(messages: usize) -> Self {
        let sent_us = std::iter::repeat_with(AtomicU64::default).take(messages).collect();
        Self { start: Instant::now(), run: rand::rng().random(), sent_us }
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The id of message `number`, on the server's time.
    fn id(&self, client: &Client, number: u32) -> ClientMsgId {
        let mut random = [0; 10];
        random[..4].copy_from_slice(&number.to_be_bytes());
        // The variant bits of a UUID take the upper two of the ninth byte; the number is clear of
        // them, because minting writes the random bytes from the seventh byte on.
        random[4..].copy_from_slice(&self.run);
        let time = client.mint().unix_ms().unwrap_or_default();
        ClientMsgId::mint(time, &random)
    }

    fn number(&self, id: &ClientMsgId) -> Option<usize> {
        // Of the ten bytes a UUIDv7 keeps the lower 12 bits of the first two and the lower 62 of
        // the others; numbers are small enough to be found in bytes 7 and 8 to 10.
        let bytes = id.as_uuid().as_bytes();
        (bytes[11..] == self.run[1..])
            .then(|| usize::from(bytes[7]) << 16 | usize::from(bytes[8] & 0x3f) << 8 | usize::from(bytes[9]))
    }

    pub(super) fn since_sent_us(&self, id: &ClientMsgId) -> Option<u64> {
        let sent = self.sent_us.get(self.number(id)?)?.load(Ordering::Acquire);
        Some(self.now_us().saturating_sub(sent))
    }
}

/// Replays a script and checks what came of it.
pub(super) async fn replay(
    host: &Host,
    place: usize,
    script: &Script,
    rate: Option<u32>,
    bar: &indicatif::ProgressBar,
) -> Result<Done, CrowdError> {
    let says = script.steps.iter().filter(|step| matches!(step, Step::Say(..))).count();
    let clock = Arc::new(Clock::new(says));
    let progress = Arc::new(Notify::new());
    let (owner, group, persons) = gather(host, place, script.persons, &clock, &progress).await?;

    let began = Instant::now();
    let (acks, collected) = Acks::start(Arc::clone(&clock), script.persons);
    play(script, &owner, group, &persons, &acks, &clock, rate, bar).await?;
    drop(acks);
    let acked = collected.await.unwrap_or_default();

    let log = pull_log(&owner, group).await?;
    let ranges = check::memberships(&log);
    let ranges_of = |person: &Person| ranges.get(&person.user.id).cloned().unwrap_or_default();
    let last_of = |person: &Person| {
        check::expected(&log, &ranges_of(person)).last().map_or(0, |entry| entry.seq.as_u64())
    };
    let goals: Vec<_> =
        persons.iter().map(|person| (Arc::clone(&person.reader.seen), last_of(person))).collect();
    wait_for(&goals, &progress).await;
    let took = began.elapsed();

    let mut done =
        Done { persons: script.persons, messages: acked.messages.len() as u64, took, ..Done::default() };
    done.findings.extend(acked.failures.iter().cloned());
    if says != acked.messages.len() {
        done.findings.push(format!("{} of {says} messages were acknowledged", acked.messages.len()));
    }
    done.findings.extend(check::check_log(&log, &acked.messages));
    done.acks = acked.latencies;
    for (number, person) in persons.into_iter().enumerate() {
        let his = ranges_of(&person);
        let Got { entries, latencies } = person.reader.finish().await;
        done.deliveries += entries.len() as u64;
        done.delivered.add(&latencies);
        done.findings.extend(check::check_reader(&format!("person {number}"), &log, &his, &entries));
        person.user.client.close().await;
    }
    owner.close().await;
    Ok(done)
}

/// Makes the owner, the group and everybody in the log.
async fn gather(
    host: &Host,
    place: usize,
    persons: usize,
    clock: &Arc<Clock>,
    progress: &Arc<Notify>,
) -> Result<(Client, ConversationId, Vec<Person>), CrowdError> {
    let crowd = Crowd::gather(host).await?;
    let group = crowd.owner.create_group(&format!("channel {place}"), &[]).await?;
    let users = crowd.users(persons, |builder| builder.start(Start::Beginning)).await?;
    let person = |user: User| {
        let reader = Reader::start(&user.client, group, clock, progress);
        Person { user, reader }
    };
    Ok((crowd.owner.clone(), group, users.into_iter().map(person).collect()))
}

#[allow(clippy::too_many_arguments, reason = "all of them make up the stage")]
async fn play(
    script: &Script,
    owner: &Client,
    group: ConversationId,
    persons: &[Person],
    acks: &Acks,
    clock: &Arc<Clock>,
    rate: Option<u32>,
    bar: &indicatif::ProgressBar,
) -> Result<(), CrowdError> {
    let began = clock.now_us();
    let mut number = 0;
    for (step_number, step) in (0..).zip(&script.steps) {
        if let Some(rate) = rate {
            // From when the line was due, so that a server that stalls does not hide its queue.
            let due_us = began + step_number * 1_000_000 / u64::from(rate);
            let wait = Duration::from_micros(due_us.saturating_sub(clock.now_us()));
            tokio::time::sleep(wait).await;
            mark_sent(clock, number, due_us);
        } else {
            mark_sent(clock, number, clock.now_us());
        }
        match step {
            Step::Join(person) => join(owner, group, &persons[*person]).await?,
            Step::Leave(person) => {
                acks.settled(*person).await;
                leave(&persons[*person].user.client, group).await?;
            }
            Step::Say(person, text) => {
                acks.room().await;
                let client = &persons[*person].user.client;
                let id = clock.id(client, number);
                let sending = client.send_as(group, id, Content::text(text.as_str())).await?;
                acks.add(*person, number, text, sending);
                number += 1;
            }
        }
        bar.inc(1);
    }
    Ok(())
}

fn mark_sent(clock: &Clock, number: u32, at_us: u64) {
    let sent = usize::try_from(number).ok().and_then(|number| clock.sent_us.get(number));
    if let Some(sent) = sent {
        sent.store(at_us, Ordering::Release);
    }
}

/// Adds a person, however often the connection is lost meanwhile.
async fn join(owner: &Client, group: ConversationId, person: &Person) -> Result<(), CrowdError> {
    let mut again = false;
    loop {
        match owner.add_members(group, &[person.user.id]).await {
            Ok(_) => return Ok(()),
            // The first try had gone through after all.
            Err(error) if again && error.code() == Some(ErrorCode::BadArgument) => return Ok(()),
            Err(error) if may_be_done(&error) => again = true,
            Err(error) => return Err(error.into()),
        }
        tokio::task::yield_now().await;
    }
}

/// Has a person leave, however often the connection is lost meanwhile.
async fn leave(client: &Client, group: ConversationId) -> Result<(), CrowdError> {
    let mut again = false;
    loop {
        match client.leave(group).await {
            Ok(_) => return Ok(()),
            Err(error) if again && error.code() == Some(ErrorCode::NotMember) => return Ok(()),
            Err(error) if may_be_done(&error) => again = true,
            Err(error) => return Err(error.into()),
        }
        tokio::task::yield_now().await;
    }
}

fn may_be_done(error: &CallError) -> bool {
    matches!(error, CallError::Disconnected) || error.code().is_some_and(ErrorCode::is_retryable)
}

/// The whole log, as its owner sees it, up to the head that the store has.
async fn pull_log(owner: &Client, group: ConversationId) -> Result<Vec<Stored>, CrowdError> {
    let head = loop {
        match owner.heads(&[group]).await {
            Ok(items) => break items.first().map_or(Seq::ZERO, |item| item.head),
            Err(error) if may_be_done(&error) => tokio::task::yield_now().await,
            Err(error) => return Err(error.into()),
        }
    };
    let mut log: Vec<Stored> = Vec::new();
    let mut after = Seq::ZERO;
    while after < head {
        match owner.pull(group, after, PULL_LIMIT).await {
            // A node that has not heard of the newest entries yet answers with none.
            Ok(page) if page.through == after => tokio::task::yield_now().await,
            Ok(page) => {
                log.extend(page.entries);
                after = page.through;
            }
            Err(error) if may_be_done(&error) => tokio::task::yield_now().await,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(log)
}

/// Waits until everybody has read to his end, or nothing happens any more.
async fn wait_for(goals: &[(Arc<AtomicU64>, u64)], progress: &Notify) {
    while goals.iter().any(|(seen, goal)| seen.load(Ordering::Acquire) < *goal) {
        if tokio::time::timeout(PATIENCE, progress.notified()).await.is_err() {
            return;
        }
    }
}

/// Gathers acknowledgements beside the player, so that their times are true.
struct Acks {
    sendings: mpsc::UnboundedSender<(usize, u32, String, Sending)>,
    outstanding: Arc<Outstanding>,
}

struct Outstanding {
    all: AtomicUsize,
    of: Vec<AtomicUsize>,
    fewer: Notify,
}

#[derive(Default)]
struct Collected {
    messages: Vec<Acked>,
    latencies: Latencies,
    failures: Vec<String>,
}

impl Acks {
    fn start(clock: Arc<Clock>, persons: usize) -> (Self, tokio::task::JoinHandle<Collected>) {
        let (sendings, mut arriving) = mpsc::unbounded_channel::<(usize, u32, String, Sending)>();
        let of = std::iter::repeat_with(AtomicUsize::default).take(persons).collect();
        let outstanding = Arc::new(Outstanding { all: AtomicUsize::new(0), of, fewer: Notify::new() });
        let counts = Arc::clone(&outstanding);
        let task = tokio::spawn(async move {
            let mut collected = Collected::default();
            let mut waiting = FuturesUnordered::new();
            let mut open = true;
            while open || !waiting.is_empty() {
                tokio::select! {
                    next = arriving.recv(), if open => match next {
                        Some((person, number, text, sending)) => waiting.push(async move {
                            let client_msg_id = sending.client_msg_id();
                            (person, number, text, client_msg_id, sending.await)
                        }),
                        None => open = false,
                    },
                    Some((person, number, text, client_msg_id, fate)) = waiting.next() => {
                        match fate {
                            Ok(sent) => {
                                if let Some(us) = clock.since_sent_us(&client_msg_id) {
                                    collected.latencies.record(us);
                                }
                                collected.messages.push(Acked { seq: sent.seq, client_msg_id, text });
                            }
                            Err(error) => collected.failures.push(format!("message {number} failed: {error}")),
                        }
                        counts.all.fetch_sub(1, Ordering::AcqRel);
                        counts.of[person].fetch_sub(1, Ordering::AcqRel);
                        counts.fewer.notify_waiters();
                    }
                }
            }
            collected
        });
        (Self { sendings, outstanding }, task)
    }

    fn add(&self, person: usize, number: u32, text: &str, sending: Sending) {
        self.outstanding.all.fetch_add(1, Ordering::AcqRel);
        self.outstanding.of[person].fetch_add(1, Ordering::AcqRel);
        // The collector lives for as long as this does.
        let _ = self.sendings.send((person, number, text.to_owned(), sending));
    }

    /// Waits until more may be sent.
    async fn room(&self) {
        self.below(&self.outstanding.all, UNANSWERED_MAX).await;
    }

    /// Waits until everything that a person sent is answered.
    async fn settled(&self, person: usize) {
        self.below(&self.outstanding.of[person], 1).await;
    }

    async fn below(&self, count: &AtomicUsize, bound: usize) {
        loop {
            let fewer = self.outstanding.fewer.notified();
            if count.load(Ordering::Acquire) < bound {
                return;
            }
            fewer.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_in_its_id_again() {
        let clock = Clock::new(0);
        for number in [0_u32, 1, 255, 256, 16_383] {
            let mut random = [0; 10];
            random[..4].copy_from_slice(&number.to_be_bytes());
            random[4..].copy_from_slice(&clock.run);
            let id = ClientMsgId::mint(1_700_000_000_000, &random);
            assert_eq!(clock.number(&id), Some(number as usize), "{id}");
        }
        assert_eq!(clock.number(&ClientMsgId::mint(0, &[9; 10])), None);
    }
}
