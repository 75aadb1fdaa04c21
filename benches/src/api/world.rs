//! Who calls, and what there is to name.

use std::collections::HashSet;
use std::time::Duration;

use goim_client::{ClientMsgId, Content, ConversationId, JoinPolicy, Seq, Session, Start, Transport, UserId};
use goim_proto::{
    AnswerApplication, Call, ConversationArgument, CreateGroup, Credentials, GroupAct, History, Members,
    Reply, Send, Sync, UserArgument, UserList,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::ApiError;
use super::seed::{Chat, DataSet, Stay, any, now_ms};
use super::wire::{Wire, WireError};
use crate::host::{HEAVY, Host};

/// Everybody's password.
pub(super) const PASSWORD: &str = "correct horse battery";
pub(super) const PEER: &str = "peer";
/// Larger groups do not tell who has read what.
const RECEIPTS_MEMBERS_MAX: usize = 200;
/// Messages that are looked through for one that was not recalled.
const MESSAGES_AT_ONCE: u32 = 20;

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// The one with all the conversations.
    Heavy,
    /// A friend of his, who owns the clubs.
    Peer,
    /// Somebody with an account and nothing else.
    Newcomer,
    /// A device of the heavy user's that logged in a moment ago.
    Guest,
}

/// The server, the data set and those who call.
pub(super) struct World {
    pub(super) data: DataSet,
    pub(super) random: StdRng,
    /// The last session that was opened.
    pub(super) session: Session,
    /// The newcomer's passwords: the present one, and the next.
    pub(super) passwords: [String; 2],
    /// Whether the heavy user and his peer are friends.
    pub(super) friends: bool,
    /// The clubs that the heavy user is in.
    joined: HashSet<ConversationId>,
    /// Those to which he has applied.
    applied: HashSet<ConversationId>,
    names: u64,
    server: Door,
    heavy: Wire,
    peer: Wire,
    newcomer: Wire,
    guest: Option<Wire>,
}

/// Where connections are made to.
#[derive(Debug, Clone)]
pub(super) struct Door {
    transport: Transport,
    address: String,
}

impl Door {
    pub(super) fn of(host: &Host) -> Result<Self, ApiError> {
        let transport = Transport::with_fingerprint(host.fingerprint).map_err(WireError::from)?;
        Ok(Self { transport, address: host.address(0).to_owned() })
    }

    /// A connection; with a token, as whom it speaks for.
    pub(super) async fn open(&self, token: Option<&str>) -> Result<Wire, ApiError> {
        Ok(Wire::open(&self.transport, &self.address, token).await?)
    }

    /// Makes a call that opens a session, and a connection that has it.
    pub(super) async fn enter(&self, call: Call) -> Result<(Wire, Session), ApiError> {
        let mut wire = self.open(None).await?;
        let reply = expect_success("a call that opens a session", wire.call(call).await?.0)?;
        let Reply::Session(session) = reply else { return Err(ApiError::Unexpected("Session")) };
        wire.close();
        Ok((self.open(Some(&session.access_token)).await?, session))
    }
}

/// What a call takes that opens a session.
pub(super) fn credentials(name: &str) -> Credentials {
    Credentials { name: name.to_owned(), password: PASSWORD.to_owned(), device_name: "phone".to_owned() }
}

/// Refuses a refusal.
pub(super) fn expect_success(call: &'static str, reply: Reply) -> Result<Reply, ApiError> {
    match reply {
        Reply::Error(error) => Err(ApiError::Refused { call, error }),
        reply => Ok(reply),
    }
}

/// Reads a device's whole list, so that its connection hears of what comes; returns its items and how long
/// that took.
pub(super) async fn sync(wire: &mut Wire) -> Result<(usize, Duration), ApiError> {
    let (mut items, mut took, mut after) = (0, Duration::ZERO, ConversationId::default());
    loop {
        let call = Call::Sync(Sync { start: Start::Now, after, ..Sync::default() });
        let (reply, time) = wire.call(call).await?;
        let Reply::Synced(page) = expect_success("Sync", reply)? else {
            return Err(ApiError::Unexpected("Synced"));
        };
        (items, took, after) = (items + page.items.len(), took + time, page.next);
        if !page.more {
            return Ok((items, took));
        }
    }
}

impl World {
    pub(super) async fn new(server: Door, data: DataSet, seed: u64) -> Result<Self, ApiError> {
        let (mut heavy, _) = server.enter(Call::Login(credentials(HEAVY))).await?;
        let (mut peer, _) = server.enter(Call::Login(credentials(PEER))).await?;
        let (newcomer, session) = server.enter(Call::Register(credentials("newcomer"))).await?;
        sync(&mut heavy).await?;
        sync(&mut peer).await?;
        Ok(Self {
            data,
            random: StdRng::seed_from_u64(seed),
            session,
            passwords: [PASSWORD.to_owned(), "battery staple horse".to_owned()],
            friends: true,
            joined: HashSet::new(),
            applied: HashSet::new(),
            names: 0,
            server,
            heavy,
            peer,
            newcomer,
            guest: None,
        })
    }

