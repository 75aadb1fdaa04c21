//! Connections between devices and nodes: a stream each way, in order, and datagrams, which may be
//! lost, doubled and reordered.

use goim_core::hash::IdMap;
use goim_core::{Duration, Time};

use crate::cx::Cx;
use crate::event::{ClientEvent, ConnId, Down, Event, NodeEvent, Up};
use crate::marks::Mark;

#[derive(Debug)]
struct Conn {
    client: usize,
    node: usize,
    client_life: u32,
    node_life: u32,
    /// When the last frame of each stream arrives.
    up_until: Time,
    down_until: Time,
    datagrams: bool,
}

/// All connections that carry something.
#[derive(Debug, Default)]
pub(crate) struct Net {
    conns: IdMap<ConnId, Conn>,
    last: ConnId,
}

impl Net {
    /// Whether frames still get through.
    pub(crate) fn carries(&self, conn: ConnId) -> bool {
        self.conns.contains_key(&conn)
    }

    /// Datagrams get through again, where there are any.
    pub(crate) fn revive_datagrams(&mut self) {
        self.conns.values_mut().for_each(|conn| conn.datagrams = true);
    }

    /// How many connections a node has.
    pub(crate) fn open_to(&self, node: usize) -> usize {
        self.conns.values().filter(|conn| conn.node == node).count()
    }

    /// Open connections, in order of their numbers.
    pub(crate) fn open(&self) -> Vec<ConnId> {
        let mut open: Vec<_> = self.conns.keys().copied().collect();
        open.sort_unstable();
        open
    }
}

impl Cx {
    /// Opens a connection; the node hears of it.
    pub(crate) fn connect(&mut self, client: usize, node: usize) -> ConnId {
        self.net.last += 1;
        let conn = self.net.last;
        let (client_life, node_life) = (self.client_lives[client], self.node_lives[node]);
        let at = self.now + self.flight();
        let (up_until, down_until, datagrams) = (at, at, self.s.datagrams == 1);
        let open = Conn { client, node, client_life, node_life, up_until, down_until, datagrams };
        self.net.conns.insert(conn, open);
        self.at(at, Event::Node(node, node_life, NodeEvent::Opened { conn, client }));
        conn
    }

    /// A frame on a device's stream.
    pub(crate) fn up(&mut self, conn: ConnId, frame: Up) {
        let flight = self.flight();
        let Some(open) = self.net.conns.get_mut(&conn) else { return };
        open.up_until = (self.now + flight).max(open.up_until);
        let (node, life, at) = (open.node, open.node_life, open.up_until);
        self.at(at, Event::Node(node, life, NodeEvent::Frame(conn, Box::new(frame))));
    }

    /// A frame on a node's stream.
    pub(crate) fn down(&mut self, conn: ConnId, frame: Down) {
        let flight = self.flight();
        let Some(open) = self.net.conns.get_mut(&conn) else { return };
        open.down_until = (self.now + flight).max(open.down_until);
        let (client, life, at) = (open.client, open.client_life, open.down_until);
        self.at(at, Event::Client(client, life, ClientEvent::Frame(conn, Box::new(frame))));
    }

    /// How often a datagram arrives: not at all, once or twice.
    fn copies(&mut self, conn: ConnId) -> u32 {
        if !self.net.conns.get(&conn).is_some_and(|open| open.datagrams) {
            return 0;
        }
        if self.rng.permille(self.rate(self.s.datagram_loss_permille)) {
            self.marks.hit(Mark::DatagramLost);
            return 0;
        }
        let twice = self.rng.permille(self.rate(self.s.datagram_twice_permille));
        self.marks.hit_if(twice, Mark::DatagramTwice);
        1 + u32::from(twice)
    }

    pub(crate) fn datagram_up(&mut self, conn: ConnId, frame: &Up) {
        for _ in 0..self.copies(conn) {
            let flight = self.flight();
            let Some(open) = self.net.conns.get(&conn) else { return };
            let (node, life) = (open.node, open.node_life);
            self.after(flight, Event::Node(node, life, NodeEvent::Frame(conn, Box::new(frame.clone()))));
        }
    }

    pub(crate) fn datagram_down(&mut self, conn: ConnId, frame: &Down) {
        for _ in 0..self.copies(conn) {
            let flight = self.flight();
            let Some(open) = self.net.conns.get(&conn) else { return };
            let (client, life) = (open.client, open.client_life);
            let frame = Box::new(frame.clone());
            self.after(flight, Event::Client(client, life, ClientEvent::Frame(conn, frame)));
        }
    }

    /// Loses a connection: nothing gets through any more, and each end finds out in its time.
    pub(crate) fn cut(&mut self, conn: ConnId) {
        let Some(lost) = self.net.conns.remove(&conn) else { return };
        let (sooner, later) = (self.rng.micros(100, 50_000), self.rng.micros(100, 3_000_000));
        let (client_after, node_after) = if self.rng.one_in(2) { (sooner, later) } else { (later, sooner) };
        let closed = ClientEvent::Closed(conn);
        self.after(client_after, Event::Client(lost.client, lost.client_life, closed));
        self.after(node_after, Event::Node(lost.node, lost.node_life, NodeEvent::Closed(conn)));
    }

    /// Loses all connections that this is true of, given device and node.
    pub(crate) fn cut_where(&mut self, is_lost: impl Fn(usize, usize) -> bool) {
        let lost =
            |conn: &ConnId| self.net.conns.get(conn).is_some_and(|open| is_lost(open.client, open.node));
        let lost: Vec<_> = self.net.open().into_iter().filter(lost).collect();
        for conn in lost {
            self.cut(conn);
        }
    }

    /// Holds a connection's streams up for a while.
    pub(crate) fn stall(&mut self, conn: ConnId, wait: Duration) {
        let until = self.now + wait;
        if let Some(open) = self.net.conns.get_mut(&conn) {
            open.up_until = open.up_until.max(until);
            open.down_until = open.down_until.max(until);
            self.marks.hit(Mark::Stalled);
        }
    }

    /// A connection's datagrams die while its streams live.
    pub(crate) fn kill_datagrams(&mut self, conn: ConnId) {
        if let Some(open) = self.net.conns.get_mut(&conn)
            && open.datagrams
        {
            open.datagrams = false;
            self.marks.hit(Mark::DatagramsDied);
        }
    }
}
