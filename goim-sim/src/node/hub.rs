//! Who reads what: committed entries in, marks out. Glue around core's `Room` and `MsgBox`.

use goim_core::room::{Change, Look, Looked, Registration, Step};
use goim_core::{BoxLimits, ConversationId, Duration, Epoch, ListLimits, Room, Seq, UserId};

use super::Node;
use super::lanes::LOADS_MAX;
use crate::cx::Cx;
use crate::entry::{Content, Kept};
use crate::event::{ConnId, NodeEvent};
use crate::marks::Mark;
use crate::scenario::Scenario;

/// Before the store is asked again for what it has just told.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

pub(super) fn box_limits(s: &Scenario) -> BoxLimits {
    let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let bytes_max = size(s.box_bytes);
    let list = ListLimits { entries_max: size(s.list_entries), bytes_max };
    BoxLimits { bytes_max, shards: 2, list }
}

fn change_of(content: Content, sender: UserId) -> Option<Change> {
    match content {
        Content::Add(user) => Some(Change::Added(vec![user])),
        Content::Remove(user) => Some(Change::Gone(user)),
        Content::Leave => Some(Change::Gone(sender)),
        Content::Invited { conversation, seq } => Some(Change::InvitedTo(conversation, seq)),
        Content::Created | Content::Say { .. } | Content::Poison { .. } | Content::Note(_) => None,
    }
}

impl Node {
    /// Takes committed entries: keeps those with a local reader, and marks their readers.
    pub(super) fn publish(&mut self, cx: &mut Cx, entries: Vec<(ConversationId, Kept)>, epoch: Epoch) {
        // What was late on the bus while the store went back, or comes from who knew it first.
        if epoch != self.epoch && !bug!("entries of any epoch") {
            return cx.marks.hit(Mark::EntryOfAnotherEpoch);
        }
        let mut touched = Vec::new();
        for (conversation, entry) in entries {
            let before = entry.0.seq.prev();
            if !self.rooms.contains_key(&conversation) {
                if !self.lets_somebody_in(&entry) {
                    continue;
                }
                self.begin_behind(conversation, before);
                self.rooms.insert(conversation, Room::at(before));
            }
            let next = self.rooms.get_mut(&conversation).and_then(|room| room.offer(entry));
            self.pass(cx, conversation, next);
            self.watch_gap(cx, conversation);
            touched.push(conversation);
        }
        self.tell(cx, &touched);
    }

    fn lets_somebody_in(&self, entry: &Kept) -> bool {
        match Content::of(&entry.0.body) {
            Content::Add(user) => self.users.contains_key(&user),
            _ => false,
        }
    }

    /// Lets pass what is in order, one entry after the other.
    pub(super) fn pass(&mut self, cx: &mut Cx, conversation: ConversationId, mut next: Option<Kept>) {
        loop {
            let Some(room) = self.rooms.get_mut(&conversation) else { return };
            let Some(entry) = next.take().or_else(|| room.take_waiting()) else { return };
            let change = change_of(Content::of(&entry.0.body), entry.0.sender);
            let mut steps = Vec::new();
            room.pass(entry, change, &mut steps);
            self.take_steps(cx, conversation, steps);
        }
    }

    pub(super) fn take_steps(
        &mut self,
        cx: &mut Cx,
        conversation: ConversationId,
        steps: Vec<Step<ConnId, Kept>>,
    ) {
        for step in steps {
            match step {
                Step::Keep(entry) => drop(self.msg_box.insert(conversation, entry)),
                Step::LetIn(users, seq) => {
                    for user in users {
                        for conn in self.users.get(&user).cloned().unwrap_or_default() {
                            if self.subscribe(conn, conversation, seq)
                                && let Some(room) = self.rooms.get_mut(&conversation)
                            {
                                room.let_in(conn, user, seq);
                            }
                        }
                    }
                }
                Step::Stop(conn, seq) => {
                    cx.marks.hit(Mark::StoppedReading);
                    self.stop_reading(cx, conn, conversation, seq);
                }
                Step::Skip(seq) => {
                    cx.marks.hit(Mark::RetentionSkipped);
                    self.begin_behind(conversation, seq);
                }
                Step::Look(conn, user) => self.look_again(cx, conn, user, conversation),
                Step::Invite(user, to, from) => self.invite(cx, user, to, from),
            }
        }
    }

