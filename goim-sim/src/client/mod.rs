//! A device: core's `Inbox` and `Outbox`, a local store that may be lost or old, and a person who
//! handles one entry after the other.

mod session;

use std::collections::VecDeque;

use goim_core::hash::IdMap;
use goim_core::{
    ClientMsgId, ConversationId, DeviceId, Duration, Epoch, Inbox, InboxLimits, Outbox, OutboxConfig, Seq,
    Time, UserId,
};

use session::Session;

use crate::check::Seen;
use crate::cx::Cx;
use crate::entry::{Body, Content};
use crate::event::{ClientEvent, ConnId, Event, Up};
use crate::marks::Mark;
use crate::scenario::Scenario;

/// The round of a second copy, of whose answer the outbox must not hear.
const NO_ROUND: u32 = u32::MAX;

/// What outlives a device's process, if it keeps anything.
#[derive(Debug, Clone, Default)]
struct Disk {
    outbox: VecDeque<(ConversationId, ClientMsgId, Body)>,
    offsets: IdMap<ConversationId, Seq>,
    epoch: Option<Epoch>,
}

pub(crate) struct Client {
    pub(crate) id: usize,
    pub(crate) up: bool,
    pub(crate) slow_until: Time,
    user: UserId,
    device: DeviceId,
    inbox: Inbox<Body>,
    outbox: Outbox<Body, ClientMsgId>,
    session: Session,
    conn: Option<ConnId>,
    epoch: Option<Epoch>,
    /// The server's wall clock less the world's, in milliseconds.
    server_ms_at_zero: u64,
    handling: bool,
    commit_at: Option<Time>,
    timer: Option<Time>,
    keeps: bool,
    disk: Disk,
    backup: Option<Disk>,
    /// Messages written so far, by all that this device ever was.
    written: u32,
}

impl Client {
    pub(crate) fn new(cx: &mut Cx, id: usize) -> Self {
        let (user, device) = crate::world::owner(&cx.s, id);
        let keeps = cx.rng.between(0, 99) < cx.s.local_store_percent;
        Self {
            id,
            up: false,
            slow_until: Time::ZERO,
            user,
            device,
            inbox: Inbox::new(inbox_limits(&cx.s)),
            outbox: Outbox::new(outbox_config()),
            session: Session::default(),
            conn: None,
            epoch: None,
            server_ms_at_zero: 0,
            handling: false,
            commit_at: None,
            timer: None,
            keeps,
            disk: Disk::default(),
            backup: None,
            written: 0,
        }
    }

    /// Begins a life with what is on disk.
    pub(crate) fn start(&mut self, cx: &mut Cx) {
        self.up = true;
        self.inbox = Inbox::new(inbox_limits(&cx.s));
        self.outbox = Outbox::new(outbox_config());
        self.session = Session::default();
        (self.conn, self.handling, self.commit_at, self.timer) = (None, false, None, None);
        if !self.keeps {
            cx.marks.hit_if(self.written > 0, Mark::ClientLostState);
            self.disk = Disk::default();
        }
        self.epoch = self.disk.epoch;
        for (conversation, id, body) in &mut self.disk.outbox {
            if bug!("a new id for a retry") {
                *id = ClientMsgId::mint(id.unix_ms().unwrap_or(0), &cx.rng.bytes());
            }
            self.outbox.push(*conversation, *id, *body, true, *id);
        }
        for (conversation, offset) in &self.disk.offsets {
            self.inbox.subscribe(*conversation, *offset, *offset);
            self.inbox.set_active(*conversation, true);
        }
        self.after(cx, Duration::ZERO, ClientEvent::Connect);
        let first = cx.rng.around(cx.s.send_every_ms);
        self.after(cx, first, ClientEvent::Send);
        if cx.s.marker_every_ms > 0 {
            let first = cx.rng.around(cx.s.marker_every_ms);
            self.after(cx, first, ClientEvent::Mark);
        }
    }

