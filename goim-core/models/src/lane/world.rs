//! The lanes, the devices and the weather.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use goim_core::lane::{AppendResult, Batch, Lane, LaneLimits, LoadFailed, LoadRequest, LoadResult, Offer};
use goim_core::{ClientMsgId, ConversationId, DeviceId, Duration, Epoch, Time, UserId};

use super::rules::{Entry, Settings, TestRules};
use super::store::Store;
use crate::Input;

pub(super) type Ticket = usize;
pub(super) type Place = (usize, ConversationId);

/// What a device has queued for one conversation.
#[derive(Default)]
pub(super) struct Outbox {
    pub(super) messages: VecDeque<(ClientMsgId, Entry, bool)>,
    /// How many of them are sent and unanswered.
    pub(super) cursor: usize,
    pub(super) outstanding: VecDeque<Ticket>,
    /// One was not taken: wait for the other answers, then send all again.
    pub(super) broken: bool,
    pub(super) minted: Vec<ClientMsgId>,
}

pub(super) struct Sent {
    pub(super) device: usize,
    pub(super) conversation: ConversationId,
    pub(super) client_msg_id: ClientMsgId,
    pub(super) entry: Entry,
    pub(super) lane: usize,
    /// The step in which the first copy that waited in that lane came.
    pub(super) step: u64,
    pub(super) connection: u64,
    pub(super) retry: bool,
    pub(super) is_copy: bool,
}

pub(super) struct Device {
    pub(super) id: DeviceId,
    pub(super) user: UserId,
    pub(super) lane: usize,
    pub(super) connection: u64,
}

#[derive(Default)]
pub(super) struct Wire {
    loads: Vec<(LoadRequest, Option<LoadResult<Settings, ()>>)>,
    batch: Option<(Arc<Batch<Entry>>, Option<AppendResult>)>,
}

pub(super) struct World<'a> {
    pub(super) input: Input<'a>,
    pub(super) now: Time,
    pub(super) store: Store,
    pub(super) lanes: Vec<Lane<TestRules, Ticket>>,
    pub(super) wires: Vec<Wire>,
    pub(super) devices: Vec<Device>,
    pub(super) outboxes: BTreeMap<Place, Outbox>,
    pub(super) sent: Vec<Sent>,
    pub(super) pending: BTreeMap<(usize, ConversationId, UserId, ClientMsgId), u64>,
    pub(super) late: Vec<Arc<Batch<Entry>>>,
    pub(super) committed: BTreeSet<(ConversationId, UserId, ClientMsgId)>,
    pub(super) published: BTreeSet<(ConversationId, u64)>,
    pub(super) refused: BTreeSet<ClientMsgId>,
    pub(super) unavailable: usize,
    pub(super) minted: u64,
    pub(super) faults: u64,
}

const USERS: u64 = 4;
const CONVERSATIONS: u64 = 5;

fn limits(input: &mut Input<'_>) -> LaneLimits {
    LaneLimits {
        waiting_max: 40,
        batch_max: 1 + input.below(12),
        conversations_max: 1 + input.below(5),
        members_max: 1 + input.below(4),
        devices_max: 1 + input.below(3),
        recent_max: 1 + input.below(30),
        loads_max: 1 + input.below(3),
        load_entries_max: 1 + input.below(6),
        tries_max: 8,
        ..LaneLimits::default()
    }
}

impl<'a> World<'a> {
    pub(super) fn new(mut input: Input<'a>, lanes: usize, faults: u64) -> Self {
        let mut store = Store::default();
        for id in 1..=CONVERSATIONS {
            let members: Vec<_> = (1..=USERS).map(UserId::new).collect();
            store.create(ConversationId::new(id), &members);
        }
        let devices = (0..6)
            .map(|n| Device {
                id: DeviceId::new(n + 1),
                user: UserId::new(n % USERS + 1),
                lane: input.below(lanes),
                connection: 0,
            })
            .collect();
        Self {
            now: Time::ZERO,
            store,
            lanes: (0..lanes).map(|_| Lane::new(TestRules, limits(&mut input))).collect(),
            wires: (0..lanes).map(|_| Wire::default()).collect(),
            devices,
            outboxes: BTreeMap::new(),
            sent: Vec::new(),
            pending: BTreeMap::new(),
            late: Vec::new(),
            committed: BTreeSet::new(),
            published: BTreeSet::new(),
            refused: BTreeSet::new(),
            unavailable: 0,
            minted: 0,
            faults,
            input,
        }
    }

    pub(super) fn step(&mut self, writing: bool) {
        self.store.step += 1;
        let leap = self.faults > 0 && self.input.percent(1);
        self.now += Duration::from_micros(if leap { 4_000_000 } else { 50 });
        let (device, lane) = (self.input.below(self.devices.len()), self.input.below(self.lanes.len()));
        let conversation = ConversationId::new(self.input.between(1, CONVERSATIONS));
        match self.input.below(10) {
            0..=2 if writing => self.write(device, conversation),
            0..=3 => self.send(device, conversation),
            4 if self.faults > 0 && self.input.percent(5) => self.reconnect(device),
            4 if self.faults > 0 && self.input.percent(20) => self.spam(device, conversation),
            4 if self.faults > 0 && self.input.percent(5) => {
                let blocked = !self.store.logs[&conversation].blocked;
                self.store.set_blocked(conversation, blocked);
            }
            4 if self.faults > 0 && self.input.percent(5) => self.lanes[lane].forget_all(),
            5 | 6 => self.load(lane),
            7 => {
                if let Some(batch) = (!self.late.is_empty()).then(|| self.late.remove(0)) {
                    self.store.append(&batch);
                }
            }
            _ => self.append(lane),
        }
        self.lanes[lane].handle_timeout(self.now);
        for lane in 0..self.lanes.len() {
            self.drain(lane);
        }
    }

