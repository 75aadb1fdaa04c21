//! The document, and a page that shows it. Made here of the same table, so that it needs no script: what a
//! browser may load for it is one style sheet of this server's.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use serde_json::Value;

use super::openapi;
use super::operations::OPERATIONS;

/// Nothing from anywhere, but the style sheet from here; shown in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

static DOCUMENT: LazyLock<Value> = LazyLock::new(openapi::document);
static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());
static PAGE: LazyLock<String> = LazyLock::new(rendered);

pub(super) async fn openapi() -> impl IntoResponse {
    (harmless("application/json"), TEXT.as_str())
}

pub(super) async fn page() -> impl IntoResponse {
    (harmless("text/html; charset=utf-8"), PAGE.as_str())
}

pub(super) async fn style() -> impl IntoResponse {
    (harmless("text/css; charset=utf-8"), include_str!("page.css"))
}

fn harmless(kind: &'static str) -> [(header::HeaderName, &'static str); 4] {
    [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ]
}

fn rendered() -> String {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>goim: HTTP API</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"/v1/page.css\">\
         <h1>goim: HTTP API</h1><p>{}</p><p>The same for programs: <a href=\"/v1/openapi.json\">\
         /v1/openapi.json</a> (OpenAPI 3.1).</p>",
        escaped(DOCUMENT["info"]["description"].as_str().unwrap_or_default())
    );
    let mut last = "";
    for operation in OPERATIONS {
        let tag = openapi::tag(operation);
        if tag != last {
            let _ = write!(html, "<h2>{tag}</h2>");
            last = tag;
        }
        let described = &DOCUMENT["paths"][operation.path][operation.verb.name()];
        let _ = write!(
            html,
            "<details><summary><b>{}</b> <code>{}</code> {}</summary>",
            operation.verb.name(),
            operation.path,
            escaped(&openapi::summary(operation)),
        );
        parameters(&mut html, described);
        if let Some(schema) = described.pointer("/requestBody/content/application~1json/schema") {
            let _ = write!(html, "<h3>Body</h3><pre>{}</pre>", linked(schema));
        }
        responses(&mut html, described);
        html += "</details>";
    }
    html += "<h2>types</h2>";
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().into_iter().flatten() {
        let _ = write!(
            html,
            "<details id=\"{name}\" open><summary><code>{name}</code></summary><pre>{}</pre></details>",
            linked(schema)
        );
    }
    html
}

fn parameters(html: &mut String, described: &Value) {
    let all = described["parameters"].as_array().into_iter().flatten();
    let rows: String = all
        .map(|one| {
            let text = |name: &str| escaped(one[name].as_str().unwrap_or_default());
            format!("<tr><td><code>{}</code><td>{}<td>{}", text("name"), text("in"), text("description"))
        })
        .collect();
    if !rows.is_empty() {
        let _ = write!(html, "<h3>Parameters</h3><table>{rows}</table>");
    }
}

fn responses(html: &mut String, described: &Value) {
    *html += "<h3>Answers</h3><table>";
    for (status, response) in described["responses"].as_object().into_iter().flatten() {
        let doc = escaped(response["description"].as_str().unwrap_or_default());
        let schema = response.pointer("/content/application~1json/schema");
        let schema = schema.map(|schema| format!("<pre>{}</pre>", linked(schema))).unwrap_or_default();
        let _ = write!(html, "<tr><td>{status}<td>{doc}{schema}");
    }
    *html += "</table>";
}

/// A schema as text, whose references lead to the types on the page.
fn linked(schema: &Value) -> String {
    const REFERENCE: &str = "#/components/schemas/";
    let text = escaped(&format!("{schema:#}"));
    let mut parts = text.split(REFERENCE);
    let mut html = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        let _ = write!(html, "<a href=\"#{name}\">{name}</a>{rest}");
    }
    html
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