    /// Marks the readers of what was touched.
    pub(super) fn tell(&mut self, cx: &mut Cx, touched: &[ConversationId]) {
        for conversation in touched {
            let Some(room) = self.rooms.get_mut(conversation) else { continue };
            if room.take_dirty()
                && let Some(head) = room.head()
            {
                let mut readers = Vec::new();
                room.each_reader(|conn| readers.push(*conn));
                for conn in readers {
                    self.mark(cx, conn, *conversation, head, Seq::ZERO);
                }
            }
            if self.rooms.get(conversation).is_some_and(Room::is_empty) {
                self.rooms.remove(conversation);
            }
        }
    }

    pub(super) fn watch_gap(&mut self, cx: &mut Cx, conversation: ConversationId) {
        if let Some(room) = self.rooms.get_mut(&conversation)
            && room.watch_gap()
        {
            self.gaps.push_back((cx.now, conversation));
            self.time_gaps(cx);
        }
    }

    /// What is kept and ends before `seq` is not whole: entries from there on stand alone.
    pub(super) fn begin_behind(&self, conversation: ConversationId, seq: Seq) {
        if self.msg_box.head(conversation).is_some_and(|head| head < seq) {
            self.msg_box.drop_through(conversation, seq);
        }
    }

    /// Registers a connection before the store is looked at; `None` if it ended or does not listen.
    pub(super) fn register(
        &mut self,
        conn: ConnId,
        user: UserId,
        conversation: ConversationId,
    ) -> Option<Registration> {
        self.registrations = self.registrations.wrapping_add(1);
        let registration = Registration::new(self.registrations);
        if !bug!("look before registering") {
            self.subscribe_unknown(conn, conversation).then(|| {
                self.rooms.entry(conversation).or_default().register(conn, user, registration);
            })?;
        }
        Some(registration)
    }

    /// Takes what looking brought for a registered connection. `told` is the head of which the
    /// client hears beside.
    pub(super) fn look(
        &mut self,
        cx: &mut Cx,
        conn: ConnId,
        user: UserId,
        conversation: ConversationId,
        (registration, look): (Registration, Look),
        told: Seq,
    ) {
        if bug!("look before registering") && self.subscribe_unknown(conn, conversation) {
            self.rooms.entry(conversation).or_default().register(conn, user, registration);
        }
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        let is_new = room.head().is_none();
        if is_new {
            self.begin_behind(conversation, look.head);
        }
        if let Some(room) = self.rooms.get_mut(&conversation) {
            room.begin_at(look.head);
        }
        self.pass(cx, conversation, None);
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        let looked = room.look(&conn, registration, look);
        let head = room.head().unwrap_or(look.head);
        let expected = look.from.map_or(Looked::Out(look.last), Looked::Reads);
        cx.marks.hit_if(looked != expected, Mark::LookedWhileChanging);
        match looked {
            Looked::Reads(from) => {
                self.reads_from(conn, conversation, from, told);
                if head > told {
                    self.mark(cx, conn, conversation, head, Seq::ZERO);
                }
            }
            Looked::Out(Seq::ZERO) => self.unsubscribe(conn, conversation),
            Looked::TooOld => {
                cx.marks.hit(Mark::LookTooOld);
                self.look_again(cx, conn, user, conversation);
            }
            Looked::Out(last) => self.tell_of_last(cx, conn, conversation, last),
            Looked::Superseded => {}
        }
        self.watch_gap(cx, conversation);
        self.tell(cx, &[conversation]);
    }

