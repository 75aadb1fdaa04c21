//! Users of a server, and what they say to each other.

use std::net::SocketAddr;

use bytes::Bytes;
use goim_core::{ClientMsgId, ConversationId, Seq, UserId};
use goim_proto::{
    AnswerFriend, Authenticate, Call, Content, CreateBot, CreateGroup, Credentials, Error, Pull, Pulled,
    Reply, RequestFriend, Send, Sent, Session, SessionInfo, Start, Sync, Synced, UserArgument,
};

use super::{RawClient, mint};

impl RawClient {
    /// A new user with a session and a first sync.
    pub async fn user(addr: SocketAddr, name: &str) -> Self {
        let mut client = Self::hello(addr).await;
        let session = client.register(name).await;
        client.authenticate(&session.access_token).await;
        client.sync().await;
        client
    }

    /// A bot of `owner`'s with a session and a first sync: no password is hashed.
    pub async fn bot(&mut self, addr: SocketAddr, name: &str) -> Self {
        let reply = self.call(Call::CreateBot(CreateBot { name: name.into() })).await.unwrap();
        let Reply::BotToken(bot) = reply else { panic!("{reply:?}") };
        let mut client = Self::hello(addr).await;
        client.authenticate(&bot.token).await;
        client.sync().await;
        client
    }

    pub async fn register(&mut self, name: &str) -> Session {
        match self.call(Call::Register(credentials(name))).await.unwrap() {
            Reply::Session(session) => session,
            other => panic!("{other:?}"),
        }
    }

    pub async fn authenticate(&mut self, token: &str) -> SessionInfo {
        let arguments = Authenticate { token: token.into(), instance: String::new() };
        match self.call(Call::Authenticate(arguments)).await.unwrap() {
            Reply::Authenticated(session) => {
                self.session = Some(session.clone());
                session
            }
            other => panic!("{other:?}"),
        }
    }

    pub async fn sync(&mut self) -> Synced {
        let sync = Sync { start: Start::Now, ..Sync::default() };
        match self.call(Call::Sync(sync)).await.unwrap() {
            Reply::Synced(synced) => synced,
            other => panic!("{other:?}"),
        }
    }

    pub fn me(&self) -> UserId {
        self.session.as_ref().unwrap().user
    }

    pub async fn group(&mut self, members: Vec<UserId>) -> ConversationId {
        let group = CreateGroup { name: "group".into(), members, client_msg_id: mint() };
        match self.call(Call::CreateGroup(group)).await.unwrap() {
            Reply::Conversation(info) => info.conversation,
            other => panic!("{other:?}"),
        }
    }

    pub async fn direct(&mut self, user: UserId) -> Result<ConversationId, Error> {
        match self.call(Call::OpenDirect(UserArgument { user })).await? {
            Reply::Conversation(info) => Ok(info.conversation),
            other => panic!("{other:?}"),
        }
    }

    /// Makes the two friends.
    pub async fn befriend(&mut self, other: &mut Self) {
        let request = RequestFriend { user: other.me(), greeting: String::new() };
        assert_eq!(self.call(Call::RequestFriend(request)).await, Ok(Reply::Done));
        let answer = AnswerFriend { user: self.me(), accept: true };
        assert_eq!(other.call(Call::AnswerFriend(answer)).await, Ok(Reply::Done));
    }

    pub async fn text(&mut self, conversation: ConversationId, text: &str) -> Result<Sent, Error> {
        self.send_body(conversation, mint(), Content::text(text).encode()).await
    }

    pub async fn send_body(
        &mut self,
        conversation: ConversationId,
        client_msg_id: ClientMsgId,
        body: Bytes,
    ) -> Result<Sent, Error> {
        let send = Send { conversation, client_msg_id, body, ..Send::default() };
        match self.call(Call::Send(send)).await? {
            Reply::Sent(sent) => Ok(sent),
            other => panic!("{other:?}"),
        }
    }

    pub async fn pull(&mut self, conversation: ConversationId, after: u64) -> Result<Pulled, Error> {
        let pull = Pull { conversation, after: Seq::new(after), limit: 0 };
        match self.call(Call::Pull(pull)).await? {
            Reply::Pulled(pulled) => Ok(pulled),
            other => panic!("{other:?}"),
        }
    }

    /// The texts of a conversation after a seq, however many pulls it takes.
    pub async fn texts(&mut self, conversation: ConversationId, after: u64) -> Vec<String> {
        let mut texts = Vec::new();
        let mut after = after;
        loop {
            let pulled = self.pull(conversation, after).await.unwrap();
            for entry in &pulled.entries {
                if let Some(text) = Content::decode(&entry.body).unwrap().as_text() {
                    texts.push(text.to_owned());
                }
            }
            if pulled.through >= pulled.head {
                return texts;
            }
            after = pulled.through.as_u64();
        }
    }
}

pub fn credentials(name: &str) -> Credentials {
    Credentials { name: name.into(), password: "correct horse".into(), device_name: String::new() }
}
