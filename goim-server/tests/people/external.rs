//! Logins by the word of an issuer outside.

use futures_util::future::join_all;
use goim_core::UserId;
use goim_proto::limits::EXTERNAL_TOKEN_BYTES_MAX;
use goim_proto::{
    Call, ChangePassword, Error, ErrorCode, LoginExternal, Profile, Refresh, Reply, SearchUsers, Session,
    UserList,
};
use goim_server::{ExternalLogin, Server, SignatureAlgorithm, StartError};
use ring::hmac;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::backend::Backend;
use crate::on_both_stores;
use crate::support::issuer::{ISSUER, Signer, claims, in_s, token, trusting, trusting_file};
use crate::support::issuer_host::Host;
use crate::support::{DEADLINE, RawClient, TestServer, config, credentials};
use crate::world::{code, login, server};

/// Longer than any test takes.
const NEVER_AGAIN_MS: u64 = 24 * 3_600 * 1_000;

/// A server that trusts an issuer.
async fn trusts(backend: &Backend, external_login: ExternalLogin) -> TestServer {
    server(backend, |config| config.external_login = external_login).await
}

async fn log_in(client: &mut RawClient, token: &str) -> Result<Session, Error> {
    let arguments = LoginExternal { token: token.into(), device_name: "phone".into() };
    match client.call(Call::LoginExternal(arguments)).await? {
        Reply::Session(session) => Ok(session),
        other => panic!("{other:?}"),
    }
}

async fn refused(client: &mut RawClient, token: &str) -> ErrorCode {
    log_in(client, token).await.expect_err("it was taken").code
}

/// Logs in again and again until the answer is this, as when keys may be fetched again soon.
async fn until(client: &mut RawClient, token: &str, wanted: Result<(), ErrorCode>) {
    let answered =
        async { while log_in(client, token).await.map(drop).map_err(|error| error.code) != wanted {} };
    timeout(DEADLINE, answered).await.unwrap_or_else(|_| panic!("never {wanted:?}"));
}

async fn profile(client: &mut RawClient, user: UserId) -> Profile {
    let reply = client.call(Call::Profiles(UserList { users: vec![user] })).await.unwrap();
    let Reply::Profiles(mut list) = reply else { panic!("{reply:?}") };
    list.profiles.pop().unwrap()
}

fn named(subject: &str, name: &str) -> Value {
    let mut claims = claims(subject);
    claims["name"] = name.into();
    claims
}

async fn sessions(backend: &Backend) {
    let keys = [Signer::rsa("one"), Signer::ec("two"), Signer::ed("three")];
    let host = Host::with(&keys.each_ref()).await;
    let server = trusts(backend, trusting(host.url())).await;
    let mut client = RawClient::hello(server.addr()).await;
    let registered = client.register("ada").await.info.user;
    let mut sessions = Vec::new();
    for key in &keys {
        sessions.push(log_in(&mut client, &key.sign(&named("ada", " Ada Lovelace "))).await.unwrap());
    }
    let first = sessions[0].info.clone();
    assert_ne!(first.user, registered, "a name is no account of an issuer's");
    assert!(sessions.iter().all(|session| session.info.user == first.user), "one account");
    assert_ne!(sessions[1].info.device, first.device, "and a device for each login");
    let other = log_in(&mut client, &keys[1].sign(&claims("ben"))).await.unwrap().info.user;
    assert_ne!(other, first.user);
    let listed = named_audience(&keys[2], json!(["elsewhere", "goim"]));
    assert!(log_in(&mut client, &listed).await.is_ok(), "for several, of which this is one");

    let refresh = Call::Refresh(Refresh { refresh_token: sessions[0].refresh_token.clone() });
    let Ok(Reply::Session(renewed)) = client.call(refresh).await else { panic!() };
    assert_eq!(client.authenticate(&renewed.access_token).await, first);
    client.sync().await;
    let (ada, ben) = (profile(&mut client, first.user).await, profile(&mut client, other).await);
    assert_eq!((ada.nickname.as_str(), ben.nickname.as_str(), ada.bot), ("Ada Lovelace", "", false));
    log_in(&mut client, &keys[0].sign(&named("ada", "Countess"))).await.unwrap();
    assert_eq!(profile(&mut client, first.user).await, ada, "what is hers stays hers");

    let of_nobody = client.call(login("nobody at all", "correct horse")).await.unwrap_err();
    assert_eq!(of_nobody.code, ErrorCode::BadCredentials);
    assert_eq!(client.call(login(&ada.name, "correct horse")).await, Err(of_nobody));
    let change = ChangePassword { password: "correct horse".into(), new_password: "battery staple".into() };
    assert_eq!(code(client.call(Call::ChangePassword(change)).await), ErrorCode::Forbidden);
    assert_eq!(code(client.call(Call::Register(credentials(&ada.name))).await), ErrorCode::NameTaken);
}

