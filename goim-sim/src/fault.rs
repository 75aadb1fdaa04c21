//! Faults: what strikes, when, and how it ends.

use goim_core::{ConversationId, Duration};

use crate::cx::Cx;
use crate::event::Event;
use crate::marks::Mark;
use crate::store::StoreEvent;
use crate::world::World;

/// Something goes wrong, or well again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    DatagramsDie,
    Stall,
    Disconnect,
    Partition,
    Join { client: usize, node: usize },
    StorePartition,
    StoreJoin { node: usize },
    BusDown,
    BusUp,
    Apart,
    Together { one: usize, other: usize },
    NodeCrash,
    NodePause,
    ClockJump,
    ClientCrash,
    ClientRestore,
    SlowReader,
    StoreCrash,
    StoreSlow,
    StoreFast,
    StoreFull,
    StoreEmptied,
    StoreBack,
    Retention,
    Members,
    Block,
}

impl Fault {
    /// Those that strike again and again, with their parameters.
    const RECURRING: [(Self, &'static str); 19] = [
        (Self::DatagramsDie, "datagrams_die_every_ms"),
        (Self::Stall, "stall_every_ms"),
        (Self::Disconnect, "disconnect_every_ms"),
        (Self::Partition, "partition_every_ms"),
        (Self::StorePartition, "store_partition_every_ms"),
        (Self::BusDown, "bus_down_every_ms"),
        (Self::Apart, "nodes_apart_every_ms"),
        (Self::NodeCrash, "node_crash_every_ms"),
        (Self::NodePause, "node_pause_every_ms"),
        (Self::ClockJump, "clock_jump_every_ms"),
        (Self::ClientCrash, "client_crash_every_ms"),
        (Self::ClientRestore, "client_restore_every_ms"),
        (Self::SlowReader, "slow_reader_every_ms"),
        (Self::StoreCrash, "store_crash_every_ms"),
        (Self::StoreSlow, "store_slow_every_ms"),
        (Self::StoreFull, "store_full_every_ms"),
        (Self::StoreBack, "store_back_every_ms"),
        (Self::Retention, "retention_every_ms"),
        (Self::Members, "member_every_ms"),
    ];

    /// Has all that shall strike in this world strike for the first time.
    pub(crate) fn schedule_all(cx: &mut Cx) {
        for (fault, name) in Self::RECURRING.into_iter().chain([(Self::Block, "block_every_ms")]) {
            fault.schedule(cx, name);
        }
    }

    fn schedule(self, cx: &mut Cx, name: &str) {
        let mean = cx.s.value(name).unwrap_or(0);
        if mean > 0 {
            let wait = cx.rng.around(mean);
            cx.after(wait, Event::Fault(self));
        }
    }

    fn again(self, cx: &mut Cx) {
        let name = Self::RECURRING.into_iter().chain([(Self::Block, "block_every_ms")]);
        if let Some((_, name)) = name.into_iter().find(|(fault, _)| *fault == self) {
            self.schedule(cx, name);
        }
    }
}

/// Retention is longer than ids may be old, by more than a send may wait in a lane (4 s) and clocks may
/// be wrong.
const RETENTION_MARGIN_MS: u64 = 6_000;
/// How far a clock may be off where that matters.
const CLOCK_ERROR_MAX_MS: u64 = 500;

impl World {
    pub(crate) fn strike(&mut self, fault: Fault) {
        // What ends a fault strikes in any case; what began one does not any more.
        if self.cx.weather.hostile {
            fault.again(&mut self.cx);
            self.begin(fault);
        }
        let weather = &mut self.cx.weather;
        match fault {
            Fault::Join { client, node } => weather.parted.retain(|pair| *pair != (client, node)),
            Fault::StoreJoin { node } => weather.store_cut[node] = false,
            Fault::BusUp => weather.bus_down = false,
            Fault::Together { one, other } => weather.apart.retain(|pair| *pair != (one, other)),
            Fault::StoreFast => weather.store_slow = false,
            Fault::StoreEmptied => weather.store_full = false,
            _ => {}
        }
    }

