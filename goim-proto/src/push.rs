//! The frames: what each side writes, of its own accord or in answer.

use goim_core::{ConversationId, Entry, Epoch, Seq, UserId};

use crate::{Authenticate, Call, Reply, SessionInfo};

wire_enum! {
    /// What a client writes.
    pub enum ClientFrame<B> {
        /// The first frame on the control stream.
        1 => Hello(Hello),
        /// A call.
        2 => Request(Request<B>),
        /// A notification arrived. Also in datagrams.
        3 => Ack(Ack),
    }
}

wire_struct! {
    /// The first frame of a client.
    pub struct Hello {
        /// The client's protocol version.
        pub version: u32,
        /// The client's name and version, for logs.
        pub agent: String,
        /// Opens a session at once.
        pub authenticate: Option<Authenticate>,
        /// Whether the client takes notifications in datagrams.
        pub datagrams: bool,
    }
}

wire_struct! {
    /// A call with the number that its answer will carry.
    pub struct Request<B> {
        /// Unique among the connection's unanswered requests.
        pub id: u64,
        /// What to do.
        pub call: Call<B>,
    }
}

wire_struct! {
    /// A client has learnt of a head.
    pub struct Ack {
        /// Of which conversation.
        pub conversation: ConversationId,
        /// Which head.
        pub head: Seq,
    }
}

wire_enum! {
    /// What a server writes.
    pub enum ServerFrame<B> {
        /// The answer to `Hello`.
        1 => Welcome(Welcome),
        /// The answer to a request.
        2 => Reply(ReplyTo<B>),
        /// A conversation has reached a head. Also in datagrams.
        3 => Notification(Notification<B>),
        /// The server will close the connection: go on elsewhere, or later.
        4 => GoAway(GoAway),
        /// Something that passes: of no log, never repeated, and lost if it finds no room. Also in datagrams.
        5 => Ephemeral(Ephemeral),
    }
}

wire_enum! {
    /// What happens and passes.
    pub enum Ephemeral {
        /// Somebody is typing.
        1 => Typing(Typing),
        /// A friend has changed his profile.
        2 => ProfileChanged(ProfileChanged),
    }
}

wire_struct! {
    /// Somebody is writing a message, as of a few seconds ago.
    pub struct Typing {
        /// Where.
        pub conversation: ConversationId,
        /// Who.
        pub user: UserId,
    }
}

wire_struct! {
    /// Somebody has another profile than before.
    pub struct ProfileChanged {
        /// Who.
        pub user: UserId,
        /// The version of his profile now.
        pub version: u64,
    }
}

wire_struct! {
    /// The first frame of a server.
    pub struct Welcome {
        /// The server's protocol version.
        pub version: u32,
        /// The server's time, in milliseconds since the Unix epoch; message ids are minted on it.
        pub server_time_ms: u64,
        /// The store's epoch.
        pub epoch: Epoch,
        /// Bytes of sends that may be unanswered on a connection before its stream is not read.
        pub in_flight_bytes_max: u64,
        /// Who the connection speaks for, if `Hello` authenticated.
        pub session: Option<SessionInfo>,
        /// Why it did not, if it tried.
        pub refused: Option<crate::Error>,
    }
}

wire_struct! {
    /// An answer with the number of its request.
    pub struct ReplyTo<B> {
        /// The request's number.
        pub id: u64,
        /// The answer.
        pub reply: Reply<B>,
    }
}

wire_struct! {
    /// A hint: a conversation has reached a head.
    pub struct Notification<B> {
        /// Which conversation.
        pub conversation: ConversationId,
        /// Its head.
        pub head: Seq,
        /// The store's epoch.
        pub epoch: Epoch,
        /// The user's own read marker.
        pub read_marker: Seq,
        /// Entries that ride along, contiguous, in order.
        pub entries: Vec<Entry<B>>,
    }
}

wire_code! {
    /// Why a server says good-bye.
    pub enum GoAwayReason {
        /// It shuts down.
        1 => Shutdown,
        /// The session's token ended or was revoked.
        2 => SessionEnded,
        /// The client broke the protocol.
        3 => ProtocolError,
    }
}

wire_struct! {
    /// The last frame of a server.
    pub struct GoAway {
        /// Why.
        pub reason: GoAwayReason,
        /// When to come back, in milliseconds.
        pub retry_after_ms: u64,
        /// What is wrong and what to do, for people.
        pub message: String,
    }
}