fn named_audience(key: &Signer, audience: Value) -> String {
    let mut claims = claims("cyd");
    claims["aud"] = audience;
    key.sign(&claims)
}

/// Claims of which one is another, or is left out.
fn but(field: &str, value: Value) -> Value {
    let mut claims = claims("ada");
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(field)),
        value => claims[field] = value,
    }
    claims
}

/// Claims that are wrong, each alone.
fn wrong_claims() -> Vec<(&'static str, Value)> {
    vec![
        ("aud", json!("elsewhere")),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("iss", json!("https://evil.example")),
        ("iss", json!(["https://evil.example", ISSUER])),
        ("iss", Value::Null),
        ("sub", Value::Null),
        ("sub", json!("")),
        ("sub", json!("a\0b")),
        ("sub", json!("a".repeat(256))),
        ("exp", Value::Null),
        ("exp", json!("tomorrow")),
        ("exp", json!(in_s(-3_600))),
        ("nbf", json!(in_s(3_600))),
    ]
}

/// Tokens that the issuer did not sign so.
fn forged(rsa: &Signer, ec: &Signer, ed: &Signer) -> Vec<(&'static str, String)> {
    let good = rsa.sign(&claims("ada"));
    let parts: Vec<_> = good.split('.').collect();
    let ben = rsa.sign(&claims("ben"));
    let other_claims = format!("{}.{}.{}", parts[0], ben.split('.').nth(1).unwrap(), parts[2]);
    let of_none = token(&json!({ "alg": "none", "kid": "rsa" }), &claims("ada"), |_| Vec::new());
    let bare = format!("{}.{}.", of_none.split('.').next().unwrap(), parts[1]);
    let own_key = json!({ "alg": "EdDSA", "kid": "ed", "jwk": ed.public() });
    let critical = json!({ "alg": "RS256", "kid": "rsa", "crit": ["exp"], "exp": in_s(60) });
    vec![
        ("other claims", other_claims),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("none", of_none),
        ("none, and no signature", bare),
        ("another key by the same name", Signer::ed("rsa").sign(&claims("ada"))),
        ("a key that it brings itself", ed.sign_as(&own_key, &claims("ada"))),
        (
            "another algorithm for a key",
            rsa.sign_as(&json!({ "alg": "EdDSA", "kid": "rsa" }), &claims("ada")),
        ),
        ("an algorithm that is not allowed", ec.sign(&claims("ada"))),
        ("something to understand", rsa.sign_as(&critical, &claims("ada"))),
        ("no token", "goim".into()),
        ("nothing", String::new()),
        ("nothing in dots", "..".into()),
        ("five parts", format!("{good}.{}.{}", parts[1], parts[2])),
    ]
}

async fn forgeries(backend: &Backend) {
    let (rsa, ec, ed) = (Signer::rsa("rsa"), Signer::ec("ec"), Signer::ed("ed"));
    let host = Host::with(&[&rsa, &ec]).await;
    let settings = ExternalLogin {
        algorithms: vec![SignatureAlgorithm::Rs256, SignatureAlgorithm::EdDsa],
        ..trusting(host.url())
    };
    let server = trusts(backend, settings).await;
    let mut client = RawClient::hello(server.addr()).await;
    let of_claims = wrong_claims().into_iter().map(|(field, value)| {
        let what = format!("{field} {value}");
        (what, rsa.sign(&but(field, value)))
    });
    let forged = forged(&rsa, &ec, &ed).into_iter().map(|(what, token)| (what.to_owned(), token));
    let mut taken = Vec::new();
    for (what, token) in of_claims.chain(forged) {
        if log_in(&mut client, &token).await.map_err(|error| error.code) != Err(ErrorCode::BadToken) {
            taken.push(what);
        }
    }
    assert!(taken.is_empty(), "{taken:?}");
    let expired = log_in(&mut client, &rsa.sign(&but("exp", json!(in_s(-3_600))))).await.unwrap_err();
    assert!(expired.message.contains("expired"), "{expired}");

    let good = rsa.sign(&claims("ada"));
    for secret in public_keys(&rsa) {
        let header = json!({ "alg": "HS256", "kid": "rsa" });
        let sign = |message: &[u8]| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message).as_ref().to_vec()
        };
        let token = token(&header, &claims("ada"), sign);
        assert_eq!(refused(&mut client, &token).await, ErrorCode::BadToken, "a public key is no secret");
    }
    let long = rsa.sign(&named("ada", &"a".repeat(EXTERNAL_TOKEN_BYTES_MAX)));
    assert_eq!(refused(&mut client, &long).await, ErrorCode::TooLarge);

    let mut ben = RawClient::user(server.addr(), "ben").await;
    let search = SearchUsers { prefix: "user-".into(), ..SearchUsers::default() };
    let found = ben.call(Call::SearchUsers(search.clone())).await.unwrap();
    assert!(matches!(&found, Reply::Found(page) if page.users.is_empty()), "none was made: {found:?}");
    log_in(&mut client, &good).await.unwrap();
    let found = ben.call(Call::SearchUsers(search)).await.unwrap();
    assert!(matches!(&found, Reply::Found(page) if page.users.len() == 1), "{found:?}");
}

