//! The wire format of goim: MessagePack frames over QUIC and WebSocket, and the same types in JSON.
//!
//! In the data's way:
//! [`frame`] cuts a byte stream into frames, [`ClientFrame`] and [`ServerFrame`] are what is in
//! them, [`Call`] and [`Reply`] are every request and its answer, [`Content`] is what an entry's
//! body holds.
//!
//! ```
//! use bytes::{Bytes, BytesMut};
//! use goim_core::{ClientMsgId, ConversationId};
//! use goim_proto::{Call, ClientFrame, Content, FrameReader, Request, Send, Slice, decode, encode_frame};
//!
//! // A client writes a request …
//! let send = Send {
//!     conversation: ConversationId::new(7),
//!     client_msg_id: ClientMsgId::mint(1_700_000_000_000, &[1; 10]),
//!     body: Content::text("hello").encode(),
//!     ..Send::default()
//! };
//! let mut wire = BytesMut::new();
//! encode_frame(&ClientFrame::Request(Request { id: 1, call: Call::Send(send) }), &mut wire).unwrap();
//!
//! // … and a server reads it; the body is a slice of the frame's buffer.
//! let mut reader = FrameReader::default();
//! reader.buffer().extend_from_slice(&wire);
//! let frame: Bytes = reader.next_frame().unwrap().unwrap();
//! let ClientFrame::Request(request) = decode::<ClientFrame<Slice<'_>>>(&frame).unwrap() else { panic!() };
//! let Call::Send(send) = request.call else { panic!() };
//! assert_eq!(Content::decode(&send.body).unwrap(), Content::text("hello"));
//! ```
//!
//! # Growing
//!
//! Fields are positional and only ever appended; codes are integers and never reused. A shorter
//! array means defaults, a longer one is cut, an unknown code decodes as `Unknown`. The macros in
//! [`wire`] see to that for every type at once, in JSON too, where fields have names; [`shape`] says what
//! that looks like.
//!
//! What is written is frozen in `tests/golden`. Whoever appends a field moves the old lines there
//! to `older.txt`, for peers that still write them, and adds its row to `docs/PROTOCOL.md`, which
//! tells clients in other languages all of this. Tests fail until both are done.

#[macro_use]
mod macros;

pub mod call;
pub mod content;
pub mod error;
pub mod frame;
mod json;
pub mod limits;
pub mod push;
pub mod reply;
pub mod shape;
pub mod splice;
pub mod version;
pub mod wire;

pub use call::*;
pub use content::{
    BlankReason, Content, ContentError, CustomContent, FileContent, ImageContent, References, TextContent,
};
pub use error::{Error, ErrorCode};
pub use frame::{FrameError, FrameReader, encode_frame};
pub use push::*;
pub use reply::*;
pub use shape::{Describe, Shape};
pub use splice::EncodedEntry;
pub use version::{ALPN, INSTANCE_HEADER, PROTOCOL_VERSION};
pub use wire::{Decode, DecodeError, Encode, Slice, decode, encode};