    pub(super) fn write(&mut self, device: usize, conversation: ConversationId) {
        let outbox = self.outboxes.entry((device, conversation)).or_default();
        if outbox.messages.len() < 6 {
            let user = UserId::new(self.input.between(1, USERS));
            let entry = match self.input.below(40) {
                0 => Entry::Poison,
                1 => Entry::Remove(user),
                2..=5 => Entry::Add(user),
                _ => Entry::Say,
            };
            self.minted += 1;
            let id = ClientMsgId::mint(self.minted, &[0; 10]);
            outbox.messages.push_back((id, entry, false));
            outbox.minted.push(id);
        }
        self.send(device, conversation);
    }

    pub(super) fn send(&mut self, device: usize, conversation: ConversationId) {
        let outbox = self.outboxes.entry((device, conversation)).or_default();
        if outbox.broken && outbox.outstanding.is_empty() {
            (outbox.broken, outbox.cursor) = (false, 0);
        }
        if outbox.broken || outbox.cursor >= outbox.messages.len() {
            return;
        }
        let after = outbox.cursor.checked_sub(1).map(|before| outbox.messages[before].0);
        let (id, entry, sent_before) = &mut outbox.messages[outbox.cursor];
        let (id, entry, retry) = (*id, *entry, core::mem::replace(sent_before, true));
        if let Some(ticket) = self.offer(device, conversation, id, after, retry, entry) {
            let outbox = self.outboxes.get_mut(&(device, conversation)).unwrap();
            outbox.outstanding.push_back(ticket);
            outbox.cursor += 1;
        }
    }

    /// Sends something that is stored, or waits, once more without saying so.
    pub(super) fn spam(&mut self, device: usize, conversation: ConversationId) {
        let user = self.devices[device].user;
        let log = &self.store.logs[&conversation];
        let own: Vec<_> = log.rows.iter().filter(|row| row.sender == user).collect();
        if !own.is_empty() {
            let row = own[self.input.below(own.len())];
            let (id, entry) = (row.client_msg_id, row.entry);
            let ticket = self.offer(device, conversation, id, None, false, entry);
            // Nobody waits for its answer in order.
            if let Some(ticket) = ticket {
                self.sent[ticket].connection = u64::MAX;
            }
        }
    }

    pub(super) fn offer(
        &mut self,
        device: usize,
        conversation: ConversationId,
        client_msg_id: ClientMsgId,
        after: Option<ClientMsgId>,
        retry: bool,
        entry: Entry,
    ) -> Option<Ticket> {
        let Device { id, user, lane, connection } = self.devices[device];
        let ticket = self.sent.len();
        let (sender, device_id) = (user, id);
        let epoch = Epoch::default();
        let offer = Offer {
            ticket,
            conversation,
            sender,
            device: device_id,
            client_msg_id,
            after,
            retry,
            epoch,
            entry,
        };
        self.lanes[lane].offer(self.now, offer).ok()?;
        let key = (lane, conversation, user, client_msg_id);
        let is_copy = self.pending.contains_key(&key);
        let step = *self.pending.entry(key).or_insert(self.store.step);
        self.sent.push(Sent {
            device,
            conversation,
            client_msg_id,
            entry,
            lane,
            step,
            connection,
            retry,
            is_copy,
        });
        Some(ticket)
    }

    pub(super) fn reconnect(&mut self, device: usize) {
        self.devices[device].connection += 1;
        self.devices[device].lane = self.input.below(self.lanes.len());
        for ((owner, _), outbox) in &mut self.outboxes {
            if *owner == device {
                outbox.outstanding.clear();
                (outbox.broken, outbox.cursor) = (false, 0);
            }
        }
    }

    pub(super) fn load(&mut self, lane: usize) {
        if let Some(request) = self.lanes[lane].poll_load() {
            self.wires[lane].loads.push((request, None));
        }
        if self.wires[lane].loads.is_empty() {
            return;
        }
        let index = self.input.below(self.wires[lane].loads.len());
        let (request, result) = &mut self.wires[lane].loads[index];
        let Some(result) = result.take() else {
            let fails = self.input.percent(self.faults);
            *result = Some(if fails { Err(LoadFailed) } else { Ok(self.store.load(request)) });
            return;
        };
        let (request, _) = self.wires[lane].loads.swap_remove(index);
        self.lanes[lane].handle_loaded(self.now, &request, result);
    }

    pub(super) fn append(&mut self, lane: usize) {
        match self.wires[lane].batch.take() {
            None => {
                let batch = self.lanes[lane].poll_append(self.now, self.now.as_micros());
                self.wires[lane].batch = batch.map(|batch| (batch, None));
            }
            Some((batch, None)) => {
                let result = self.execute(&batch);
                self.wires[lane].batch = Some((batch, Some(result)));
            }
            Some((batch, Some(result))) => {
                if self.input.percent(80) {
                    drop(batch);
                }
                self.lanes[lane].handle_appended(self.now, result);
            }
        }
    }

    pub(super) fn execute(&mut self, batch: &Arc<Batch<Entry>>) -> AppendResult {
        if !self.input.percent(self.faults * 3) {
            return self.store.append(batch);
        }
        match self.input.below(6) {
            0 => AppendResult::Conflict,
            1 => AppendResult::Down,
            2 => AppendResult::Full,
            3 => AppendResult::InDoubt,
            4 => {
                self.store.append(batch);
                AppendResult::InDoubt
            }
            _ => {
                self.late.push(Arc::clone(batch));
                AppendResult::InDoubt
            }
        }
    }
}
