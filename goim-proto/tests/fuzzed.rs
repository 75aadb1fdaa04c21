//! What fuzzing found, so that it stays found.

use goim_proto::limits::ITEMS_MAX;
use goim_proto::{Call, ClientFrame, Content, ServerFrame, Slice, decode};

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