    /// Ends its life. With `restored` the next one begins with an old backup, if there is one.
    pub(crate) fn crash(&mut self, cx: &mut Cx, restored: bool) {
        if !self.up {
            return;
        }
        cx.marks.hit(Mark::ClientCrashed);
        cx.marks.hit_if(!self.inbox.is_committed(), Mark::CrashBetweenHandledAndCommitted);
        self.up = false;
        cx.client_lives[self.id] += 1;
        if let Some(conn) = self.conn.take() {
            cx.cut(conn);
        }
        let is_old = restored && self.keeps && self.backup.is_some();
        if is_old && let Some(backup) = &self.backup {
            cx.marks.hit(Mark::ClientRestored);
            self.disk = backup.clone();
        }
        cx.saw(Seen::Ended { device: self.device, kept: self.keeps, is_old });
        // Some stay off for long.
        let most_ms = if cx.rng.one_in(4) { 15_000 } else { 2_000 };
        let down = cx.rng.millis(1, most_ms);
        cx.after(down, Event::Client(self.id, cx.client_lives[self.id], ClientEvent::Start));
    }

    /// Keeps a copy of what is on disk.
    pub(crate) fn back_up(&mut self) {
        self.backup = Some(self.disk.clone());
    }

    pub(crate) fn handle(&mut self, cx: &mut Cx, event: ClientEvent) {
        if matches!(event, ClientEvent::Start) {
            self.start(cx);
            return;
        }
        if !self.up {
            return;
        }
        match event {
            ClientEvent::Connect => self.connect(cx),
            ClientEvent::Frame(conn, frame) => {
                if self.conn == Some(conn) && cx.net.carries(conn) {
                    self.frame(cx, conn, *frame);
                }
            }
            ClientEvent::Closed(conn) if self.conn == Some(conn) => self.disconnected(cx),
            ClientEvent::Closed(_) => {}
            ClientEvent::Send => self.write(cx),
            ClientEvent::Repeat(send) => {
                if let Some(conn) = self.conn {
                    cx.up(conn, Up::Send(*send));
                }
            }
            ClientEvent::Mark => self.mark_read(cx),
            ClientEvent::Handled { conversation, seq, epoch } => {
                self.handled(cx, conversation, seq, epoch);
            }
            // What is due then is asked for below.
            ClientEvent::Commit => {}
            ClientEvent::Timer => {
                self.timer = None;
                self.inbox.handle_timeout(cx.now);
            }
            ClientEvent::Start => {}
        }
        self.read(cx);
        self.fill(cx);
    }

    fn after(&self, cx: &mut Cx, wait: Duration, event: ClientEvent) {
        cx.after(wait, Event::Client(self.id, cx.client_lives[self.id], event));
    }

    /// The person writes something.
    fn write(&mut self, cx: &mut Cx) {
        if !cx.weather.busy {
            return;
        }
        let wait = cx.rng.around(cx.s.send_every_ms);
        self.after(cx, wait, ClientEvent::Send);
        let last = cx.s.groups + cx.s.directs;
        let conversation = ConversationId::new(cx.rng.between(1, last));
        self.write_to(cx, conversation);
    }

    /// Sends one message: into the local store, then into the outbox.
    fn write_to(&mut self, cx: &mut Cx, conversation: ConversationId) {
        self.written += 1;
        let (device, n) = (u32::try_from(self.device.as_u64()).unwrap_or(0), self.written);
        let poison = cx.rng.permille(cx.rate(cx.s.poison_permille));
        let content = if poison { Content::Poison { device, n } } else { Content::Say { device, n } };
        self.put(cx, conversation, content);
    }

    /// Sends one message at once, whatever the person does.
    pub(crate) fn say_now(&mut self, cx: &mut Cx, conversation: ConversationId) {
        self.write_to(cx, conversation);
        self.fill(cx);
    }

    fn put(&mut self, cx: &mut Cx, conversation: ConversationId, content: Content) {
        let server_ms = self.server_ms_at_zero + cx.now.as_micros() / 1_000;
        let id = ClientMsgId::mint(server_ms, &cx.rng.bytes());
        let body = content.encode();
        cx.saw(Seen::Called { device: self.device, user: self.user, conversation, id, content });
        self.disk.outbox.push_back((conversation, id, body));
        self.outbox.push(conversation, id, body, false, id);
    }

