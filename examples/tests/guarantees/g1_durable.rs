//! G1: what was acknowledged is on disk.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use goim_client::{Client, ClientMsgId, ConversationId, Sending, Seq, UserId};
use rand::RngExt as _;
use tokio::sync::mpsc;

use crate::backend::Backend;
use crate::fixtures::{answered, scaled, seeded, send, until};
use crate::log::{text_of, whole_log};
use crate::on_both_stores;
use crate::process::Process;
use crate::world::{World, bots, connected};

/// Sends of one client that wait for their answers.
const WINDOW: usize = 64;

type Key = (UserId, ClientMsgId);

/// What was acknowledged: the seq and the text of each id.
#[derive(Debug, Clone, Default)]
struct Books(Arc<Mutex<BTreeMap<Key, (Seq, String)>>>);

impl Books {
    fn len(&self) -> usize {
        self.0.lock().expect("nobody panics inside").len()
    }

    /// Everything in the books so far is stored as it was acknowledged.
    async fn hold(&self, backend: &Backend, conversation: ConversationId) {
        let books = self.0.lock().expect("nobody panics inside").clone();
        let log = whole_log(backend, conversation).await;
        for ((sender, id), (seq, text)) in books {
            let place = usize::try_from(seq.as_u64() - 1).expect("a short log");
            let entry = log.get(place).unwrap_or_else(|| panic!("{seq} was acknowledged and is lost"));
            assert_eq!((entry.sender, entry.client_msg_id), (sender, id), "another entry stands at {seq}");
            assert_eq!(text_of(&entry.body), Some(text), "the text at {seq}");
        }
    }
}

/// Sends for as long as it is told to, pipelined, and enters each answer as it comes.
async fn send_on(client: Client, conversation: ConversationId, books: Books, go_on: Arc<AtomicBool>) {
    let (on_their_way, mut waiting) = mpsc::channel::<(String, Sending)>(WINDOW);
    let sender = client.session().expect("a session").user;
    let enter = async {
        while let Some((text, sending)) = waiting.recv().await {
            let id = sending.client_msg_id();
            let sent = answered(sending).await.expect("nothing here is refused");
            let before = books.0.lock().expect("nobody panics inside").insert((sender, id), (sent.seq, text));
            assert_eq!(before, None, "answered twice");
        }
    };
    let send_all = async {
        let mut n = 0;
        while go_on.load(Ordering::Relaxed) {
            let text = format!("{n} of {sender}");
            let sending = send(&client, conversation, text.as_str()).await;
            on_their_way.send((text, sending)).await.expect("somebody who enters it");
            n += 1;
        }
        drop(on_their_way);
    };
    tokio::join!(enter, send_all);
}

/// The server's process is killed while clients send, and comes back, over and over: whatever was
/// acknowledged stands in the store before anybody could repair it, and what was not is sent again.
async fn killed(backend: &Backend) {
    let mut rng = seeded("a server killed while it is sent to");
    let world = World::new(backend);
    let mut server = Process::start(&world).await;
    let owner = server.place.person("owner").await;
    let tokens = bots(&owner, 3).await;
    let members: Vec<_> = tokens.iter().map(|bot| bot.user).collect();
    let group = owner.create_group("group", &members).await.expect("a group");
    let (books, go_on) = (Books::default(), Arc::new(AtomicBool::new(true)));
    let mut senders = Vec::new();
    for token in &tokens {
        let client = connected(server.place.bot(token, "")).await;
        senders.push(tokio::spawn(send_on(client, group, books.clone(), Arc::clone(&go_on))));
    }
    for _ in 0..scaled(4) {
        let enough = books.len() + rng.random_range(20..200);
        until("answers", async || books.len() >= enough).await;
        server.kill();
        books.hold(backend, group).await;
        server = server.again(&world).await;
    }
    let enough = books.len() + 1;
    until("answers after the last kill", async || books.len() >= enough).await;
    go_on.store(false, Ordering::Relaxed);
    for sender in senders {
        sender.await.expect("every send is answered");
    }
    books.hold(backend, group).await;
    // One entry made the group; every other one is somebody's acknowledged message.
    assert_eq!(whole_log(backend, group).await.len(), books.len() + 1);
}

on_both_stores! {
    super::killed as g1_what_was_acknowledged_outlives_a_kill,
}