/// A key in the forms in which everybody may have it.
fn public_keys(key: &Signer) -> Vec<Vec<u8>> {
    use base64::Engine;
    let public = key.public();
    let text = public["n"].as_str().unwrap();
    let modulus = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap();
    vec![public.to_string().into_bytes(), text.as_bytes().to_vec(), modulus]
}

async fn rotation(backend: &Backend) {
    let (old, new) = (Signer::ec("old"), Signer::ed("new"));
    let host = Host::with(&[&old]).await;
    let server = trusts(backend, ExternalLogin { keys_interval_ms: 1, ..trusting(host.url()) }).await;
    let mut client = RawClient::hello(server.addr()).await;
    let user = log_in(&mut client, &old.sign(&claims("ada"))).await.unwrap().info.user;
    host.change(&[&old, &new]);
    until(&mut client, &new.sign(&claims("ada")), Ok(())).await;
    assert_eq!(log_in(&mut client, &old.sign(&claims("ada"))).await.unwrap().info.user, user);
    host.change(&[&new]);
    // Found out when somebody asks for a third one.
    let forgotten = async {
        while log_in(&mut client, &old.sign(&claims("ada"))).await.is_ok() {
            assert_eq!(
                refused(&mut client, &Signer::ed("third").sign(&claims("ada"))).await,
                ErrorCode::BadToken
            );
        }
    };
    timeout(DEADLINE, forgotten).await.expect("it is still known");
    assert_eq!(log_in(&mut client, &new.sign(&claims("ada"))).await.unwrap().info.user, user);
    // A key may follow another under its name.
    let newer = Signer::ed("new");
    host.change(&[&newer]);
    until(&mut client, &newer.sign(&claims("ada")), Ok(())).await;
}

/// A set that is too old is fetched anew though the key is known.
async fn withdrawal(backend: &Backend) {
    let (old, new) = (Signer::ec("old"), Signer::ec("new"));
    let host = Host::with(&[&old]).await;
    let settings = ExternalLogin { keys_interval_ms: 1, keys_max_age_s: 0, ..trusting(host.url()) };
    let server = trusts(backend, settings).await;
    let mut client = RawClient::hello(server.addr()).await;
    log_in(&mut client, &old.sign(&claims("ada"))).await.unwrap();
    host.change(&[&new]);
    until(&mut client, &old.sign(&claims("ada")), Err(ErrorCode::BadToken)).await;
}

async fn storms(backend: &Backend) {
    let key = Signer::ed("good");
    let host = Host::with(&[&key]).await;
    let settings = ExternalLogin { keys_interval_ms: NEVER_AGAIN_MS, ..trusting(host.url()) };
    let server = trusts(backend, settings).await;
    let storm = (0..8).map(async |n| {
        let mut client = RawClient::hello(server.addr()).await;
        for m in 0..20 {
            let token = Signer::ed(&format!("bogus {n} {m}")).sign(&claims("ada"));
            assert_eq!(refused(&mut client, &token).await, ErrorCode::BadToken);
        }
        client
    });
    let mut clients = join_all(storm).await;
    assert!(log_in(&mut clients[0], &key.sign(&claims("ada"))).await.is_ok());
    assert_eq!(host.asked(), 1, "whatever keys tokens name");
}

async fn outages(backend: &Backend) {
    let (old, new) = (Signer::ed("old"), Signer::ed("new"));
    let mut host = Host::with(&[&old]).await;
    host.go_down().await;
    let settings = ExternalLogin { keys_interval_ms: 1, keys_max_age_s: 0, ..trusting(host.url()) };
    let server = trusts(backend, settings).await;
    let mut client = RawClient::hello(server.addr()).await;
    let later = log_in(&mut client, &old.sign(&claims("ada"))).await.unwrap_err();
    assert_eq!((later.code, later.retry_after_ms), (ErrorCode::Unavailable, Some(1)));
    host.come_back().await;
    until(&mut client, &old.sign(&claims("ada")), Ok(())).await;
    host.go_down().await;
    for _ in 0..3 {
        assert!(log_in(&mut client, &old.sign(&claims("ada"))).await.is_ok(), "a known key does");
    }
    until(&mut client, &new.sign(&claims("ada")), Err(ErrorCode::Unavailable)).await;
    host.change(&[&new]);
    host.come_back().await;
    until(&mut client, &new.sign(&claims("ada")), Ok(())).await;
}

