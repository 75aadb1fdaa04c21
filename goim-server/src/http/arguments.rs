//! A call, made of what stands in path, query and body.

use axum::body::Bytes;
use goim_proto::shape::{Enum, Struct};
use goim_proto::{Call, Content, Decode, Describe, Edit, Error, ErrorCode, Send, Shape};
use serde_json::{Map, Value, json};

use super::operations::Operation;
use super::problem::Problem;

/// Items of a list in a query: named `conversations`, with ids of 19 digits, 14 KiB of a head's 16.
pub(super) const QUERY_ITEMS_MAX: usize = 400;

/// Names and values as text.
pub(super) type Pairs = Vec<(String, String)>;

/// The variants of all calls, or of all replies.
pub(super) fn variants<T: Describe>() -> Enum {
    match T::shape() {
        Shape::Enum(choice) => choice,
        other => unreachable!("calls and replies are enums, not {other:?}"),
    }
}

/// What a call takes; nothing for most without arguments, and for `Authenticate`, whose arguments are in
/// headers.
pub(super) fn fields_of(call: &str) -> Option<Struct> {
    let variant = variants::<Call<Content>>().variants.into_iter().find(|variant| variant.name == call)?;
    match variant.payload {
        Some(Shape::Struct(fields)) if call != "Authenticate" => Some(fields),
        _ => None,
    }
}

/// The call of an operation.
pub(super) fn call_of(
    operation: &Operation,
    call: &str,
    path: Pairs,
    query: Pairs,
    body: &Bytes,
) -> Result<Call, Problem> {
    let mut arguments = if operation.verb.has_body() { object(body)? } else { Map::new() };
    if let Some(fields) = fields_of(call) {
        if !operation.verb.has_body() {
            let in_path: Vec<_> = operation.path_fields().collect();
            take(&mut arguments, &fields, query.into_iter().filter(|(name, _)| !in_path.contains(&&**name)))?;
        }
        // (What the path says wins.)
        path.iter().for_each(|(name, _)| drop(arguments.remove(name)));
        take(&mut arguments, &fields, path)?;
    }
    match call {
        "Send" => Ok(Call::Send(encoded(read(Value::Object(arguments))?))),
        "Edit" => {
            let Edit::<Content> { conversation, seq, client_msg_id, body } = read(Value::Object(arguments))?;
            Ok(Call::Edit(Edit { conversation, seq, client_msg_id, body: body.encode() }))
        }
        call => read(json!({ call: arguments })),
    }
}

/// The sends of a list.
pub(super) fn sends_of(body: &Bytes) -> Result<Vec<Send>, Problem> {
    let sends: Vec<Send<Content>> = read(parse(body)?)?;
    Ok(sends.into_iter().map(encoded).collect())
}

fn encoded(send: Send<Content>) -> Send {
    let Send { conversation, client_msg_id, after, retry, body } = send;
    Send { conversation, client_msg_id, after, retry, body: body.encode() }
}

fn parse(body: &Bytes) -> Result<Value, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::bad(format!("the body is not JSON: {error}")))
}

/// A body, which may be left out if nothing has to be said.
fn object(body: &Bytes) -> Result<Map<String, Value>, Problem> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    match parse(body)? {
        Value::Object(object) => Ok(object),
        _ => Err(Problem::bad("the body is an object with the fields that the operation takes")),
    }
}

pub(super) fn read<T: for<'de> Decode<'de>>(value: Value) -> Result<T, Problem> {
    T::decode(value).map_err(|error| Problem::bad(error.to_string()))
}

/// Takes fields that came as text. What is not a field is passed over, as everywhere.
fn take(
    arguments: &mut Map<String, Value>,
    fields: &Struct,
    pairs: impl IntoIterator<Item = (String, String)>,
) -> Result<(), Problem> {
    for (name, text) in pairs {
        let Some(field) = fields.fields.iter().find(|field| field.name == name) else { continue };
        if let Shape::List(item) = &field.shape {
            let list = arguments.entry(name).or_insert_with(|| json!([]));
            let Value::Array(list) = list else { continue };
            if list.len() == QUERY_ITEMS_MAX {
                let message = format!("at most {QUERY_ITEMS_MAX} `{}` in one query", field.name);
                return Err(Error::new(ErrorCode::TooLarge, message).into());
            }
            list.push(value_of(item, text));
        } else if arguments.insert(name, value_of(&field.shape, text)).is_some() {
            return Err(Problem::bad(format!("`{}` is given twice", field.name)));
        }
    }
    Ok(())
}

/// What a text says where such a value is asked for. A text that says no such value stays one, which is
/// refused when it is read.
fn value_of(shape: &Shape, text: String) -> Value {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match shape {
        Shape::Optional(inner) => value_of(inner, text),
        Shape::Bool if text == "true" || text == "false" => Value::Bool(text == "true"),
        Shape::Uint(_) | Shape::Code(_) if digits => match text.parse::<u64>() {
            Ok(number) => number.into(),
            Err(_) => Value::String(text),
        },
        _ => Value::String(text),
    }
}
