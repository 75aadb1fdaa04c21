//! The bounds that both sides know.

/// A frame's array, without its length prefix. A pull of the largest texts fits 15 of them.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// A text, in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// An encoded body: the largest text, with room for what a content carries beside it.
pub const BODY_BYTES_MAX: usize = TEXT_BYTES_MAX + 4 * 1024;

/// Users whom one message mentions by name: 900 bytes of the room beside the largest text.
pub const MENTIONS_MAX: usize = 100;

/// What one reacts with, in bytes of UTF-8: the longest emoji sequences have 35, all in use 28.
pub const EMOJI_BYTES_MAX: usize = 32;

/// Kinds of reactions to one message: at 46 bytes each, a page of 256 KiB of them has at least 270
/// messages.
pub const REACTIONS_MAX: usize = 20;

/// How often one message is edited; each edit is blanked when it is recalled.
pub const EDITS_MAX: usize = 100;

/// Messages that one call deletes.
pub const DELETIONS_MAX: usize = 100;

/// The key of an upload, in bytes of UTF-8.
pub const UPLOAD_KEY_BYTES_MAX: usize = 128;

/// The name of a file, in bytes of UTF-8: what file systems allow.
pub const FILE_NAME_BYTES_MAX: usize = 256;

/// A media type, in bytes: its two names have up to 127 (RFC 6838, 4.2), and hardly ever 60 together.
pub const MEDIA_TYPE_BYTES_MAX: usize = 128;

/// Entries in the answer to one pull or history call: with the median chat line of 44 bytes and
/// about 40 bytes around it, 80 KiB.
pub const PULL_LIMIT_MAX: u32 = 1_000;

/// Positions in one commit or sync call: at most 20 bytes each, 20 KiB. Conversations in one heads call.
pub const POSITIONS_MAX: usize = 1_000;

/// Conversations in one page of a sync answer: at most 50 bytes each, 100 KiB.
pub const SYNC_LIMIT_MAX: u32 = 2_048;

/// Users named in one call.
pub const USERS_MAX: usize = 1_000;

/// A user's or a group's name, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 64;

/// A reference to a picture, in bytes of UTF-8.
pub const AVATAR_BYTES_MAX: usize = 128;

/// What a user says about himself, in bytes of UTF-8.
pub const BIO_BYTES_MAX: usize = 512;

/// What a group's members shall know, in bytes of UTF-8.
pub const ANNOUNCEMENT_BYTES_MAX: usize = 4_096;

/// What is written with a request to be friends or an application, in bytes of UTF-8.
pub const GREETING_BYTES_MAX: usize = 256;

/// Items in one page of a list of people, of conversations or of found messages: at 1 KiB for a profile of the longest,
/// 100 KiB.
pub const PAGE_LIMIT_MAX: u32 = 100;

/// A token of an issuer outside, in bytes: one that lists the many groups of its user has 4 KiB.
pub const EXTERNAL_TOKEN_BYTES_MAX: usize = 8 * 1024;

/// What messages are searched for by, in bytes of UTF-8.
pub const QUERY_BYTES_MAX: usize = 256;

/// Words of a query. Where a script has no spaces, each two characters beside each other are one.
pub const QUERY_WORDS_MAX: usize = 32;

/// A sequence's name, in bytes of ASCII.
pub const SEQUENCE_NAME_BYTES_MAX: usize = 64;

/// Numbers of a sequence in one call: a tenth of what a server takes of the store at once.
pub const ALLOCATE_COUNT_MAX: u32 = 1_000;

/// Levels of arrays within arrays. The answer to a history call needs 8.
pub const DEPTH_MAX: usize = 16;

/// Items of one list: twice what any call, answer or content holds. An item of one byte can
/// become 100 in memory, so a frame of nothing else makes its reader hold 400 KiB and not 100 MiB.
pub const ITEMS_MAX: usize = 4_096;

/// A datagram's payload that every path carries: QUIC's least MTU of 1,200 bytes less the headers
/// of packet and frame.
pub const DATAGRAM_BYTES_MIN: usize = 1_150;
