//! A call as a request over HTTP, made of it and of the description that the server gives of itself.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use goim_proto::{Call, Content, Encode};
use serde_json::{Map, Value};

use crate::client::{Answer, Http};
use crate::support::{TestServer, unique};

/// How a stream of events begins.
const OPEN: &[u8] = b": open\n";

/// Somebody who makes calls over HTTP.
pub(super) struct Door {
    nobody: Http,
    document: Value,
}

impl Door {
    pub(super) async fn of(server: &TestServer) -> Self {
        let nobody = Http::nobody(server);
        let document = nobody.get("/v1/openapi.json").await.ok();
        Self { nobody, document }
    }

    /// Makes a call.
    pub(super) async fn call(&self, token: Option<&str>, call: &Call) -> Answer {
        let (name, mut fields) = fields(call);
        let (method, mut path) = self.operation(&name, &mut fields);
        if matches!(method.as_str(), "POST" | "PUT" | "PATCH") {
            return self.ask(token, &method, &path, Value::Object(fields).to_string().as_bytes()).await;
        }
        path.push('?');
        for (name, value) in &fields {
            let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            for value in values.iter().filter(|value| !value.is_null()) {
                write!(path, "{name}={}&", text(value)).unwrap();
            }
        }
        self.ask(token, &method, &path, b"").await
    }

    /// Makes a request, by the token of a bot and on a device that nobody else has. Of a stream it reads the
    /// beginning.
    pub(super) async fn ask(&self, token: Option<&str>, method: &str, path: &str, body: &[u8]) -> Answer {
        let http = Http { token: token.map(str::to_owned), ..self.nobody.clone() };
        let headers = [&format!("goim-instance: {}", unique("device")), "content-type: application/json"];
        let mut stream = http.write(method, path, &headers, body).await;
        Answer::read_until(&mut stream, |all| all.windows(OPEN.len()).any(|at| at == OPEN)).await
    }

    /// The method and the path of an operation; what of the fields the path names is taken out of them.
    pub(super) fn operation(&self, name: &str, fields: &mut Map<String, Value>) -> (String, String) {
        let (method, template, _) = self.described().find(|(.., id)| *id == name).unwrap();
        let path = template.split('/').map(|part| match part.strip_prefix('{') {
            Some(field) => text(&fields.remove(field.trim_end_matches('}')).unwrap()),
            None => part.to_owned(),
        });
        (method.to_uppercase(), path.collect::<Vec<_>>().join("/"))
    }

    /// The names of all operations.
    pub(super) fn operations(&self) -> BTreeSet<String> {
        self.described().map(|(.., id)| id.to_owned()).collect()
    }

    /// Method, path and name of every operation.
    fn described(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let paths = self.document["paths"].as_object().unwrap().iter();
        paths.flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods.map(move |(method, one)| (&**method, &**path, one["operationId"].as_str().unwrap()))
        })
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
