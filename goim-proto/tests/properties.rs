//! What holds for every frame: nothing is lost on the way, nothing that comes makes us panic, and
//! nothing is copied that need not be.

mod support;

use bytes::{Bytes, BytesMut};
use goim_core::{ClientMsgId, ConversationId, Entry, Epoch, Seq};
use goim_proto::content::{CustomContent, FileContent, GroupCreated, ImageContent, Place, TextContent};
use goim_proto::limits::{MEDIA_TYPE_BYTES_MAX, TEXT_BYTES_MAX, UPLOAD_KEY_BYTES_MAX};
use goim_proto::splice::{NotificationHead, PulledHead, notification_frame, pulled_frame};
use goim_proto::{
    Ack, Authenticate, BotToken, Call, ClientFrame, Content, ConversationInfo, CreateGroup, Credentials,
    Decode, EncodedEntry, Ephemeral, Error, FrameReader, GoAway, HeadList, Hello, History, HistoryPage,
    ListMembers, Member, MemberInfo, MemberPage, Members, Notification, Position, Pull, Pulled,
    RefusedOffset, Rename, Reply, ReplyTo, Request, Send, Sent, ServerFrame, Session, SessionInfo, Slice,
    Sync, SyncItem, Synced, User, Welcome, decode, encode_frame,
};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::Index;
use proptest::strategy::{BoxedStrategy, Strategy};
use proptest::test_runner::{FileFailurePersistence, TestCaseError, TestRunner};
use support::any::{self, Any};
use support::tree::{Tree, strange};
use support::value::Value;

/// Seeds of failures are kept beside this file, and are to be committed.
fn config(cases: u32) -> ProptestConfig {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/properties.proptest-regressions");
    let failure_persistence = Some(Box::new(FileFailurePersistence::Direct(seeds)) as _);
    ProptestConfig { cases, failure_persistence, ..ProptestConfig::default() }
}

/// The array of any frame, or of any content.
fn wire() -> BoxedStrategy<Vec<u8>> {
    prop_oneof![
        ClientFrame::any().prop_map(|frame| frame.wire()),
        ServerFrame::any().prop_map(|frame| frame.wire()),
        Content::any().prop_map(|content| content.wire()),
    ]
    .boxed()
}

fn round_trip<T: Any + Value + for<'de> Decode<'de>>(value: &T) {
    value.assert_decodes_from(&value.wire(), "the value");
    value.assert_decodes_from_json(&value.json(), "the value");
    value.assert_decodes_from(&value.tree().wire(), "what the tests take the value for");
}

