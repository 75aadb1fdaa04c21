//! Logins by the word of an issuer, as a script makes them.

use serde_json::json;

use crate::backend::Backend;
use crate::client::{Answer, Http, server, server_with};
use crate::on_both_stores;
use crate::support::TestServer;
use crate::support::issuer::{Signer, claims, in_s, trusting};
use crate::support::issuer_host::Host;

async fn log_in(server: &TestServer, token: &str) -> Answer {
    Http::nobody(server)
        .post("/v1/sessions/external", &json!({ "token": token, "device_name": "script" }))
        .await
}

async fn a_script(backend: &Backend) {
    let (key, other) = (Signer::rsa("one"), Signer::ed("one"));
    let mut host = Host::with(&[&key]).await;
    let url = host.url();
    let server = server_with(backend, |config| config.external_login = trusting(url)).await;
    let session = log_in(&server, &key.sign(&claims("ada"))).await.ok();
    let token = session["access_token"].as_str().map(str::to_owned);
    let ada = Http { token, ..Http::nobody(&server) };
    assert_eq!(ada.get("/v1/session").await.ok(), session["info"]);
    let again = log_in(&server, &key.sign(&claims("ada"))).await.ok();
    assert_eq!(again["info"]["user"], session["info"]["user"]);
    let devices = ada.get("/v1/devices").await.ok();
    let names: Vec<_> = devices["devices"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["script", "script"]);
    let password = json!({ "password": "correct horse", "new_password": "battery staple" });
    assert_eq!(ada.json("PUT", "/v1/password", &password).await.problem(), (403, "Forbidden".into()));

    let mut expired = claims("ada");
    expired["exp"] = in_s(-3_600).into();
    let expired = log_in(&server, &key.sign(&expired)).await;
    assert_eq!(expired.problem(), (401, "BadToken".into()));
    let detail = expired.json()["detail"].clone();
    assert!(detail.as_str().is_some_and(|text| text.contains("expired")), "{detail}");
    assert_eq!(log_in(&server, &other.sign(&claims("ada"))).await.problem(), (401, "BadToken".into()));
    let long = log_in(&server, &"a".repeat(9_000)).await;
    assert_eq!(long.problem(), (413, "TooLarge".into()));
    host.go_down().await;
    assert_eq!(log_in(&server, &key.sign(&claims("ben"))).await.status, 201, "its key is known");
}

async fn without(backend: &Backend) {
    let key = Signer::ed("one");
    let mut host = Host::with(&[&key]).await;
    host.go_down().await;
    let url = host.url();
    let deserted = server_with(backend, |config| config.external_login = trusting(url)).await;
    let later = log_in(&deserted, &key.sign(&claims("ada"))).await;
    assert_eq!(later.problem(), (503, "Unavailable".into()));
    assert_eq!((later.header("retry-after"), &later.json()["retry_after_ms"]), (Some("10"), &json!(10_000)));

    let alone = server(backend).await;
    assert_eq!(log_in(&alone, &key.sign(&claims("ada"))).await.problem(), (404, "NotConfigured".into()));
}

on_both_stores! {
    super::a_script as a_script_logs_in_by_the_word_of_an_issuer,
    super::without as a_script_is_told_what_is_missing,
}
