//! Runs that somebody ends: nothing of them stays, and they say what happened.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A run that would take an hour, with this folder for what it makes.
fn start(arguments: &[&str], folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_goim-bench"))
        .args(arguments)
        .args(["--seconds", "3600"])
        .env("TMPDIR", folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

/// Whether the run whose folder is in there writes messages.
fn is_writing(folder: &Path) -> bool {
    const BYTES: u64 = 1 << 20;
    let mut runs = std::fs::read_dir(folder).unwrap().filter_map(Result::ok);
    runs.any(|run| run.path().join("goim.sqlite-wal").metadata().is_ok_and(|log| log.len() > BYTES))
}

fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

/// The processes that this one has started.
fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().filter_map(Result::ok);
    let of_task = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children")).ok();
    let all: Vec<String> = tasks.filter_map(of_task).collect();
    all.iter().flat_map(|pids| pids.split_whitespace()).map(|pid| pid.parse().unwrap()).collect()
}

fn failure(run: Child) -> String {
    let Output { status, stdout, stderr } = run.wait_with_output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(!status.success() && stdout.is_empty(), "{status}: {said}");
    said
}

#[test]
fn nothing_stays_of_a_run_that_is_interrupted() {
    let (limit, chat) = (["limit", "--store", "sqlite"], ["chat", "--users", "2"]);
    let runs = [&limit[..], &chat].into_iter().flat_map(|run| ["-INT", "-TERM"].map(|with| (run, with)));
    for (arguments, with) in runs {
        for at_once in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let run = start(arguments, folder.path());
            until("the run has begun", || !is_empty(folder.path()));
            if !at_once {
                until("messages are written", || is_writing(folder.path()));
            }
            let servers = children(run.id());
            signal(with, run.id());
            let said = failure(run);
            assert!(said.contains("interrupted"), "{arguments:?}: {said}");
            assert!(is_empty(folder.path()), "{arguments:?} {with}");
            let alive = |pid: &u32| Path::new(&format!("/proc/{pid}")).exists();
            assert!(!servers.iter().any(alive), "{arguments:?} {with}: {servers:?}");
        }
    }
}

#[test]
fn a_server_that_dies_ends_the_run_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let run = start(&["chat", "--users", "2"], folder.path());
    until("messages are written", || is_writing(folder.path()));
    children(run.id()).into_iter().for_each(|server| signal("-KILL", server));
    let said = failure(run);
    assert!(said.contains("in the middle of the run"), "{said}");
    assert!(is_empty(folder.path()));
}