    /// Nothing is known of a registered connection's standing, and the store is asked anew.
    fn look_again(&mut self, cx: &mut Cx, conn: ConnId, user: UserId, conversation: ConversationId) {
        self.stands_unknown(conn, conversation);
        self.after(cx, LOOK_AGAIN, NodeEvent::LookAgain(conn, user, conversation));
    }

    /// Tells a user's connections that his read marker has moved.
    pub(super) fn tell_marker(
        &mut self,
        cx: &mut Cx,
        user: UserId,
        conversation: ConversationId,
        marker: Seq,
    ) {
        let Some(room) = self.rooms.get(&conversation) else { return };
        let Some(head) = room.head() else { return };
        let mut readers = Vec::new();
        room.each_reader_of(user, |conn| readers.push(*conn));
        for conn in readers {
            self.mark(cx, conn, conversation, head, marker);
        }
    }

    /// Forgets every entry, for a store that went back.
    pub(super) fn forget_all(&mut self) {
        for room in self.rooms.values_mut() {
            room.forget();
        }
        self.msg_box.clear();
    }

    /// Whether nothing is left to do, and what is kept is within bounds.
    pub(crate) fn is_quiet(&self) -> Result<(), String> {
        if let Some(lane) = self.lanes.iter().position(|lane| !lane.is_idle()) {
            return Err(format!("lane {lane} of node {} is not idle: {:?}", self.id, self.lanes[lane]));
        }
        if let Some((conversation, room)) = self.rooms.iter().find(|(_, room)| room.gap().is_some()) {
            return Err(format!("node {} lacks entries of {conversation} behind {:?}", self.id, room.gap()));
        }
        if let Some(conn) = self.conns.iter().find(|(_, conn)| !conn.is_quiet()) {
            return Err(format!("node {} still announces on connection {}: {:?}", self.id, conn.0, conn.1));
        }
        if !self.invitations.is_empty() {
            return Err(format!("node {} has invitations to follow", self.id));
        }
        if let Some(waiter) = self.calls.values().find(|waiter| !waiter.is_of_upkeep()) {
            return Err(format!("node {} still waits for the store: {waiter:?}", self.id));
        }
        if let Some((conversation, _)) = self.rooms.iter().find(|(_, room)| room.is_empty()) {
            return Err(format!("node {} keeps a room of {conversation} for nobody", self.id));
        }
        Ok(())
    }

    /// Whether it has this many connections, no more and no fewer.
    pub(crate) fn has_conns(&self, count: usize) -> Result<(), String> {
        let is_indexed = self.users.values().map(Vec::len).sum::<usize>() == count;
        if self.conns.len() == count && is_indexed {
            return Ok(());
        }
        Err(format!("node {} believes in {} connections, there are {count}", self.id, self.conns.len()))
    }

    /// What is kept is within its bounds, always.
    pub(crate) fn is_bounded(&self, s: &Scenario) -> Result<(), String> {
        let held = self.msg_box.bytes_held();
        if held > box_limits(s).bytes_max {
            return Err(format!("the box of node {} holds {held} bytes", self.id));
        }
        let waiting_max = usize::try_from(s.lane_waiting).unwrap_or(usize::MAX);
        for runner in &self.lanes {
            if runner.lane.waiting() > waiting_max {
                return Err(format!("a lane of node {} has {} waiting", self.id, runner.lane.waiting()));
            }
            // Those with something waiting or being loaded cannot go, and an eighth may be one round late.
            let conversations_max = usize::try_from(s.lane_conversations).unwrap_or(usize::MAX);
            let most = conversations_max + conversations_max / 8 + waiting_max + LOADS_MAX + 1;
            if runner.lane.conversations() > most {
                let many = runner.lane.conversations();
                return Err(format!("a lane of node {} remembers {many} conversations", self.id));
            }
        }
        self.conns.values().try_for_each(|conn| conn.is_bounded(s))
    }
}
