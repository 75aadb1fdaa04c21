//! The Rust SDK of goim: connect, send, subscribe; bots.
//!
//! ```no_run
//! use futures_util::StreamExt;
//! use goim_client::{Client, Content};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // A server prints its fingerprint when it starts.
//!     let fingerprint = [0x5a; 32];
//!     let alice = Client::builder("127.0.0.1:4433").fingerprint(fingerprint).connect().await?;
//!     alice.register("alice", "correct horse battery staple").await?;
//!
//!     let group = alice.create_group("friends", &[]).await?;
//!     let mut messages = alice.subscribe(group);
//!
//!     // Sends are pipelined: the first await keeps the message, the second one waits until the
//!     // server has it on disk.
//!     let sending = alice.send(group, Content::text("hello")).await?;
//!     let sent = sending.await?;
//!     println!("stored as number {}", sent.seq);
//!
//!     while let Some(message) = messages.next().await {
//!         println!("{}: {:?}", message.sender(), message.text());
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # What is guaranteed
//!
//! An acknowledged message is durable at the server, and stored once however often it had to be
//! sent. What one client sends to one conversation keeps the order of the calls. A subscription
//! hands out every entry behind the offset once and in order, whatever happened to connections;
//! after a crash it goes on behind the committed offset.
//!
//! # Files
//!
//! Avatars and attachments go over HTTP: say where with `ClientBuilder::http`, then
//! `Client::upload_attachment` takes bytes, a file or anything that is read, and what it returns makes a
//! message. The feature `files`, which is on by default, has all of it.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod backoff;
mod bot;
mod calls;
mod client;
mod driver;
mod error;
mod event;
#[cfg(feature = "files")]
mod files;
mod link;
mod local_store;
mod options;
mod outbox;
mod pending;
mod session;
mod shared;
mod subscription;
mod transport;

pub use bot::Bot;
pub use client::{Client, Sending};
#[cfg(feature = "files")]
pub use error::FileError;
pub use error::{CallError, ConnectError, LocalStoreError, SendError};
pub use event::Event;
#[cfg(feature = "files")]
pub use files::{Download, FileSource, StoredFile};
pub use goim_core::{ClientMsgId, ConversationId, DeviceId, Entry, Epoch, Seq, UserId};
pub use goim_proto::{
    AccountSettings, Application, ApplicationPage, Audience, BlankReason, BlockedPage, BotToken, Content,
    ConversationInfo, ConversationItem, ConversationKind, ConversationPage, ConversationUpdate, DeviceInfo,
    DevicePage, Error as ServerError, ErrorCode, FileContent, FoundMessage, FoundPage, Friend, FriendPage,
    FriendRequest, FriendRequestPage, Gender, GroupChange, GroupInfo, HistoryFrom, HistoryPage, ImageContent,
    JoinPolicy, MemberInfo, MessageForm, MessagePage, Position, Presence, PresenceState, Profile,
    ProfileUpdate, Reactions, ReaderList, Receipt, References, RequestState, Role, Sent, SequenceKind,
    Session, SessionInfo, SettingsUpdate, Start, SyncItem, TextContent, User, Viewers,
};
pub use local_store::{LocalStore, MemoryStore, OutgoingMessage, SqliteStore};
pub use options::{ClientBuilder, CommitPolicy};
pub use subscription::{Message, Subscription};
pub use transport::Transport;