    fn begin(&mut self, fault: Fault) {
        match fault {
            Fault::DatagramsDie | Fault::Stall | Fault::Disconnect => self.begin_on_a_connection(fault),
            Fault::Partition | Fault::StorePartition | Fault::BusDown => self.begin_parting(fault),
            Fault::Apart => self.part_nodes(),
            Fault::NodeCrash | Fault::NodePause | Fault::ClockJump => self.begin_on_a_node(fault),
            Fault::ClientCrash | Fault::ClientRestore | Fault::SlowReader | Fault::Members => {
                self.begin_on_a_device(fault);
            }
            Fault::StoreCrash
            | Fault::StoreSlow
            | Fault::StoreFull
            | Fault::StoreBack
            | Fault::Retention
            | Fault::Block => self.begin_on_the_store(fault),
            Fault::Join { .. }
            | Fault::StoreJoin { .. }
            | Fault::BusUp
            | Fault::Together { .. }
            | Fault::StoreFast
            | Fault::StoreEmptied => {}
        }
    }

    fn begin_on_a_connection(&mut self, fault: Fault) {
        let open = self.cx.net.open();
        let Some(conn) = self.cx.rng.pick(&open) else { return };
        match fault {
            Fault::DatagramsDie => self.cx.kill_datagrams(conn),
            Fault::Stall => {
                let wait = self.cx.rng.millis(10, 2_000);
                self.cx.stall(conn, wait);
            }
            _ => {
                self.cx.marks.hit(Mark::Disconnected);
                // Now and then a whole node's, which all come again at once.
                if self.cx.rng.one_in(4) {
                    let node = self.cx.rng.index(self.nodes.len());
                    self.cx.cut_where(|_, other| other == node);
                }
                self.cx.cut(conn);
            }
        }
    }

    fn begin_parting(&mut self, fault: Fault) {
        let cx = &mut self.cx;
        let (client, node) = (cx.rng.index(self.clients.len()), cx.rng.index(self.nodes.len()));
        let (wait, end) = match fault {
            Fault::Partition => {
                cx.marks.hit(Mark::Partitioned);
                cx.weather.parted.push((client, node));
                cx.cut_where(|one, other| (one, other) == (client, node));
                let most_ms = if cx.rng.one_in(4) { 20_000 } else { 5_000 };
                (cx.rng.millis(100, most_ms), Fault::Join { client, node })
            }
            Fault::StorePartition => {
                cx.marks.hit(Mark::StorePartitioned);
                cx.weather.store_cut[node] = true;
                cx.store_lost_by(node);
                let most_ms = if cx.rng.one_in(4) { 20_000 } else { 4_000 };
                (cx.rng.millis(10, most_ms), Fault::StoreJoin { node })
            }
            _ => {
                cx.marks.hit(Mark::BusDown);
                cx.weather.bus_down = true;
                (cx.rng.millis(100, 5_000), Fault::BusUp)
            }
        };
        cx.after(wait, Event::Fault(end));
    }

    /// Two nodes, or one and all the others, hear nothing of each other for a while.
    fn part_nodes(&mut self) {
        let cx = &mut self.cx;
        let one = cx.rng.index(self.nodes.len());
        let from_all = cx.rng.one_in(2);
        let other = cx.rng.index(self.nodes.len());
        let wait = cx.rng.millis(100, 5_000);
        for other in (0..self.nodes.len()).filter(|node| *node != one && (from_all || *node == other)) {
            cx.weather.apart.push((one, other));
            cx.after(wait, Event::Fault(Fault::Together { one, other }));
        }
    }

