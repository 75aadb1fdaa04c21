//! What fuzzing found, so that it stays found.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use bytes::Bytes;
use goim_core::Seq;
use goim_proto::content::{Edited, EncodedContent};
use goim_proto::limits::ITEMS_MAX;
use goim_proto::{Call, ClientFrame, Content, Decode, Encode, ServerFrame, Slice, decode};
use serde_json::{Value as Json, json};

/// Borrowed bytes could be a string on the wire, copied ones could not: so a server took a body that
/// no client could read.
#[test]
fn bytes_that_came_as_a_string_are_read_wherever_they_are_taken() {
    let body = b"\x92\x02\x92\xa4kind\xa4data";
    assert_eq!(Content::check(body).unwrap().code, 2);
    let Content::Custom(custom) = Content::decode(body).unwrap() else { panic!() };
    assert_eq!(&custom.data[..], b"data");

    let id = [0; 16];
    let send = [&b"\x92\x02\x92\x07\x92\x2a\x95\x01\xc4\x10"[..], &id, b"\xc0\xc2\xa4body"].concat();
    let ClientFrame::Request(copied) = decode::<ClientFrame>(&send).unwrap() else { panic!() };
    let ClientFrame::Request(borrowed) = decode::<ClientFrame<Slice<'_>>>(&send).unwrap() else { panic!() };
    let (Call::Send(copied), Call::Send(borrowed)) = (copied.call, borrowed.call) else { panic!() };
    assert_eq!(&copied.body[..], &borrowed.body[..]);
}

/// An entry of one byte became a hundred in memory, a million times in one frame.
#[test]
fn a_list_of_nothings_is_refused_before_it_fills_the_memory() {
    let notification = |entries: u32| {
        let mut frame = b"\x92\x03\x95\x01\x01\x01\x01\xdd".to_vec();
        frame.extend(entries.to_be_bytes());
        frame.extend(std::iter::repeat_n(0x90, entries as usize));
        decode::<ServerFrame>(&frame).map(|_| ()).map_err(|error| error.to_string())
    };
    let items_max = u32::try_from(ITEMS_MAX).unwrap();
    assert_eq!(notification(items_max), Ok(()));
    assert!(notification(items_max + 1).unwrap_err().contains("4096 items"));
}

fn edit(body: Bytes) -> Content {
    Content::Edited(Edited { seq: Seq::new(5), body: EncodedContent(body) })
}

fn written(content: &Content) -> Json {
    Encode::encode(content, serde_json::value::Serializer).unwrap()
}

/// Each level of bytes became two of JSON, on the stack of whoever wrote it: a body of 68 KiB has thousands.
#[test]
fn an_edit_of_an_edit_is_no_deeper_in_json_than_one() {
    let nothing = json!({"Edited": {"seq": "5", "body": {"Unknown": 0}}});
    let body = (0..6_000).fold(Content::MemberLeft.encode(), |body, _| edit(body).encode());
    assert_eq!(written(&Content::decode(&body).unwrap()), nothing);
    let twice = json!({"Edited": {"body": {"Edited": {"body": {"MemberLeft": {}}}}}});
    assert!(<Content as Decode>::decode(twice).unwrap_err().to_string().contains("not of another edit"));
}

/// It was an `Unknown` that MessagePack, which has only its code, read as what it is.
#[test]
fn a_variant_that_is_known_is_not_unknown_in_json_either() {
    let read = |json: Json| <Content as Decode>::decode(json).unwrap();
    assert_eq!(read(json!({"Unknown": 35})), Content::MemberLeft);
    assert_eq!(read(json!({"Unknown": 1})), Content::decode(&[0x91, 1]).unwrap());
    assert_eq!(read(json!({"Unknown": 99})), Content::Unknown(99));
}

/// What was absent came back as the bytes of nothing.
#[test]
fn an_edit_to_nothing_stays_one_in_json() {
    let nothing = edit(Bytes::new());
    assert_eq!(<Content as Decode>::decode(written(&nothing)).unwrap(), nothing);
}