/// Decodes as everything that decodes; what comes out goes round once more unchanged.
fn decode_as_all(bytes: &[u8]) -> Result<(), TestCaseError> {
    fn again<T: Value + PartialEq + core::fmt::Debug + for<'de> Decode<'de>>(
        bytes: &[u8],
    ) -> Result<(), TestCaseError> {
        if let Ok(value) = decode::<T>(bytes) {
            prop_assert_eq!(decode::<T>(&value.wire()).ok(), Some(value));
        }
        Ok(())
    }
    again::<ClientFrame>(bytes)?;
    again::<ServerFrame>(bytes)?;
    again::<Content>(bytes)?;
    // Whatever can be sent can be read.
    prop_assert!(Content::check(bytes).is_err() || Content::decode(bytes).is_ok());
    drop(decode::<ClientFrame<Slice<'_>>>(bytes));
    let mut reader = FrameReader::default();
    reader.buffer().extend_from_slice(bytes);
    while let Ok(Some(_)) = reader.next_frame() {}
    Ok(())
}

proptest! {
    #![proptest_config(config(1_024))]

    #[test]
    fn a_client_frame_survives_the_way(frame in ClientFrame::any()) {
        round_trip(&frame);
    }

    #[test]
    fn a_server_frame_survives_the_way(frame in ServerFrame::any()) {
        round_trip(&frame);
    }

    #[test]
    fn a_content_survives_the_way(content in Content::any()) {
        round_trip(&content);
        prop_assert_eq!(Content::decode(&content.encode()).unwrap(), content);
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known(frame in ServerFrame::any(), first in 0_usize..12) {
        frame.assert_decodes_from(&frame.tree().grown(&mut strange(first)).wire(), "grown");
    }

    #[test]
    fn a_frame_that_was_cut_is_an_error(wire in wire(), at in proptest::arbitrary::any::<Index>()) {
        let cut = &wire[..at.index(wire.len())];
        prop_assert!(decode::<ClientFrame>(cut).is_err());
        prop_assert!(decode::<ServerFrame>(cut).is_err());
        prop_assert!(decode::<Content>(cut).is_err());
        prop_assert!(Content::check(cut).is_err());
    }

    #[test]
    fn no_bytes_panic(bytes in vec(proptest::arbitrary::any::<u8>(), 0..200)) {
        decode_as_all(&bytes)?;
    }

    /// Noise seldom gets past the first byte; frames with a few wrong bytes get anywhere.
    #[test]
    fn no_damaged_frame_panics(
        mut wire in wire(),
        damage in vec((proptest::arbitrary::any::<Index>(), proptest::arbitrary::any::<u8>()), 1..6),
    ) {
        for (at, byte) in damage {
            let at = at.index(wire.len());
            wire[at] = byte;
        }
        decode_as_all(&wire)?;
    }

    #[test]
    fn frames_are_the_same_however_they_arrive(
        frames in vec(ClientFrame::any(), 1..6),
        chunks in vec(1_usize..40, 1..10),
    ) {
        let mut stream = BytesMut::new();
        frames.iter().for_each(|frame| encode_frame(frame, &mut stream).unwrap());
        let (mut reader, mut read, mut rest) = (FrameReader::default(), Vec::new(), &stream[..]);
        for chunk in chunks.iter().cycle() {
            let (now, later) = rest.split_at(rest.len().min(*chunk));
            reader.buffer().extend_from_slice(now);
            while let Some(frame) = reader.next_frame().unwrap() {
                read.push(decode::<ClientFrame>(&frame).unwrap());
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(read, frames);
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn a_body_passes_through_as_a_slice_of_the_frame_and_is_kept_as_an_exact_copy(send in Send::any()) {
        let request = Request { id: 1, call: Call::Send(send.clone()) };
        let mut reader = FrameReader::default();
        encode_frame(&ClientFrame::Request(request), reader.buffer()).unwrap();
        let arrived = reader.buffer().as_ptr_range();
        let frame = reader.next_frame().unwrap().unwrap();
        prop_assert!(arrived.contains(&frame.as_ptr()), "the frame was copied out of the buffer");

        let ClientFrame::Request(request) = decode::<ClientFrame<Slice<'_>>>(&frame).unwrap() else { panic!() };
        let Call::Send(borrowed) = request.call else { panic!() };
        // Panics unless it lies within the frame.
        let passed = if borrowed.body.is_empty() { Bytes::new() } else { frame.slice_ref(&borrowed.body) };
        prop_assert_eq!(&passed, &send.body);

        let ClientFrame::Request(request) = decode::<ClientFrame>(&frame).unwrap() else { panic!() };
        let Call::Send(kept) = request.call else { panic!() };
        prop_assert!(!frame.as_ptr_range().contains(&kept.body.as_ptr()) || kept.body.is_empty());
        prop_assert_eq!(capacity(kept.body), send.body.len());
    }

    #[test]
    fn what_is_encoded_to_be_kept_has_its_exact_size(content in Content::any(), entry in Entry::any()) {
        let body = content.encode();
        let length = body.len();
        prop_assert_eq!(capacity(body), length);
        let bytes = EncodedEntry::new(&entry).bytes().clone();
        let length = bytes.len();
        prop_assert_eq!(&bytes[..], entry.wire());
        prop_assert_eq!(capacity(bytes), length);
    }

    #[test]
    fn splicing_equals_encoding(
        id in u64::any(),
        (conversation, epoch) in (ConversationId::any(), Epoch::any()),
        (head, other) in (Seq::any(), Seq::any()),
        entries in vec(Entry::any(), 0..20),
    ) {
        let encoded: Vec<_> = entries.iter().map(EncodedEntry::new).collect();
        let (mut whole, mut spliced) = (BytesMut::new(), BytesMut::new());
        let plain = Notification { conversation, head, epoch, read_marker: other, entries: entries.clone() };
        encode_frame(&ServerFrame::Notification(plain), &mut whole).unwrap();
        let start = NotificationHead { conversation, head, epoch, read_marker: other };
        notification_frame(&start, &encoded, &mut spliced).unwrap();
        prop_assert_eq!(&whole, &spliced);

        let reply = Reply::Pulled(Pulled { entries, through: other, head, epoch });
        encode_frame(&ServerFrame::Reply(ReplyTo { id, reply }), &mut whole).unwrap();
        pulled_frame(&PulledHead { id, through: other, head, epoch }, &encoded, &mut spliced).unwrap();
        prop_assert_eq!(whole, spliced);
    }

    #[test]
    fn clients_may_send_texts_with_a_character_and_customs_and_nothing_else(content in Content::any()) {
        let may = match &content {
            Content::Text(TextContent { text, .. }) => !text.is_empty() && text.len() <= TEXT_BYTES_MAX,
            // Made-up names have up to 40 characters of 4 bytes, which none is too long for.
            Content::Image(ImageContent { key, media_type, .. })
            | Content::File(FileContent { key, media_type, .. }) => {
                let fits = key.len() <= UPLOAD_KEY_BYTES_MAX && media_type.len() <= MEDIA_TYPE_BYTES_MAX;
                !key.is_empty() && fits
            }
            Content::Custom(_) => true,
            _ => false,
        };
        prop_assert_eq!(Content::check(&content.encode()).is_ok(), may);
    }
}

/// The memory that these bytes hold, of which nobody else has a part.
#[allow(clippy::expect_used, reason = "a test that cannot go on has failed")]
fn capacity(bytes: Bytes) -> usize {
    // Empty ones hold none and belong to nobody.
    if bytes.is_empty() { 0 } else { bytes.try_into_mut().expect("they are shared").capacity() }
}

/// A shorter array means defaults for the rest, for every struct and every length.
#[test]
fn a_shorter_array_is_filled_up_with_defaults() {
    macro_rules! shorter {
        ($($ty:ty)*) => {$( shorter::<$ty>(); )*};
    }
    shorter! {
        Hello Ack Welcome Notification GoAway Error Credentials Authenticate CreateGroup Members Member
        Rename ListMembers Position Sync Send Pull History Session SessionInfo BotToken User
        ConversationInfo MemberInfo MemberPage SyncItem Synced HeadList Sent Pulled HistoryPage
        RefusedOffset CustomContent GroupCreated Place Entry<Bytes>
    }
}

#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
fn shorter<T: Any + Value + for<'de> Decode<'de>>() {
    let absent = T::absent().tree();
    let check = |value: T| {
        let whole = value.tree();
        for sent in 0..whole.items().len() {
            let short = Tree::Fields(whole.items()[..sent].to_vec());
            let mut filled = whole.items()[..sent].to_vec();
            filled.extend_from_slice(&absent.items()[sent..]);
            let read = decode::<T>(&short.wire()).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(read.tree(), Tree::Fields(filled));
        }
        Ok(())
    };
    TestRunner::new(config(64)).run(&T::any(), check).unwrap();
}

#[test]
fn every_variant_is_made_up() {
    let codes = [
        ("ClientFrame", ClientFrame::<Bytes>::CODES),
        ("ServerFrame", ServerFrame::<Bytes>::CODES),
        ("Ephemeral", Ephemeral::CODES),
        ("Call", Call::<Bytes>::CODES),
        ("Reply", Reply::<Bytes>::CODES),
        ("Content", Content::CODES),
    ];
    for ((name, codes), (same, variants)) in codes.iter().zip(any::VARIANTS) {
        assert_eq!(name, same);
        for (_, variant) in *codes {
            assert!(variants.contains(variant), "any.rs lacks {name}::{variant}");
        }
    }
}

#[test]
fn a_list_that_only_claims_to_be_long_takes_no_memory() {
    // A pull's answer with 2^32 - 1 entries, of which none comes.
    let claim = b"\x92\x02\x92\x07\x92\x2b\x91\xdd\xff\xff\xff\xff";
    assert!(decode::<ServerFrame>(claim).is_err());
    // A body of 4 GiB, of which 1 byte comes.
    let claim = b"\x92\x02\x92\x07\x92\x2a\x95\x01\xc0\xc0\xc2\xc6\xff\xff\xff\xff\x00";
    assert!(decode::<ClientFrame>(claim).is_err());
}

#[test]
fn json_strings_need_not_be_borrowed() {
    let from_reader = |json: &'static str| {
        ConversationId::decode(&mut serde_json::Deserializer::from_reader(json.as_bytes())).unwrap()
    };
    assert_eq!(from_reader(r#""301""#), ConversationId::new(301));
    assert_eq!(from_reader(r#""\u0033""#), ConversationId::new(3));
    assert!(ConversationId::decode(&mut serde_json::Deserializer::from_str("301")).is_err());
    assert!(Bytes::decode(&mut serde_json::Deserializer::from_str(r#""no Base64!""#)).is_err());
    assert!(Slice::decode(&mut serde_json::Deserializer::from_str(r#""aGk=""#)).is_err());
    let json = r#""018bcfe5-6804-7404-8404-040404040404""#;
    let id = ClientMsgId::decode(&mut serde_json::Deserializer::from_reader(json.as_bytes())).unwrap();
    assert_eq!(id, ClientMsgId::mint(1_700_000_000_004, &[4; 10]));
}