    fn begin_on_a_node(&mut self, fault: Fault) {
        let cx = &mut self.cx;
        let node = cx.rng.index(self.nodes.len());
        match fault {
            Fault::NodeCrash => self.nodes[node].crash(cx),
            Fault::NodePause => {
                cx.marks.hit(Mark::NodePaused);
                let pause = cx.rng.millis(10, 12_000);
                let node = &mut self.nodes[node];
                node.pause(cx.now, pause);
                if pause > Duration::from_secs(3) {
                    // Its clients give it up.
                    let id = node.id;
                    cx.cut_where(|_, other| other == id);
                }
            }
            _ => {
                cx.marks.hit(Mark::ClockJumped);
                // Where ids grow old, by less than retention is longer than they may be.
                let most: u64 = if cx.s.id_age_max_ms > 0 { CLOCK_ERROR_MAX_MS } else { 600_000 };
                let error = i64::try_from(cx.rng.between(0, 2 * most)).unwrap_or(0);
                cx.clock_error_ms[node] = error - i64::try_from(most).unwrap_or(0);
            }
        }
    }

    fn begin_on_a_device(&mut self, fault: Fault) {
        let cx = &mut self.cx;
        let at = cx.rng.index(self.clients.len());
        let client = &mut self.clients[at];
        match fault {
            Fault::ClientCrash => client.crash(cx, false),
            Fault::ClientRestore if cx.rng.one_in(2) => client.back_up(),
            Fault::ClientRestore => client.crash(cx, true),
            Fault::SlowReader => {
                cx.marks.hit(Mark::SlowReader);
                client.slow_until = cx.now + cx.rng.millis(500, 8_000);
            }
            _ => {
                let group = ConversationId::new(cx.rng.between(1, cx.s.groups));
                client.change_members(cx, group);
            }
        }
    }

    fn begin_on_the_store(&mut self, fault: Fault) {
        let cx = &mut self.cx;
        match fault {
            Fault::StoreCrash if cx.weather.store_up => {
                cx.marks.hit(Mark::StoreCrashed);
                self.store.crash(cx);
                let down = cx.rng.millis(10, 3_000);
                cx.after(down, Event::Store(StoreEvent::Start));
            }
            Fault::StoreSlow => {
                cx.marks.hit(Mark::StoreSlow);
                cx.weather.store_slow = true;
                let wait = cx.rng.millis(100, 5_000);
                cx.after(wait, Event::Fault(Fault::StoreFast));
            }
            Fault::StoreFull => {
                cx.weather.store_full = true;
                let wait = cx.rng.millis(100, 3_000);
                cx.after(wait, Event::Fault(Fault::StoreEmptied));
            }
            Fault::StoreBack if cx.weather.store_up => {
                self.store.go_back(cx);
                let wait = cx.rng.millis(10, 3_000);
                cx.after(wait, Event::Store(StoreEvent::Backup));
            }
            Fault::Retention if cx.s.id_age_max_ms > 0 => {
                let conversation = ConversationId::new(cx.rng.between(1, cx.s.groups + cx.s.directs));
                let age = cx.s.id_age_max_ms + RETENTION_MARGIN_MS;
                let age = if bug!("retention shorter than ids may be old") { 500 } else { age };
                let older_than = cx.now.as_micros().saturating_sub(age * 1_000);
                let older_than = goim_core::Time::from_micros(older_than);
                cx.at(cx.now, Event::Store(StoreEvent::Retain { conversation, older_than }));
            }
            Fault::Block if cx.s.directs > 0 => {
                let conversation = ConversationId::new(cx.s.groups + cx.rng.between(1, cx.s.directs));
                let blocked = cx.rng.one_in(2);
                cx.at(cx.now, Event::Store(StoreEvent::Block { conversation, blocked }));
            }
            _ => {}
        }
    }

    /// Ends everything that is wrong.
    pub(crate) fn make_well(&mut self) {
        let cx = &mut self.cx;
        cx.weather.hostile = false;
        cx.weather.parted.clear();
        if cx.s.datagrams == 1 {
            cx.net.revive_datagrams();
        }
        cx.weather.store_cut.fill(false);
        cx.weather.bus_down = false;
        cx.weather.apart.clear();
        cx.weather.store_full = false;
        cx.weather.store_slow = false;
        cx.clock_error_ms.fill(0);
        for client in &mut self.clients {
            client.slow_until = cx.now;
        }
        for node in &mut self.nodes {
            node.resume(cx.now);
        }
    }
}
