//! The OpenAPI document and its page say what the server does. That the document is valid OpenAPI 3.1, and
//! that answers are as it describes them, `scripts/fuzz-http.sh` finds out.

use std::collections::BTreeMap;

use goim_proto::Call;
use serde_json::{Value, json};

use crate::backend::Backend;
use crate::client::{Http, server};
use crate::support::tables::rows;

const PROTOCOL: &str = include_str!("../../../docs/PROTOCOL.md");
const FEATURES: &str = include_str!("../../../docs/FEATURES.md");

async fn document() -> (crate::support::TestServer, Http, Value, Backend) {
    let backend = Backend::sqlite();
    let server = server(&backend).await;
    let nobody = Http::nobody(&server);
    let document = nobody.get("/v1/openapi.json").await.ok();
    (server, nobody, document, backend)
}

/// Path, method and description of every operation.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap();
        methods
            .iter()
            .map(move |(method, described)| (path.clone(), method.to_uppercase(), described.clone()))
    });
    all.collect()
}

#[tokio::test]
async fn every_call_is_an_operation_with_the_reply_and_the_errors_that_the_protocol_has() {
    let (_server, _, document, _backend) = document().await;
    let mut described: BTreeMap<_, _> = operations(&document)
        .into_iter()
        .map(|(_, _, described)| (described["operationId"].as_str().unwrap().to_owned(), described))
        .collect();
    let payloads: BTreeMap<_, _> =
        rows(PROTOCOL, "`Reply`").into_iter().map(|row| (row[1], row[2])).collect();
    let calls = rows(PROTOCOL, "`Call`");
    assert_eq!(calls.len(), Call::<bytes::Bytes>::CODES.len());
    for row in calls {
        let [_, call, _, reply, errors] = row[..] else { panic!("{row:?}") };
        let one = described.remove(call).unwrap_or_else(|| panic!("no operation calls {call}"));
        let responses = one["responses"].as_object().unwrap();
        let success = responses.iter().find(|(status, _)| status.starts_with('2')).unwrap().1;
        let schema = success.pointer("/content/application~1json/schema/$ref").and_then(Value::as_str);
        let payload = payloads[reply];
        let expected = (!payload.is_empty()).then(|| format!("#/components/schemas/{payload}"));
        assert_eq!(schema.map(str::to_owned), expected, "{call}");
        let said: String = responses.values().map(|one| one["description"].to_string()).collect();
        // One call of another kind has the device of a connection in mind.
        let errors = errors.split(", ").filter(|error| !error.is_empty());
        for error in errors.filter(|error| (call, *error) != ("Authenticate", "Forbidden")) {
            let error = if error == "ids" { "BadId, IdTooOld, IdTooNew" } else { error };
            assert!(said.contains(error), "{call} does not say {error}: {said}");
        }
    }
    assert_eq!(
        described.into_keys().collect::<Vec<_>>(),
        [
            "DownloadAttachment",
            "DownloadAvatar",
            "Events",
            "RemoveAttachment",
            "SendAll",
            "UploadAttachment",
            "UploadAvatar"
        ]
    );
}

#[tokio::test]
async fn every_operation_is_there_and_asks_for_a_token_where_it_says_so() {
    let (_server, nobody, document, _backend) = document().await;
    for (path, method, described) in operations(&document) {
        let parts = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
        let path = parts.collect::<Vec<_>>().join("/");
        let body = if described["operationId"] == "SendAll" { json!([]) } else { json!({}) };
        let answer = match method.as_str() {
            "GET" | "DELETE" => nobody.ask(&method, &path, &[], "").await,
            _ => nobody.json(&method, &path, &body).await,
        };
        let is_asked_for_one = answer.status == 401 && answer.json()["code"] == "Unauthenticated";
        assert_eq!(is_asked_for_one, described["security"] != json!([]), "{method} {path}: {answer:?}");
        let documented = described["responses"].get(answer.status.to_string()).is_some();
        assert!(documented, "{method} {path}: {answer:?}");
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_everything_is_described() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let (_server, _, document, _backend) = document().await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100);
    for reference in found {
        let at = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(at).is_some(), "{reference}");
    }
    for (path, method, described) in operations(&document) {
        assert!(described["summary"].as_str().unwrap().len() > 5, "{method} {path}");
        for parameter in described["parameters"].as_array().unwrap() {
            assert!(!parameter["description"].as_str().unwrap().is_empty(), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_page_shows_every_operation_and_loads_nothing_from_elsewhere() {
    let (_server, nobody, document, _backend) = document().await;
    let page = nobody.get("/v1/").await;
    assert_eq!(page.status, 200);
    for (path, _, _) in operations(&document) {
        assert!(page.body.contains(&format!("<code>{path}</code>")), "{path}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(page.body.contains(&format!("id=\"{name}\"")), "{name}");
    }
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self';") && !policy.contains("unsafe"));
    assert!(!page.body.contains("<script") && !page.body.contains("://") && !page.body.contains("style="));
    let style = nobody.get("/v1/page.css").await;
    assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));
}

#[tokio::test]
async fn features_md_names_the_paths_of_all_calls() {
    let (_server, _, document, _backend) = document().await;
    let mut expected: Vec<_> = operations(&document)
        .into_iter()
        .map(|(path, method, described)| {
            vec![format!("`{method} {path}`"), described["operationId"].as_str().unwrap().to_owned()]
        })
        .collect();
    let mut written: Vec<Vec<_>> = rows(FEATURES, "operation")
        .into_iter()
        .map(|row| row.into_iter().take(2).map(str::to_owned).collect())
        .collect();
    expected.sort();
    written.sort();
    let missing: Vec<_> = expected.iter().filter(|row| !written.contains(row)).collect();
    assert_eq!(written, expected, "docs/FEATURES.md lacks {missing:?}");
}