/// What was withdrawn behind an outage is not taken for ever.
async fn long_outage(backend: &Backend) {
    let key = Signer::ed("one");
    let mut host = Host::with(&[&key]).await;
    let keys = trusting(host.url());
    let settings = ExternalLogin { keys_interval_ms: 1, keys_max_age_s: 0, keys_used_max_s: 1, ..keys };
    let server = trusts(backend, settings).await;
    let mut client = RawClient::hello(server.addr()).await;
    until(&mut client, &key.sign(&claims("ada")), Ok(())).await;
    host.go_down().await;
    until(&mut client, &key.sign(&claims("ada")), Err(ErrorCode::Unavailable)).await;
    host.come_back().await;
    until(&mut client, &key.sign(&claims("ada")), Ok(())).await;
}

async fn a_file(backend: &Backend) {
    let (old, new) = (Signer::ed("old"), Signer::ec("new"));
    let folder = tempfile::tempdir().unwrap();
    let nowhere = trusting(format!("file:{}", folder.path().join("keys.json").display()));
    let missing = config(&folder, |config| config.external_login = nowhere);
    assert!(matches!(Server::start(missing).await, Err(StartError::ExternalLogin(_))));

    let server = trusts(backend, trusting_file(folder.path(), &[&old])).await;
    let mut client = RawClient::hello(server.addr()).await;
    assert!(log_in(&mut client, &old.sign(&claims("ada"))).await.is_ok());
    trusting_file(folder.path(), &[&new]);
    assert_eq!(refused(&mut client, &old.sign(&claims("ada"))).await, ErrorCode::BadToken);
    assert!(log_in(&mut client, &new.sign(&claims("ada"))).await.is_ok());
    std::fs::write(folder.path().join("keys.json"), "{\"keys\":[").unwrap();
    assert!(log_in(&mut client, &new.sign(&claims("ada"))).await.is_ok(), "half a file is none");
    assert_eq!(refused(&mut client, &old.sign(&claims("ada"))).await, ErrorCode::Unavailable);
}

async fn at_once(backend: &Backend) {
    let key = Signer::ed("one");
    let host = Host::with(&[&key]).await;
    let server = trusts(backend, trusting(host.url())).await;
    let logins = (0..8).map(async |_| {
        let mut client = RawClient::hello(server.addr()).await;
        log_in(&mut client, &key.sign(&claims("ada"))).await.unwrap().info
    });
    let infos = join_all(logins).await;
    assert!(infos.iter().all(|info| (info.user, info.inbox) == (infos[0].user, infos[0].inbox)), "{infos:?}");
}

async fn limits(backend: &Backend) {
    let key = Signer::ed("one");
    let host = Host::with(&[&key]).await;
    let slow = |config: &mut goim_server::Config| {
        config.limits.logins_per_s = 1;
        config.external_login = trusting(host.url());
    };
    let limited = server(backend, slow).await;
    let mut client = RawClient::hello(limited.addr()).await;
    until(&mut client, "junk", Err(ErrorCode::RateLimited)).await;
    assert_eq!(refused(&mut client, &key.sign(&claims("ada"))).await, ErrorCode::RateLimited);

    let alone = server(backend, |_| {}).await;
    let mut client = RawClient::hello(alone.addr()).await;
    assert_eq!(refused(&mut client, &key.sign(&claims("ada"))).await, ErrorCode::NotConfigured);
}

on_both_stores! {
    super::sessions as a_token_of_the_issuer_opens_a_session_of_its_subject_s_account,
    super::forgeries as no_other_token_opens_one,
    super::rotation as a_new_key_is_fetched_and_an_old_one_forgotten,
    super::withdrawal as a_key_that_the_issuer_withdrew_ends_with_the_set_s_age,
    super::storms as made_up_keys_do_not_hammer_the_issuer,
    super::outages as keys_that_are_known_do_while_the_issuer_is_down,
    super::long_outage as keys_are_forgotten_if_the_issuer_stays_down,
    super::a_file as keys_in_a_file_are_read_as_they_change,
    super::at_once as first_logins_at_once_make_one_account,
    super::limits as external_logins_are_limited_and_only_where_an_issuer_is_set,
}