    pub(super) fn door(&self) -> Door {
        self.server.clone()
    }

    pub(super) fn wire(&mut self, who: Who) -> Result<&mut Wire, ApiError> {
        Ok(match who {
            Who::Heavy => &mut self.heavy,
            Who::Peer => &mut self.peer,
            Who::Newcomer => &mut self.newcomer,
            Who::Guest => self.guest.as_mut().ok_or(ApiError::Unexpected("a guest"))?,
        })
    }

    /// Makes a call that nobody measures.
    pub(super) async fn ask(&mut self, who: Who, call: Call) -> Result<Reply, ApiError> {
        let (reply, _) = self.wire(who)?.call(call).await?;
        expect_success("what prepares a call", reply)
    }

    /// Logs another device of the heavy user's in.
    pub(super) async fn let_in(&mut self) -> Result<&Session, ApiError> {
        let (wire, session) = self.server.enter(Call::Login(credentials(HEAVY))).await?;
        if let Some(before) = self.guest.replace(wire) {
            before.close();
        }
        self.session = session;
        Ok(&self.session)
    }

    pub(super) fn mint(&mut self) -> ClientMsgId {
        ClientMsgId::mint(now_ms(), &self.random.random())
    }

    /// A name that nobody has.
    pub(super) fn name(&mut self, of: &str) -> String {
        self.names += 1;
        format!("{of}-{}", self.names)
    }

    pub(super) fn text(&mut self) -> Content {
        Content::text(crate::logs::words(&mut self.random))
    }

    /// A conversation of the heavy user's.
    pub(super) fn one(&mut self, which: impl Fn(&Chat) -> bool) -> &Chat {
        let fitting: Vec<usize> =
            self.data.mine.iter().enumerate().filter(|(_, chat)| which(chat)).map(|(at, _)| at).collect();
        &self.data.mine[any(&mut self.random, &fitting)]
    }

    /// A conversation that the heavy user is in.
    pub(super) fn chat(&mut self) -> ConversationId {
        self.one(|chat| chat.stay != Stay::Out).id
    }

    /// A direct chat of his.
    pub(super) fn direct(&mut self) -> &Chat {
        self.one(Chat::is_direct)
    }

    /// A group that he is in.
    pub(super) fn group(&mut self) -> ConversationId {
        self.one(|chat| !chat.is_direct() && chat.stay != Stay::Out).id
    }

    /// A group of his own.
    pub(super) fn own_group(&mut self) -> ConversationId {
        let heavy = self.data.people.heavy;
        self.one(|chat| !chat.is_direct() && chat.owner == heavy).id
    }

    /// A group that tells who has read what.
    pub(super) fn small_group(&mut self) -> ConversationId {
        self.one(|chat| {
            !chat.is_direct() && chat.stay != Stay::Out && chat.members.len() < RECEIPTS_MEMBERS_MAX
        })
        .id
    }

    pub(super) fn friend(&mut self) -> UserId {
        any(&mut self.random, &self.data.people.friends)
    }

    pub(super) fn stranger(&mut self) -> UserId {
        any(&mut self.random, &self.data.people.strangers)
    }

    /// So many of the others.
    pub(super) fn users(&mut self, count: usize) -> Vec<UserId> {
        super::seed::some(&mut self.random, &self.data.people.others, count)
    }

    /// A club that the heavy user is not in.
    pub(super) async fn club(&mut self, policy: JoinPolicy) -> Result<ConversationId, ApiError> {
        let clubs: Vec<_> =
            self.data.clubs.iter().filter(|club| club.policy == policy).map(|club| club.id).collect();
        let conversation = any(&mut self.random, &clubs);
        if self.joined.remove(&conversation) {
            self.ask(Who::Heavy, Call::Leave(ConversationArgument { conversation })).await?;
        }
        if self.applied.remove(&conversation) {
            let (user, client_msg_id) = (self.data.people.heavy, self.mint());
            let no = AnswerApplication { conversation, user, accept: false, client_msg_id };
            self.ask(Who::Peer, Call::AnswerApplication(no)).await?;
        }
        Ok(conversation)
    }

    /// The heavy user is in that club from now on, or will be.
    pub(super) fn joins(&mut self, conversation: ConversationId) -> GroupAct {
        self.joined.insert(conversation);
        GroupAct { conversation, client_msg_id: self.mint() }
    }

    /// He applies to it.
    pub(super) fn applies(&mut self, conversation: ConversationId) -> goim_proto::ApplyToGroup {
        self.applied.insert(conversation);
        goim_proto::ApplyToGroup { conversation, comment: "may I?".to_owned() }
    }

