//! What a world is like: its size, its limits and how often what goes wrong in it, drawn from its
//! seed and open to change by name.

mod text;

use crate::entry::Body;
use crate::rng::Rng;

pub use text::ScenarioError;

macro_rules! scenario {
    ($( $(#[$doc:meta])* $name:ident, )*) => {
        /// A world's parameters. All are whole numbers, so that a scenario is a list of names and
        /// values; those named `_every_ms` are means, and 0 is never.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Scenario {
            /// What everything is drawn from.
            pub seed: u64,
            $( $(#[$doc])* pub $name: u64, )*
        }

        impl Scenario {
            /// The names of all parameters, the seed apart.
            pub const NAMES: &[&str] = &[$(stringify!($name)),*];

            /// A parameter by name.
            #[must_use]
            pub fn value(&self, name: &str) -> Option<u64> {
                match name {
                    $(stringify!($name) => Some(self.$name),)*
                    _ => None,
                }
            }

            /// Changes a parameter by name; false if there is none of this name.
            pub fn set(&mut self, name: &str, value: u64) -> bool {
                match name {
                    $(stringify!($name) => self.$name = value,)*
                    _ => return false,
                }
                true
            }

            const fn quiet(seed: u64) -> Self {
                Self { seed, $($name: 0),* }
            }
        }
    };
}

scenario! {
    /// Server nodes.
    nodes,
    /// People.
    users,
    /// Devices of each.
    devices,
    /// Groups, of everybody at first.
    groups,
    /// Direct chats.
    directs,
    /// Lanes of each node.
    lanes,
    /// Whether the store has a replica, which lags.
    replica,
    /// Whether connections carry datagrams.
    datagrams,
    /// Of a hundred devices, so many keep outbox and offsets in a local store.
    local_store_percent,

    /// Bytes of a node's `MsgBox`.
    box_bytes,
    /// Entries of one of its lists.
    list_entries,
    /// Unacknowledged announcements on a connection.
    notifier_window,
    /// Retransmissions before an announcement goes on the stream.
    notifier_retries,
    /// Conversations that a notifier remembers.
    notifier_conversations,
    /// Announcements that a connection sends at once.
    announce_burst,
    /// Bytes that wait to be taken in one conversation of a reader.
    inbox_conversation_bytes,
    /// The same for all of them.
    inbox_bytes,
    /// Entries in a pull.
    pull_limit,
    /// Pulls under way.
    pulls,
    /// Entries that wait in a lane.
    lane_waiting,
    /// Bytes that wait there.
    lane_waiting_bytes,
    /// Entries in a batch.
    lane_batch,
    /// Bytes in a batch.
    lane_batch_bytes,
    /// Waiting entries that one load of a lane asks about.
    lane_load,
    /// Conversations that a lane remembers.
    lane_conversations,
    /// Member rows and devices that a lane remembers of each.
    lane_members,
    /// Committed ids that a lane remembers.
    lane_recent,
    /// Bytes of unanswered sends of a device.
    outbox_in_flight,
    /// Conversations of which a rival remembers the head.
    rival_conversations,
    /// So many conversations of a user are more than one statement of a sync tells of.
    sync_positions,
    /// How often a sync registers for what it sees.
    sync_looks,

    /// How long things go wrong.
    safety_ms,
    /// Between two sends of a device.
    send_every_ms,
    /// How long handling an entry takes at most.
    handle_us,
    /// Between a handled entry and the commit of its offset.
    commit_after_ms,
    /// Between two comparisons of heads.
    catch_up_ms,
    /// The shortest flight of a packet.
    flight_us_min,
    /// The longest.
    flight_us_max,
    /// How long a statement takes at most, without its flush.
    statement_us,
    /// How long a flush takes at most.
    flush_us,
    /// How far the replica lags at most.
    lag_us,
    /// Between two entries that a rival committer appends.
    rival_every_ms,
    /// Between two changes of who is a member.
    member_every_ms,
    /// Between two blocks, or lifts of one, in direct chats.
    block_every_ms,
    /// Between two read markers of a user.
    marker_every_ms,
    /// How old an id may be; 0 for as old as it likes.
    id_age_max_ms,
    /// Of a thousand messages, so many are such as the store cannot take.
    poison_permille,
    /// Of a thousand sends, so many are sent twice.
    spam_permille,

    /// Of a thousand datagrams, so many are lost.
    datagram_loss_permille,
    /// So many arrive twice.
    datagram_twice_permille,
    /// Between two moments at which a connection's datagrams die while its stream lives.
    datagrams_die_every_ms,
    /// Between two stalls of a stream.
    stall_every_ms,
    /// Between two lost connections.
    disconnect_every_ms,
    /// Between two partitions of a device and a node.
    partition_every_ms,
    /// Between two partitions of a node and the store.
    store_partition_every_ms,
    /// Between two times in which the bus is down.
    bus_down_every_ms,
    /// Between two partitions of nodes from each other.
    nodes_apart_every_ms,
    /// Of a thousand entries on the bus, so many are lost without a trace.
    bus_loss_permille,
    /// So many arrive twice.
    bus_twice_permille,
    /// So many are late, and so out of order.
    bus_late_permille,
    /// Between two crashes of a node.
    node_crash_every_ms,
    /// Of a thousand passes through a named step, so many end in a crash.
    step_crash_permille,
    /// Between two times in which a node stands still.
    node_pause_every_ms,
    /// Between two jumps of a node's clock.
    clock_jump_every_ms,
    /// Between two crashes of a device.
    client_crash_every_ms,
    /// Between two devices that are restored from an old backup.
    client_restore_every_ms,
    /// Between two times in which a device is slow to handle anything.
    slow_reader_every_ms,
    /// Between two crashes of the store.
    store_crash_every_ms,
    /// Between two times in which the store is slow.
    store_slow_every_ms,
    /// Between two times in which the store is full.
    store_full_every_ms,
    /// Between two times at which the store goes back, to a backup or to its replica.
    store_back_every_ms,
    /// Between two rounds of retention.
    retention_every_ms,
    /// Of a thousand statements, so many end in a conflict.
    conflict_permille,
    /// Of a thousand statements, so many have their answer lost.
    answer_lost_permille,
}

/// What an entry counts in a lane.
const ENTRY_BYTES: u64 = size_of::<Body>() as u64;

impl Scenario {
    /// Draws a world: about half of what may go wrong goes wrong in it, so that each fault also
    /// meets a world that is quiet otherwise.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut s = Self::quiet(seed);
        s.draw_size(&mut rng);
        s.draw_limits(&mut rng);
        s.draw_pace(&mut rng);
        s.draw_faults(&mut rng);
        s
    }

    fn draw_size(&mut self, rng: &mut Rng) {
        self.nodes = rng.between(1, 3);
        self.users = rng.between(2, 6);
        self.devices = rng.between(1, 2);
        self.groups = rng.between(1, 4);
        self.directs = rng.between(0, 2);
        self.lanes = rng.between(1, 2);
        self.replica = rng.between(0, 1);
        self.datagrams = u64::from(!rng.one_in(4));
        self.local_store_percent = rng.between(0, 2) * 50;
    }

    /// Half of the limits are as tiny as they can be.
    fn draw_limits(&mut self, rng: &mut Rng) {
        self.box_bytes = rng.tiny_or(4_000, 1 << 20);
        self.list_entries = rng.tiny_or(2, 256);
        self.notifier_window = rng.tiny_or(1, 64);
        self.notifier_retries = rng.between(1, 3);
        self.notifier_conversations = rng.tiny_or(3, 256);
        self.announce_burst = rng.tiny_or(1, 64);
        self.inbox_conversation_bytes = rng.tiny_or(1, 1 << 16);
        self.inbox_bytes = rng.tiny_or(1, 1 << 20);
        self.pull_limit = rng.tiny_or(1, 100);
        self.pulls = rng.tiny_or(1, 8);
        self.lane_waiting = rng.tiny_or(2, 1_024);
        self.lane_waiting_bytes = rng.tiny_or(2 * ENTRY_BYTES, 1 << 16);
        self.lane_batch = rng.tiny_or(1, 256);
        self.lane_batch_bytes = rng.tiny_or(1, 1 << 14);
        self.lane_load = rng.tiny_or(1, 256);
        self.lane_conversations = rng.tiny_or(1, 64);
        self.lane_members = rng.tiny_or(1, 64);
        self.lane_recent = rng.tiny_or(1, 1_024);
        self.outbox_in_flight = rng.tiny_or(1, 1 << 16);
        self.rival_conversations = rng.tiny_or(1, 16);
        self.sync_positions = rng.tiny_or(1, 64);
        self.sync_looks = rng.between(1, 2);
    }

    /// Whether some limit lets through only one entry, or a few, in a round trip.
    fn is_tiny(&self) -> bool {
        let bytes = self.inbox_conversation_bytes.min(self.inbox_bytes).min(self.outbox_in_flight);
        let lane = self.lane_batch.min(self.lane_load).min(self.lane_batch_bytes / ENTRY_BYTES);
        let waiting = self.lane_waiting.min(self.lane_waiting_bytes / ENTRY_BYTES);
        bytes < 4_000 || self.pull_limit < 16 || waiting < 32 || lane < 16
    }

    fn draw_pace(&mut self, rng: &mut Rng) {
        self.safety_ms = rng.between(10_000, 40_000);
        // Everybody reads what all the others send, and has to keep up with it, one round trip for
        // each entry where limits are tiny.
        let between_sends_ms = if self.is_tiny() { rng.between(100, 250) } else { rng.between(5, 40) };
        self.send_every_ms = between_sends_ms * self.users * self.devices;
        self.handle_us = rng.between(1, 3_000);
        self.commit_after_ms = rng.between(1, 200);
        self.catch_up_ms = rng.between(1_500, 4_000);
        self.flight_us_min = rng.between(50, 5_000);
        self.flight_us_max = self.flight_us_min + rng.between(10, 30_000);
        // Slow ones, too: what is read at two moments then has time to change.
        self.statement_us = if !self.is_tiny() && rng.one_in(4) {
            rng.between(5_000, 40_000)
        } else {
            rng.between(50, 2_000)
        };
        self.flush_us = rng.between(100, 8_000);
        self.lag_us = rng.between(100, 500_000);
        self.rival_every_ms = rng.maybe(100, 2_000);
        self.member_every_ms = rng.maybe(if self.is_tiny() { 500 } else { 50 }, 3_000);
        self.block_every_ms = rng.maybe(500, 5_000);
        self.marker_every_ms = rng.maybe(200, 3_000);
        self.id_age_max_ms = rng.maybe(1_000, 6_000);
        self.poison_permille = rng.maybe(1, 30);
        self.spam_permille = rng.maybe(1, 200);
    }

    fn draw_faults(&mut self, rng: &mut Rng) {
        self.datagram_loss_permille = rng.maybe(1, 400);
        self.datagram_twice_permille = rng.maybe(1, 200);
        self.datagrams_die_every_ms = rng.maybe(2_000, 20_000);
        self.stall_every_ms = rng.maybe(500, 10_000);
        self.disconnect_every_ms = rng.maybe(200, 10_000);
        self.partition_every_ms = rng.maybe(2_000, 20_000);
        self.store_partition_every_ms = rng.maybe(2_000, 20_000);
        self.bus_down_every_ms = rng.maybe(2_000, 20_000);
        self.nodes_apart_every_ms = rng.maybe(2_000, 20_000);
        self.bus_loss_permille = rng.maybe(1, 200);
        self.bus_twice_permille = rng.maybe(1, 700);
        self.bus_late_permille = rng.maybe(1, 700);
        self.node_crash_every_ms = rng.maybe(2_000, 20_000);
        self.step_crash_permille = rng.maybe(1, 10);
        self.node_pause_every_ms = rng.maybe(2_000, 20_000);
        self.clock_jump_every_ms = rng.maybe(2_000, 20_000);
        self.client_crash_every_ms = rng.maybe(1_000, 10_000);
        self.client_restore_every_ms = rng.maybe(2_000, 20_000);
        self.slow_reader_every_ms = rng.maybe(2_000, 20_000);
        self.store_crash_every_ms = rng.maybe(2_000, 20_000);
        self.store_slow_every_ms = rng.maybe(2_000, 20_000);
        self.store_full_every_ms = rng.maybe(2_000, 20_000);
        self.store_back_every_ms = rng.maybe(4_000, 20_000);
        self.retention_every_ms = rng.maybe(200, 3_000);
        self.conflict_permille = rng.maybe(1, 100);
        self.answer_lost_permille = rng.maybe(1, 50);
    }
}
