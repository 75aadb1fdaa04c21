//! The command line: its exit codes and what it says.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::fs;
use std::process::{Command, Output};

fn goim_sim(arguments: &[&str]) -> Output {
    let out = std::env::temp_dir().join(format!("goim-sim-test-{}.scenario", std::process::id()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_goim-sim"));
    command.args(arguments).arg("--out").arg(out).output().expect("it runs")
}

fn says(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

#[test]
fn a_clean_run_ends_well_and_says_where_it_has_been() {
    let output = goim_sim(&["--seeds", "3", "--seed", "40"]);
    assert_eq!(output.status.code(), Some(0), "{}", says(&output));
    assert!(says(&output).contains("a node crashed") && says(&output).contains("3 worlds"));
}

#[test]
fn marks_that_were_not_hit_fail_a_run_that_wants_them_all() {
    let output = goim_sim(&["--seeds", "1", "--all-marks"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(says(&output).contains("never happened: "));
}

#[test]
fn unknown_options_and_values_are_refused() {
    for arguments in [
        &["--gremlins"][..],
        &["--seeds", "0"],
        &["--seeds", "many"],
        &["--events", "0"],
        &["--set", "gremlins=1"],
        &["--set", "nodes=0"],
        &["--replay", "/nowhere/at/all"],
    ] {
        let output = goim_sim(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", says(&output));
        assert!(!says(&output).contains("panicked"), "{}", says(&output));
    }
}

#[test]
fn a_foreign_file_is_not_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("foreign");
    for text in [&b"#!/bin/sh\n"[..], &[0xff, 0xfe, 0], b"goim-sim scenario 1\nseed=1\nnodes=many\n"] {
        fs::write(&file, text).unwrap();
        let output = goim_sim(&["--replay", &file.display().to_string()]);
        assert_eq!(output.status.code(), Some(2), "{}", says(&output));
    }
}
