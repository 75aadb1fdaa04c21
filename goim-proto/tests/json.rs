//! The JSON form: the rules of growth, what is refused, and that every type looks as its shape says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use goim_core::{ConversationId, Seq};
use goim_proto::content::{Edited, EncodedContent};
use goim_proto::shape::Doc;
use goim_proto::{
    Call, Content, ConversationKind, Decode, Describe, Gender, ListDevices, Pull, Rename, Reply, Send, Shape,
    SyncItem,
};
use serde_json::Value as Json;
use support::{cases, types};

fn read<T: for<'de> Decode<'de>>(json: &str) -> Result<T, String> {
    T::decode(&mut serde_json::Deserializer::from_str(json)).map_err(|error| error.to_string())
}

/// Panics unless the value is one of this shape, with all that belongs to it.
fn assert_looks_like(shape: &Shape, json: &Json, at: &str) {
    let is = |looks: bool| assert!(looks, "{at}: {json} is not {shape:?}");
    let digits = |text: &str| text.len() <= Shape::ID_DIGITS_MAX && text.parse::<u64>().is_ok();
    match shape {
        Shape::Bool => is(json.is_boolean()),
        Shape::Uint(max) => is(json.as_u64().is_some_and(|number| number <= *max)),
        Shape::Text | Shape::Bytes => is(json.is_string()),
        Shape::Id => is(json.as_str().is_some_and(digits)),
        Shape::Uuid => is(json.as_str().is_some_and(|text| text.len() == 36)),
        Shape::Optional(inner) if !json.is_null() => assert_looks_like(inner, json, at),
        Shape::Optional(_) => {}
        Shape::List(item) => {
            is(json.is_array());
            json.as_array().unwrap().iter().for_each(|one| assert_looks_like(item, one, at));
        }
        Shape::Struct(object) => {
            is(json.as_object().is_some_and(|fields| fields.len() == object.fields.len()));
            for field in &object.fields {
                assert_looks_like(&field.shape, &json[field.name], &format!("{at}.{}", field.name));
            }
        }
        Shape::Enum(choice) => {
            is(json.as_object().is_some_and(|fields| fields.len() == 1));
            let (name, value) = json.as_object().unwrap().iter().next().unwrap();
            let variant = choice.variants.iter().find(|variant| variant.name == name);
            match variant.map(|variant| &variant.payload) {
                Some(Some(payload)) => assert_looks_like(payload, value, &format!("{at}.{name}")),
                Some(None) => assert_eq!(*value, serde_json::json!({}), "{at}.{name}"),
                None => assert!(name == "Unknown" && value.is_u64(), "{at}.{name}"),
            }
        }
        Shape::Code(code) => {
            is(json.is_u64() || code.names.iter().any(|(name, _)| Some(*name) == json.as_str()));
        }
        Shape::Again("Content") => assert_looks_like(&Content::shape(), json, at),
        other => panic!("{at}: a shape without a test: {other:?}"),
    }
}

#[test]
fn every_value_looks_as_its_shape_says() {
    let defaults = types::structs().into_iter().map(|one| (one.name.to_owned(), one.absent));
    let cases = cases::all().into_iter().map(|case| (case.name, case.value));
    for (name, value) in defaults.chain(cases) {
        assert_looks_like(&value.looks(), &serde_json::from_str(&value.json()).unwrap(), &name);
    }
}

#[test]
fn everything_that_has_a_shape_is_documented() {
    fn check(shape: &Shape) {
        let said = |doc: &Doc, of: &str| assert!(!doc.to_string().is_empty(), "{of}");
        match shape {
            Shape::Optional(inner) | Shape::List(inner) => check(inner),
            Shape::Struct(object) => {
                said(&object.doc, object.name);
                for field in &object.fields {
                    said(&field.doc, field.name);
                    check(&field.shape);
                }
            }
            Shape::Enum(choice) => {
                said(&choice.doc, choice.name);
                for variant in &choice.variants {
                    said(&variant.doc, variant.name);
                    variant.payload.iter().for_each(check);
                }
            }
            _ => {}
        }
    }
    check(&Call::<Content>::shape());
    check(&Reply::<Content>::shape());
}

#[test]
fn what_is_missing_is_a_default_and_what_is_not_known_is_passed_over() {
    let pull: Pull = read(r#"{"later":[{}],"conversation":"301","after":"7"}"#).unwrap();
    assert_eq!(pull, Pull { conversation: ConversationId::new(301), after: Seq::new(7), limit: 0 });
    assert_eq!(read::<ListDevices>("{}"), Ok(ListDevices::default()));
    assert_eq!(read::<Content>(r#"{"MemberLeft":{"later":1}}"#), Ok(Content::MemberLeft));
}

#[test]
fn a_body_is_a_content_where_one_is_asked_for() {
    let send = r#"{"conversation":"301","body":{"Text":{"text":"hello"}}}"#;
    assert_eq!(read::<Send<Content>>(send).unwrap().body, Content::text("hello"));
}

#[test]
fn a_content_within_another_is_what_it_says_and_not_its_bytes() {
    let json = r#"{"Edited":{"seq":"5","body":{"Text":{"text":"bye"}}}}"#;
    let edited = |body| Content::Edited(Edited { seq: Seq::new(5), body: EncodedContent(body) });
    assert_eq!(read(json), Ok(edited(Content::text("bye").encode())));
    let nonsense = support::value::Value::json(&edited(bytes::Bytes::from_static(b"\xff")));
    assert_eq!(nonsense, r#"{"Edited":{"seq":"5","body":{"Unknown":0}}}"#);
}

#[test]
fn names_and_codes_are_read_and_unknown_names_are_not() {
    assert_eq!(read(r#""Female""#), Ok(Gender::Female));
    assert_eq!(read("3"), Ok(Gender::Other));
    assert_eq!(read("99"), Ok(Gender::Unknown(99)));
    assert!(read::<Gender>(r#""female""#).unwrap_err().contains("Female Male Other"));
    assert_eq!(read::<SyncItem>(r#"{"kind":"Inbox"}"#).unwrap().kind, ConversationKind::Inbox);
    assert_eq!(read::<Content>(r#"{"Unknown":99}"#), Ok(Content::Unknown(99)));
}

#[test]
fn what_is_of_another_kind_is_refused() {
    for bad in [
        r#"{"conversation":null}"#,
        r#"{"conversation":301}"#,
        r#"{"conversation":"-1"}"#,
        r#"{"conversation":"+1"}"#,
        r#"{"conversation":""}"#,
        r#"{"conversation":"99999999999999999999"}"#,
        r#"{"name":7}"#,
        r#"{"client_msg_id":"018bcfe568057505850505050505050"}"#,
        r#"{"client_msg_id":"{018bcfe5-6805-7505-8505-050505050505}"}"#,
        r#"["301","tea"]"#,
        r#"{"name":"tea""#,
        "null",
    ] {
        assert!(read::<Rename>(bad).is_err(), "{bad}");
    }
    for bad in [r#"{"limit":-1}"#, r#"{"limit":4294967296}"#, r#"{"limit":1.5}"#, r#"{"limit":"1"}"#] {
        assert!(read::<Pull>(bad).is_err(), "{bad}");
    }
    for bad in [
        r#"{}"#,
        r#"{"Shout":{}}"#,
        r#""MemberLeft""#,
        r#"{"MemberLeft":null}"#,
        r#"{"MemberLeft":{},"MemberJoined":{}}"#,
    ] {
        assert!(read::<Content>(bad).is_err(), "{bad}");
    }
}
