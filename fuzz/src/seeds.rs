//! The seeds in `corpus/`, made by `cargo run --bin seeds`: where a fuzzer starts from.
//!
//! The tests compare the two. What else is in the corpus is kept: inputs that once failed.

use bytes::Bytes;
use goim_core::{ClientMsgId, ConversationId, Entry, Epoch, Seq, UserId};
use goim_core_models::input::split_mix;
use goim_proto::content::{Edited, EncodedContent};
use goim_proto::{
    Ack, Authenticate, Call, ClientFrame, Content, CustomContent, Decode, Encode, Error, ErrorCode, Hello,
    Notification, Pulled, Reply, ReplyTo, Request, Send, ServerFrame, decode,
};

use crate::round_trip::encoded;

/// A file's name and what is in it.
pub type Seed = (String, Vec<u8>);

/// The seeds of a target.
#[must_use]
pub fn of(target: &str) -> Vec<Seed> {
    match target {
        "client_frame" => client_frames(),
        "server_frame" => server_frames(),
        "content" => contents(),
        "frame_reader" => streams(),
        "json" => jsons(),
        // The lane's operations do little each.
        "lane" => operations(&[500, 2_000, 4_000]),
        _ => operations(&[60, 250, 700, 1_500]),
    }
}

/// Lists of operations at random: any bytes are one.
fn operations(lengths: &[usize]) -> Vec<Seed> {
    let list = |length: &usize| {
        let mut state = *length as u64;
        let bytes = core::iter::repeat_with(|| split_mix(&mut state).to_le_bytes()).flatten();
        (format!("random-{length}"), bytes.take(*length).collect())
    };
    lengths.iter().map(list).collect()
}

