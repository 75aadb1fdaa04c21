//! The short forms of the commands that measure, and what they say of input that cannot be.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

const STORES: [&str; 2] = ["sqlite", "postgres"];
/// Of a run whose machine was busy.
const TRIES: usize = 5;

/// One command at a time: they measure, and would measure each other.
static TURN: Mutex<()> = Mutex::new(());

fn bench(arguments: &[&str]) -> Output {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/postgres.sh");
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(env!("CARGO_BIN_EXE_goim-bench"));
    if std::env::var_os("DATABASE_URL").is_none() {
        let started = Command::new(script).arg("start").status().unwrap();
        assert!(started.success(), "no Postgres to measure");
    }
    command.args(arguments).output().unwrap()
}

fn report(arguments: &[&str]) -> Value {
    let output = bench(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// A server that runs already: where it is, and its certificate's fingerprint. It ends with its standard input.
fn serve(folder: &Path) -> (Child, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_goim-bench"));
    let store = format!("sqlite:{}", folder.join("goim.sqlite").display());
    command.args(["serve", "--store", &store, "--data"]).arg(folder);
    let mut server = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let mut words = line.split_whitespace().map(str::to_owned);
    assert_eq!(words.next().as_deref(), Some("READY"), "{line}");
    (server, words.next().unwrap(), words.next().unwrap())
}

/// The report of a rate that any machine can make. One with other work may fail to, and the tool says so.
fn open_loop(arguments: &[&str]) -> Value {
    let kept_up = |output: &Output| !has_fallen_behind(&String::from_utf8_lossy(&output.stderr));
    let output = (0..TRIES).map(|_| bench(arguments)).find(kept_up).expect("this machine is too busy");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// Which of the two is busier, nobody knows.
fn has_fallen_behind(said: &str) -> bool {
    ["the generator fell behind", "the server cannot keep"].iter().any(|words| said.contains(words))
}

/// What a command says that must fail without a figure.
fn refusal(arguments: &[&str]) -> String {
    let output = bench(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn positive(report: &Value, pointer: &str) {
    let figure = report.pointer(pointer).and_then(Value::as_f64);
    assert!(figure.is_some_and(|figure| figure > 0.0), "{pointer} in {report:#}");
}

#[test]
fn limit_measures_both_stores() {
    for store in STORES {
        let report = report(&["limit", "--store", store, "--seconds", "1", "--json"]);
        positive(&report, "/rows_per_s");
        positive(&report, "/commit_ms/p99");
        assert!(report["statement"].as_str().unwrap().starts_with("INSERT INTO messages"), "{report:#}");
    }
}

#[test]
fn chat_measures_both_stores() {
    for store in STORES {
        let report = report(&["chat", "--store", store, "--users", "10", "--seconds", "1", "--json"]);
        for figure in
            ["/delivered_per_s", "/ack_ms/p50", "/delivery_ms/max", "/cpu_s/server", "/server_rss_bytes"]
        {
            positive(&report, figure);
        }
        assert_eq!(report["conversations"], 5, "{report:#}");
    }
}

#[test]
fn a_server_that_runs_already_is_measured_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, address, fingerprint) = serve(folder.path());
    for _ in 0..2 {
        let connect = ["chat", "--users", "4", "--seconds", "1", "--json", "--connect", &address];
        let report = report(&[&connect[..], &["--fingerprint", &fingerprint]].concat());
        positive(&report, "/delivered_per_s");
        positive(&report, "/cpu_s/clients");
        assert!(report["cpu_s"]["server"].is_null() && report["server_rss_bytes"].is_null(), "{report:#}");
    }
    drop(server.stdin.take());
    assert!(server.wait().unwrap().success());
}

#[test]
fn an_open_loop_delivers_what_is_due() {
    let arguments = ["chat", "--users", "10", "--rate", "100", "--seconds", "2", "--json"];
    let report = open_loop(&arguments);
    let delivered = report["delivered"].as_f64().unwrap();
    // What is on its way at either end of the time may count or not.
    assert!((150.0..=250.0).contains(&delivered), "{report:#}");
}

#[test]
fn a_group_s_message_is_delivered_once_for_each_reader() {
    let group =
        ["chat", "--group", "--users", "6", "--readers", "1", "--rate", "60", "--seconds", "2", "--json"];
    let report = open_loop(&group);
    // The one reader gets what the other five send.
    let (acked, delivered) = (report["acked"].as_f64().unwrap(), report["delivered"].as_f64().unwrap());
    assert!(delivered > 0.6 * acked && delivered < acked, "{report:#}");
}

#[test]
fn idle_tells_what_a_connection_costs() {
    let report = report(&["idle", "--connections", "20", "--conversations", "2", "--json"]);
    positive(&report, "/server_bytes");
    positive(&report, "/connected_bytes");
}

#[test]
fn api_measures_every_call_on_both_stores() {
    for store in STORES {
        let small = ["--messages", "2000", "--users", "100", "--conversations", "50", "--repeat", "2"];
        let report = report(&[&["api", "--store", store, "--json"][..], &small].concat());
        let calls = report["calls"].as_array().unwrap();
        for call in ["Sync", "ListConversations", "Register", "Send", "Allocate"] {
            let of_call: Vec<_> = calls.iter().filter(|measured| measured["call"] == call).collect();
            assert!(!of_call.is_empty(), "{call} in {report:#}");
            of_call.iter().for_each(|measured| positive(measured, "/ms/p50"));
        }
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_reason() {
    for (arguments, words) in [
        (&["chat", "--users", "0"][..], "0 is not in 2..="),
        (&["chat", "--users", "3"], "3 users do not make pairs"),
        (&["chat", "--users", "4", "--group", "--readers", "5"], "--readers 5 of --users 4"),
        (&["chat", "--connect", "127.0.0.1:1"], "--fingerprint"),
        (&["chat", "--connect", "127.0.0.1:1", "--fingerprint", "abc"], "64 hexadecimal digits"),
        (&["chat", "--rate", "0"], "0 is not in 1..="),
        (&["limit", "--seconds", "0"], "0 is not in 1..="),
        (&["api", "--conversations", "1"], "1 is not in 50..="),
        (&["limit", "--store", "oracle"], "invalid value 'oracle'"),
        (&["limit", "--rows", "0"], "0 is not in 1..="),
        (&["limit", "--rows", "4096"], "4096 is not in 1..="),
        (&["logs", "--out", "/nowhere/log"], "/nowhere/log cannot be written"),
    ] {
        let said = refusal(arguments);
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}

#[test]
fn a_store_that_is_not_there_is_named() {
    for arguments in [
        &["limit", "--store", "postgres"][..],
        &["chat", "--store", "postgres"],
        &["api", "--store", "postgres"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_goim-bench"))
            .args(arguments)
            // A port that nobody listens on.
            .env("DATABASE_URL", "postgres://goim:secret@127.0.0.1:1/goim")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && output.stdout.is_empty(), "{said}");
        assert!(said.contains("Postgres") && said.contains("onnection refused"), "{said}");
        assert!(!said.contains("secret"), "{said}");
    }
}

#[test]
fn a_rate_that_cannot_be_made_gives_no_figures() {
    let said = refusal(&["chat", "--users", "10", "--rate", "1000000", "--seconds", "1"]);
    assert!(has_fallen_behind(&said), "{said}");
}

#[test]
fn another_database_is_refused() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_goim-bench"));
    command.args(["limit", "--store", "postgres"]).env("DATABASE_URL", "sqlite:/secret/goim.sqlite");
    let said = String::from_utf8(command.output().unwrap().stderr).unwrap();
    assert!(said.contains("should begin with postgres://") && !said.contains("secret"), "{said}");
}

#[test]
fn figures_that_nobody_takes_are_an_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_goim-bench"));
    let output = command.args(["logs", "--lines", "100"]).stdout(writer).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("standard output takes nothing"), "{said}");
}
