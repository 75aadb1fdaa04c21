//! What fuzzing found, so that it stays found.

use goim_proto::{Call, ClientFrame, Content, Slice, decode};

/// Borrowed bytes could be a string on the wire, copied ones could not: so a server took a body that
/// no client could read.
#[test]
fn bytes_that_came_as_a_string_are_read_wherever_they_are_taken() {
    let body = b"\x92\x02\x92\xa4kind\xa4data";
    assert_eq!(Content::check(body).unwrap(), 2);
    let Content::Custom(custom) = Content::decode(body).unwrap() else { panic!() };
    assert_eq!(&custom.data[..], b"data");

    let id = [0; 16];
    let send = [&b"\x92\x02\x92\x07\x92\x2a\x95\x01\xc4\x10"[..], &id, b"\xc0\xc2\xa4body"].concat();
    let ClientFrame::Request(copied) = decode::<ClientFrame>(&send).unwrap() else { panic!() };
    let ClientFrame::Request(borrowed) = decode::<ClientFrame<Slice<'_>>>(&send).unwrap() else { panic!() };
    let (Call::Send(copied), Call::Send(borrowed)) = (copied.call, borrowed.call) else { panic!() };
    assert_eq!(&copied.body[..], &borrowed.body[..]);
}