/// One of each variant. With an empty array as payload every field is absent, and takes its default.
fn each<T: for<'a> Decode<'a>>(around: &[u8], codes: &[(u64, &'static str)]) -> Vec<(&'static str, T)> {
    let variant = |(code, name): &(u64, &'static str)| {
        let code = u8::try_from(*code).expect("codes are small so far");
        let bytes = [around, &[0x92, code, 0x90]].concat();
        (*name, decode(&bytes).expect("it is well-formed"))
    };
    codes.iter().map(variant).collect()
}

fn variants<T: for<'a> Decode<'a> + Encode>(around: &[u8], codes: &[(u64, &'static str)]) -> Vec<Seed> {
    each::<T>(around, codes).iter().map(|(name, value)| seed(name, value)).collect()
}

fn seed<T: Encode>(name: &str, value: &T) -> Seed {
    (name.to_owned(), encoded(value).to_vec())
}

fn id(n: u8) -> ClientMsgId {
    ClientMsgId::mint(1_700_000_000_000 + u64::from(n), &[n; 10])
}

/// A `Send` up to its body.
const SEND: &[u8] = b"\x92\x2a\x95\x01\xc4\x100123456789abcdef\xc0\xc2";

fn client_frames() -> Vec<Seed> {
    let request = [0x92, 2, 0x92, 7];
    let mut seeds = variants::<ClientFrame>(&request, <Call>::CODES);
    let authenticate = Authenticate { token: "token".to_owned(), instance: "two".to_owned() };
    let hello = Hello {
        version: 1,
        agent: "goim-client 0.1".to_owned(),
        authenticate: Some(authenticate),
        datagrams: true,
    };
    let send = Send {
        conversation: ConversationId::new(7),
        client_msg_id: id(2),
        after: Some(id(1)),
        retry: true,
        body: Content::text("good morning").encode(),
    };
    let send = Request { id: 300, call: Call::Send(send) };
    let ack = Ack { conversation: ConversationId::new(70_000), head: Seq::MAX };
    seeds.extend([
        seed("hello-all-fields", &ClientFrame::<Bytes>::Hello(hello)),
        seed("send-a-retry", &ClientFrame::Request(send)),
        seed("ack-the-last", &ClientFrame::<Bytes>::Ack(ack)),
        ("unknown-with-payload".to_owned(), vec![0x92, 99, 0x92, 0x01, 0x81, 0xa1, b'k', 0xc0]),
        ("body-as-a-string".to_owned(), [&request[..], SEND, b"\xa2hi"].concat()),
    ]);
    seeds
}

fn entries() -> Vec<Entry<Bytes>> {
    let entry = |n: u8| Entry {
        seq: Seq::new(u64::from(n)),
        sender: UserId::new(70_000),
        client_msg_id: id(n),
        at_ms: 1_700_000_000_001,
        count: u64::from(n),
        body: Content::text("what was said").encode(),
    };
    (1..=2).map(entry).collect()
}

fn server_frames() -> Vec<Seed> {
    let mut seeds = variants::<ServerFrame>(&[0x92, 2, 0x92, 7], <Reply>::CODES);
    seeds.extend(variants::<ServerFrame>(&[], <ServerFrame>::CODES));
    let (conversation, head, epoch) = (ConversationId::new(7), Seq::new(9), Epoch::new(1));
    let read_marker = Seq::new(1);
    let notification = Notification { conversation, head, epoch, read_marker, entries: entries() };
    let pulled = Pulled { entries: entries(), through: Seq::new(2), head, epoch };
    let error = Error { retry_after_ms: Some(2_000), ..Error::new(ErrorCode::Unavailable, "not now") };
    seeds.extend([
        seed("notification-with-entries", &ServerFrame::Notification(notification)),
        seed("pulled-entries", &ServerFrame::Reply(ReplyTo { id: 1, reply: Reply::Pulled(pulled) })),
        seed(
            "error-for-a-while",
            &ServerFrame::<Bytes>::Reply(ReplyTo { id: 2, reply: Reply::Error(error) }),
        ),
    ]);
    seeds
}

fn contents() -> Vec<Seed> {
    let mut seeds = variants::<Content>(&[], Content::CODES);
    let edit = |body| Content::Edited(Edited { seq: Seq::new(5), body: EncodedContent(body) });
    let edits = (0..50).fold(Content::text("bye").encode(), |body, _| edit(body).encode());
    let custom = CustomContent { kind: "poll".to_owned(), data: Bytes::from_static(b"\x01\x02") };
    seeds.extend([
        seed("text-not-ascii", &Content::text("grüß Gott")),
        seed("custom-poll", &Content::Custom(custom)),
        ("edits-of-edits".to_owned(), edits.to_vec()),
        ("not-utf8".to_owned(), vec![0x92, 1, 0x91, 0xa2, 0xff, 0xfe]),
        ("custom-data-as-a-string".to_owned(), b"\x92\x02\x92\xa1k\xa2hi".to_vec()),
        ("text-as-bytes".to_owned(), b"\x92\x01\x91\xc4\x02hi".to_vec()),
        ("one-more-field".to_owned(), b"\x92\x01\x93\xa2hi\xc0\x2a".to_vec()),
    ]);
    seeds
}

fn streams() -> Vec<Seed> {
    let two = [&[0, 0, 0, 2, 0x91, 1, 0, 0, 0, 1, 0x90][..], &[0, 0]].concat();
    vec![
        ("whole".to_owned(), [&[0, 0][..], &two].concat()),
        ("by-threes".to_owned(), [&[1, 2, 0][..], &two].concat()),
        ("by-one-and-five".to_owned(), [&[2, 0, 4, 0][..], &two].concat()),
        ("of-no-bytes".to_owned(), vec![1, 2, 0, 0, 0, 0, 0]),
        ("too-long".to_owned(), vec![1, 6, 0, 0, 16, 0, 1, 7]),
        ("written".to_owned(), vec![2, 0, 40, 4, 0, 3, 1, 1, 40, 2, 0, 200, 3]),
        ("longest".to_owned(), vec![0, 7, 1]),
        ("one-over".to_owned(), vec![0, 7, 2]),
    ]
}

/// All that is read or written over HTTP, and what people get wrong.
fn jsons() -> Vec<Seed> {
    let mut seeds = json_variants::<Content>("content", Content::CODES);
    seeds.extend(json_variants::<Call<Content>>("call", <Call>::CODES));
    seeds.extend(json_variants::<Reply<Content>>("reply", <Reply>::CODES));
    let id = id(1);
    let send = format!(
        r#"{{"conversation":"7","client_msg_id":"{id}","after":null,"retry":true,"body":{{"Text":{{
        "text":"gr\u00fc\u00df \ud83d\udc4b","references":{{"reply_to":"5","mentions":["70000"]}}}}}}}}"#
    );
    let by_hand = [
        ("send", format!(r#"{{"Send":{send}}}"#)),
        ("sends", format!(r#"[{send},{{}},{{"body":{{"Custom":{{"kind":"poll","data":"AQI="}}}}}}]"#)),
        ("body-in-base64", r#"{"Send":{"conversation":"7","body":"kgGRomhp"}}"#.to_owned()),
        ("edited", r#"{"Edited":{"seq":"5","body":{"Text":{"text":"bye"}}}}"#.to_owned()),
        ("edited-twice", r#"{"Edited":{"body":{"Edited":{"body":{"Text":{}}}}}}"#.to_owned()),
        ("unknown", r#"{"Unknown":99}"#.to_owned()),
        ("unknown-and-known", r#"{"Unknown":1}"#.to_owned()),
        ("a-code-as-a-number", r#"{"SetRole":{"conversation":"7","user":"9","role":2}}"#.to_owned()),
        ("one-more-field", r#"{"Rename":{"later":[{"a":[-1.5e9,true]}],"name":"tea"}}"#.to_owned()),
        ("two-variants", r#"{"MemberLeft":{},"MemberJoined":{}}"#.to_owned()),
        ("an-id-too-long", r#"{"Pull":{"conversation":"99999999999999999999"}}"#.to_owned()),
    ];
    seeds.extend(by_hand.map(|(name, json)| (name.to_owned(), json.into_bytes())));
    seeds
}

fn json_variants<T: for<'a> Decode<'a> + Encode>(kind: &str, codes: &[(u64, &'static str)]) -> Vec<Seed> {
    let seed = |(name, value): &(&str, T)| {
        let mut json = Vec::new();
        value.encode(&mut serde_json::Serializer::new(&mut json)).expect("JSON has all of it");
        (format!("{kind}-{name}"), json)
    };
    each::<T>(&[], codes).iter().map(seed).collect()
}
