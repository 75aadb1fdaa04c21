//! A call as a request over HTTP, made of it and of the description that the server gives of itself.

use std::fmt::Write as _;

use goim_proto::{Call, Content, Encode};
use serde_json::{Map, Value};

use crate::client::Http;
use crate::support::TestServer;

/// Somebody who makes calls over HTTP.
pub(crate) struct Door {
    nobody: Http,
    document: Value,
}

impl Door {
    pub(crate) async fn of(server: &TestServer) -> Self {
        let nobody = Http::nobody(server);
        let document = nobody.get("/v1/openapi.json").await.ok();
        Self { nobody, document }
    }

    /// The code that a call is refused with, if it is, by the token and the device of a bot.
    pub(crate) async fn refusal(&self, token: Option<&str>, device: &str, call: &Call) -> Option<String> {
        let (name, mut fields) = fields(call);
        let (template, method) = self.operation(&name);
        let path = template.split('/').map(|part| match part.strip_prefix('{') {
            Some(field) => text(&fields.remove(field.trim_end_matches('}')).unwrap()),
            None => part.to_owned(),
        });
        let mut path = path.collect::<Vec<_>>().join("/");
        let has_body = matches!(method.as_str(), "POST" | "PUT" | "PATCH");
        if !has_body {
            path.push('?');
            for (name, value) in &fields {
                let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
                for value in values.iter().filter(|value| !value.is_null()) {
                    write!(path, "{name}={}&", text(value)).unwrap();
                }
            }
        }
        let mut headers = vec![format!("goim-instance: {device}")];
        if has_body {
            headers.push("content-type: application/json".into());
        }
        let http = Http { token: token.map(str::to_owned), ..self.nobody.clone() };
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        let body = if has_body { Value::Object(fields).to_string() } else { String::new() };
        let answer = http.ask(&method, &path, &headers, &body).await;
        (answer.status >= 300).then(|| answer.problem().1)
    }

    /// The path and the method of an operation.
    fn operation(&self, name: &str) -> (String, String) {
        for (path, methods) in self.document["paths"].as_object().unwrap() {
            for (method, described) in methods.as_object().unwrap() {
                if described["operationId"] == name {
                    return (path.clone(), method.to_uppercase());
                }
            }
        }
        panic!("the document has no {name}")
    }
}

/// A call's name and its fields.
fn fields(call: &Call) -> (String, Map<String, Value>) {
    let content = match call {
        Call::Send(send) => Some(&send.body),
        Call::Edit(edit) => Some(&edit.body),
        _ => None,
    };
    let (name, mut fields) = match call.encode(serde_json::value::Serializer).unwrap() {
        Value::Object(named) => named.into_iter().next().unwrap(),
        named => (text(&named), Value::Null),
    };
    if let Some(body) = content {
        let content = Content::decode(body).unwrap();
        fields["body"] = Encode::encode(&content, serde_json::value::Serializer).unwrap();
    }
    let fields = fields.as_object().cloned().unwrap_or_default();
    (name, fields)
}

/// As it stands in a path or a query.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