    /// The person changes who is a member.
    pub(crate) fn change_members(&mut self, cx: &mut Cx, conversation: ConversationId) {
        let user = UserId::new(cx.rng.between(1, cx.s.users));
        let content = match cx.rng.between(0, 5) {
            0 => Content::Leave,
            1 | 2 => Content::Remove(user),
            _ => Content::Add(user),
        };
        // By mistake, at times: he is let in again at once.
        let again = matches!(content, Content::Remove(_)) && cx.rng.one_in(2);
        if self.up {
            self.put(cx, conversation, content);
            if again {
                self.put(cx, conversation, Content::Add(user));
            }
            self.fill(cx);
        }
    }

    fn mark_read(&mut self, cx: &mut Cx) {
        if !cx.weather.busy {
            return;
        }
        let wait = cx.rng.around(cx.s.marker_every_ms);
        self.after(cx, wait, ClientEvent::Mark);
        let conversation = ConversationId::new(cx.rng.between(1, cx.s.groups + cx.s.directs));
        if let (Some(conn), Some(offset)) = (self.conn, self.inbox.offset(conversation)) {
            // Now and then from further back: an older device of the same user.
            let seq = if cx.rng.one_in(4) { offset.prev() } else { offset };
            cx.up(conn, Up::Mark(conversation, seq));
        }
    }

    /// Takes the next entry, if none is being handled.
    fn read(&mut self, cx: &mut Cx) {
        if self.handling || self.session.new_epoch.is_some() {
            return;
        }
        let Some((conversation, entry)) = self.inbox.take() else { return };
        self.handling = true;
        let mut takes = cx.rng.micros(0, cx.s.handle_us);
        if cx.now < self.slow_until {
            takes += Duration::from_millis(500);
        }
        let seq = entry.seq;
        let (device, user, epoch) = (self.device, self.user, self.epoch.unwrap_or_default());
        cx.saw(Seen::Handed { device, user, conversation, entry, epoch });
        if bug!("commit before handled") {
            self.inbox.handled(conversation, seq);
            self.commit_soon(cx);
        }
        self.after(cx, takes, ClientEvent::Handled { conversation, seq, epoch });
    }

    fn handled(&mut self, cx: &mut Cx, conversation: ConversationId, seq: Seq, epoch: Epoch) {
        self.handling = false;
        let device = self.device;
        cx.saw(Seen::Handled { device, conversation, seq, epoch });
        self.inbox.handled(conversation, seq);
        self.commit_soon(cx);
    }

    fn commit_soon(&mut self, cx: &mut Cx) {
        if self.commit_at.is_none() {
            let wait = Duration::from_millis(cx.s.commit_after_ms);
            self.commit_at = Some(cx.now + wait);
            self.after(cx, wait, ClientEvent::Commit);
        }
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_quiet(&self) -> Result<(), String> {
        let said = |what: &str| Err(format!("device {} {what}", self.device.as_u64()));
        match self {
            Self { up: false, .. } => said("is down"),
            Self { conn: None, .. } => said("is not connected"),
            Self { outbox, .. } if !outbox.is_empty() => said("has messages in its outbox"),
            Self { inbox, .. } if inbox.bytes() > 0 => said("has entries in its inbox"),
            Self { inbox, .. } if !inbox.is_committed() => said("has offsets to commit"),
            Self { disk, .. } if !disk.outbox.is_empty() => said("has messages in its local store"),
            _ => Ok(()),
        }
    }

    /// What waits is within bounds: a page may come on top of what was there.
    pub(crate) fn is_bounded(&self, s: &Scenario) -> Result<(), String> {
        let entry = size_of::<goim_core::Entry<Body>>() as u64 + 64;
        let page = entry * s.pull_limit.max(8) * s.pulls;
        let (bytes, bytes_max) = (self.inbox.bytes() as u64, s.inbox_bytes + page);
        if bytes > bytes_max {
            return Err(format!("the inbox of device {} has {bytes} bytes", self.device.as_u64()));
        }
        Ok(())
    }
}

fn inbox_limits(s: &Scenario) -> InboxLimits {
    let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    InboxLimits {
        conversation_bytes_max: size(s.inbox_conversation_bytes),
        bytes_max: size(s.inbox_bytes),
        pull_limit: u32::try_from(s.pull_limit).unwrap_or(u32::MAX),
        pulls_max: size(s.pulls),
        ..InboxLimits::default()
    }
}

fn outbox_config() -> OutboxConfig {
    OutboxConfig::default()
}
