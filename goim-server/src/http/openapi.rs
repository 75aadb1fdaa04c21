//! The OpenAPI document (3.1), made of the table of operations and of the types.

use std::collections::BTreeMap;

use goim_proto::shape::{Field, Struct};
use goim_proto::{Content, Describe, ErrorCode, INSTANCE_HEADER, Reply, Send, Shape};
use serde_json::{Map, Value, json};

use super::answer::TAG_HEADER;
use super::api::{BODY_BYTES_MAX, SENDS_MAX};
use super::arguments::{QUERY_ITEMS_MAX, fields_of, variants};
use super::door::HEAD_BYTES_MAX;
use super::operations::{
    Does, ERRORS_OF_ALL, ERRORS_OF_ARGUMENTS, ERRORS_OF_IDS, ERRORS_OF_TOKENS, OPERATIONS, Operation, Target,
    Verb,
};
use super::problem::{self, PROBLEM, name_of, status_of};
use super::schema::Schemas;
use super::uploads;

const ABOUT: &str = "Chats for whoever speaks HTTP. A program that reads much is better served by goim's own \
    protocol over QUIC, of which these are the same calls. Ids and seqs are strings of digits. A field that is \
    left out is a default, an unknown one is passed over, and all fields are there in answers. An operation \
    with a `client_msg_id` does nothing more when it is repeated with the same one, and answers as before. \
    Lists come in pages: give `after`, or `before`, from the last item of the page before.";

/// The document.
pub(super) fn document() -> Value {
    let mut schemas = Schemas::default();
    schemas.keep("Problem", problem::schema());
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in OPERATIONS {
        let described = describe(operation, &mut schemas);
        paths.entry(operation.path).or_default().insert(operation.verb.name().into(), described);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "goim",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas.into_components(),
            "securitySchemes": { "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "An access token of a session, or a bot's token.",
            } },
        },
    })
}

fn describe(operation: &Operation, schemas: &mut Schemas) -> Value {
    let fields = match operation.does {
        Does::Call(call, _) => fields_of(call),
        Does::SendAll | Does::Events | Does::Upload(_) | Does::Download(_) | Does::RemoveAttachment => None,
    };
    let mut described = json!({
        "operationId": operation.id(),
        "summary": summary(operation),
        "tags": [tag(operation)],
        "parameters": parameters(operation, fields.as_ref(), schemas),
        "responses": responses(operation, fields.as_ref(), schemas),
        "security": if operation.needs_token() { json!([{ "token": [] }]) } else { json!([]) },
    });
    if let Does::Upload(_) = operation.does {
        let description = "The file as it is. What the request calls it counts for nothing.";
        let content = json!({ "application/octet-stream": { "schema": uploads::content() } });
        described["requestBody"] =
            json!({ "description": description, "content": content, "required": true });
    }
    if let Some(schema) = body(operation, fields.as_ref(), schemas) {
        let content = json!({ "application/json": { "schema": schema } });
        let description = format!("At most {BODY_BYTES_MAX} bytes.");
        described["requestBody"] = json!({ "description": description, "content": content });
    }
    described
}

/// What the call says of itself; of its answer there is more in the responses.
pub(super) fn summary(operation: &Operation) -> String {
    match operation.does {
        Does::Call("Authenticate", _) => "Says whom the token speaks for.".into(),
        Does::Call(call, _) => {
            let all = variants::<goim_proto::Call<Content>>().variants;
            let doc = all.iter().find(|variant| variant.name == call).map(|variant| variant.doc.to_string());
            let doc = doc.unwrap_or_default();
            format!("{}.", doc.split("; answered by").next().unwrap_or_default().trim_end_matches('.'))
        }
        Does::SendAll => {
            format!("Appends up to {SENDS_MAX} messages, in their order; each has an answer of its own.")
        }
        Does::Events => {
            "Says the heads of the caller's conversations as they move, as server-sent events. Begins \
                         with those past the device's offsets."
                .into()
        }
        Does::Upload(target) => uploads::about(target, true).into(),
        Does::Download(target) => uploads::about(target, false).into(),
        Does::RemoveAttachment => {
            "Takes a file that the caller uploaded out of its conversation; in a group that he owns or is an \
             admin of, whoever uploaded it."
                .into()
        }
    }
}

/// The first part of the path behind the version.
pub(super) fn tag(operation: &Operation) -> &'static str {
    operation.path.split('/').nth(2).unwrap_or_default()
}

fn parameters(operation: &Operation, fields: Option<&Struct>, schemas: &mut Schemas) -> Vec<Value> {
    let in_path: Vec<_> = operation.path_fields().collect();
    let mut all = Vec::new();
    for field in fields.iter().flat_map(|fields| &fields.fields) {
        if in_path.contains(&field.name) {
            all.push(parameter(field, "path", schemas));
        } else if !operation.verb.has_body() {
            all.push(parameter(field, "query", schemas));
        }
    }
    if matches!(operation.does, Does::Upload(_) | Does::Download(_) | Does::RemoveAttachment) {
        all.extend(in_path.iter().map(|name| uploads::parameter(name, schemas)));
    }
    if operation.needs_token() {
        all.push(json!({
            "name": INSTANCE_HEADER,
            "in": "header",
            "description": "Which instance of a bot this is: each owns its offsets. Empty: \"default\".",
            "schema": { "type": "string" },
        }));
    }
    all
}

fn parameter(field: &Field, place: &str, schemas: &mut Schemas) -> Value {
    // An option that is not said is left out, not null.
    let shape = match &field.shape {
        Shape::Optional(inner) => inner,
        shape => shape,
    };
    let mut schema = schemas.of(shape);
    if matches!(shape, Shape::List(_)) {
        schema["maxItems"] = QUERY_ITEMS_MAX.into();
    }
    if place == "path" && *shape == Shape::Text {
        schema["minLength"] = 1.into();
    }
    json!({
        "name": field.name,
        "in": place,
        "required": place == "path",
        "description": field.doc.to_string(),
        "schema": schema,
    })
}