    /// He is in it, and left it, or his application was answered.
    pub(super) fn forget(&mut self, conversation: ConversationId) {
        self.joined.remove(&conversation);
        self.applied.remove(&conversation);
    }

    /// Makes a group of his peer's.
    pub(super) async fn new_group(&mut self) -> Result<ConversationId, ApiError> {
        let (members, client_msg_id) = (self.users(10), self.mint());
        let call = Call::CreateGroup(CreateGroup { name: "new".to_owned(), members, client_msg_id });
        match self.ask(Who::Peer, call).await? {
            Reply::Conversation(info) => Ok(info.conversation),
            _ => Err(ApiError::Unexpected("Conversation")),
        }
    }

    /// A group of the heavy user's own with a member who was added to it a moment ago.
    pub(super) async fn new_member(&mut self) -> Result<(ConversationId, UserId), ApiError> {
        let members = self.add_to_own_group().await?;
        let (conversation, user) = (members.conversation, members.users[0]);
        self.ask(Who::Heavy, Call::AddMembers(members)).await?;
        Ok((conversation, user))
    }

    /// Somebody whom the heavy user may add to a group of his own: a bot, who is nowhere yet.
    pub(super) async fn add_to_own_group(&mut self) -> Result<Members, ApiError> {
        let user = self.new_bot(Who::Peer).await?;
        let (conversation, client_msg_id) = (self.own_group(), self.mint());
        Ok(Members { conversation, users: vec![user], client_msg_id })
    }

    pub(super) async fn new_bot(&mut self, owner: Who) -> Result<UserId, ApiError> {
        let name = self.name("helper");
        match self.ask(owner, Call::CreateBot(goim_proto::CreateBot { name })).await? {
            Reply::BotToken(bot) => Ok(bot.user),
            _ => Err(ApiError::Unexpected("BotToken")),
        }
    }

    /// Makes friends of the heavy user and his peer, or leaves it at a request of the peer's.
    pub(super) async fn meet(&mut self, accept: bool) -> Result<UserId, ApiError> {
        let (heavy, peer) = (self.data.people.heavy, self.data.people.peer);
        if self.friends && !accept {
            self.ask(Who::Heavy, Call::DeleteFriend(UserArgument { user: peer })).await?;
            let request = goim_proto::RequestFriend { user: heavy, greeting: "again?".to_owned() };
            self.ask(Who::Peer, Call::RequestFriend(request)).await?;
        }
        if accept && !self.friends {
            let request = goim_proto::RequestFriend { user: heavy, greeting: "again?".to_owned() };
            self.ask(Who::Peer, Call::RequestFriend(request)).await?;
            let answer = goim_proto::AnswerFriend { user: peer, accept };
            self.ask(Who::Heavy, Call::AnswerFriend(answer)).await?;
        }
        Ok(peer)
    }

    pub(super) fn send(&mut self, conversation: ConversationId) -> Call {
        let (client_msg_id, body) = (self.mint(), self.text().encode());
        Call::Send(Send { conversation, client_msg_id, body, ..Send::default() })
    }

    /// A message that the heavy user sent a moment ago.
    pub(super) async fn said(&mut self) -> Result<(ConversationId, Seq), ApiError> {
        let conversation = self.chat();
        let send = self.send(conversation);
        match self.ask(Who::Heavy, send).await? {
            Reply::Sent(sent) => Ok((conversation, sent.seq)),
            _ => Err(ApiError::Unexpected("Sent")),
        }
    }

    /// A message of a conversation that he may read, of any age.
    pub(super) async fn message(&mut self, conversation: ConversationId) -> Result<Seq, ApiError> {
        let place = self.data.mine.binary_search_by_key(&conversation, |chat| chat.id);
        let head = place.map_or(Seq::FIRST, |at| self.data.mine[at].view().head);
        let before = Seq::new(self.random.random_range(1..=head.as_u64()));
        for before in [before, Seq::ZERO] {
            let call = Call::History(History { conversation, before, limit: MESSAGES_AT_ONCE });
            let Reply::History(page) = self.ask(Who::Heavy, call).await? else { continue };
            let blank = |body: &[u8]| matches!(Content::decode(body), Ok(Content::Blank(_)) | Err(_));
            if let Some(entry) = page.entries.iter().find(|entry| !blank(&entry.body)) {
                return Ok(entry.seq);
            }
        }
        // There is none yet.
        let send = self.send(conversation);
        match self.ask(Who::Heavy, send).await? {
            Reply::Sent(sent) => Ok(sent.seq),
            _ => Err(ApiError::Unexpected("Sent")),
        }
    }

    pub(super) fn many_users(&mut self) -> UserList {
        UserList { users: self.users(100) }
    }
}