fn body(operation: &Operation, fields: Option<&Struct>, schemas: &mut Schemas) -> Option<Value> {
    if operation.does == Does::SendAll {
        let mut list = schemas.of(&Vec::<Send<Content>>::shape());
        list["maxItems"] = SENDS_MAX.into();
        return Some(list);
    }
    let fields = fields.filter(|_| operation.verb.has_body())?;
    let in_path: Vec<_> = operation.path_fields().collect();
    let is_all_in_path = fields.fields.iter().all(|field| in_path.contains(&field.name));
    (!is_all_in_path).then(|| schemas.object(fields, &in_path))
}

fn responses(operation: &Operation, fields: Option<&Struct>, schemas: &mut Schemas) -> Map<String, Value> {
    let mut all = Map::new();
    all.insert(operation.status.as_str().into(), success(operation, schemas));
    if operation.verb == Verb::Get && matches!(operation.does, Does::Call(_, reply) if reply != "Done") {
        all.insert(
            "304".into(),
            json!({ "description": "What was asked for has the tag of `If-None-Match`." }),
        );
    }
    let mut codes: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in errors(operation, fields) {
        let of_status = codes.entry(status_of(code).as_u16()).or_default();
        if !of_status.contains(&code) {
            of_status.push(code);
        }
    }
    match operation.does {
        Does::Upload(Target::Avatar) => codes.entry(415).or_default().push(ErrorCode::BadContent),
        Does::Upload(Target::Attachment) => {}
        Does::Download(_) => codes.entry(416).or_default().push(ErrorCode::BadArgument),
        Does::Call(..) | Does::SendAll | Does::Events if operation.verb.has_body() => {
            codes.entry(415).or_default().push(ErrorCode::BadArgument);
        }
        Does::Call(..) | Does::SendAll | Does::Events | Does::RemoveAttachment => {}
    }
    if let Does::Download(_) = operation.does {
        all.extend(uploads::partial());
    }
    let too_long = format!("The request's line and headers have more than {HEAD_BYTES_MAX} bytes.");
    all.insert("431".into(), json!({ "description": too_long }));
    for (status, codes) in codes {
        let names: Vec<_> = codes.into_iter().map(name_of).collect();
        let headers: Map<_, _> =
            problem::headers().into_iter().map(|(name, header)| (name.to_string(), header)).collect();
        let response = json!({
            "description": names.join(", "),
            "headers": headers,
            "content": { PROBLEM: { "schema": { "$ref": "#/components/schemas/Problem" } } },
        });
        all.insert(status.to_string(), response);
    }
    all
}

/// Every code that an operation may answer with.
pub(super) fn errors(operation: &Operation, fields: Option<&Struct>) -> Vec<ErrorCode> {
    let takes_id = |fields: &Struct| fields.fields.iter().any(|field| field.name == "client_msg_id");
    let mut all = operation.errors.to_vec();
    all.extend(ERRORS_OF_ARGUMENTS);
    if operation.verb.has_body() {
        all.push(ErrorCode::TooLarge);
    }
    if fields.is_some_and(takes_id) {
        all.extend(ERRORS_OF_IDS);
    }
    if operation.needs_token() {
        all.extend(ERRORS_OF_TOKENS);
    }
    all.extend(ERRORS_OF_ALL);
    all
}

fn success(operation: &Operation, schemas: &mut Schemas) -> Value {
    let replies = variants::<Reply<Content>>().variants;
    let reply = |name: &str| replies.iter().find(|variant| variant.name == name).cloned();
    let (doc, kind, schema) = match operation.does {
        Does::Call(_, "Done") | Does::RemoveAttachment => {
            return json!({ "description": "Done; there is nothing to tell." });
        }
        Does::Call(_, name) => {
            let Some(variant) = reply(name) else { return Value::Null };
            let payload = variant.payload.as_ref().map(|payload| schemas.of(payload));
            (variant.doc.to_string(), "application/json", payload.unwrap_or_default())
        }
        Does::SendAll => {
            let each = ["Sent", "Error"].into_iter().filter_map(reply);
            let each: Vec<_> = each
                .map(|one| schemas.variant(one.name, &one.doc.to_string(), one.payload.as_ref()))
                .collect();
            let list = json!({ "type": "array", "items": { "oneOf": each } });
            ("What became of each message.".into(), "application/json", list)
        }
        Does::Events => {
            let data = [
                schemas.of(&goim_proto::Notification::<Content>::shape()),
                schemas.of(&goim_proto::Typing::shape()),
                schemas.of(&goim_proto::ProfileChanged::shape()),
            ];
            let doc = format!(
                "`event: head` with a Notification as its data, without entries; `event: typing`; \
                 `event: profile`; and at last `event: end` with an Error, if the server ends the stream. \
                 Data: {}",
                data.each_ref().map(|one| one["$ref"].as_str().unwrap_or_default()).join(", ")
            );
            (doc, "text/event-stream", json!({ "type": "string" }))
        }
        Does::Upload(_) => {
            ("What the file is.".into(), "application/json", schemas.keep("Upload", uploads::schema()))
        }
        Does::Download(_) => ("The file.".into(), uploads::ANY, uploads::content()),
    };
    let mut response = json!({ "description": doc, "content": { kind: { "schema": schema } } });
    if operation.verb == Verb::Get && operation.does != Does::Events {
        let tag = json!({ "description": "Names this very answer.", "schema": { "type": "string" } });
        response["headers"] = json!({ TAG_HEADER: tag });
    }
    response
}
