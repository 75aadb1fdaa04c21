//! A world is its seed, a scenario is its text, and a bad one says what is wrong.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use goim_sim::{Scenario, ScenarioError, look, trace};

#[test]
fn the_same_seed_is_the_same_world() {
    for seed in [3, 14, 159] {
        let scenario = Scenario::draw(seed);
        let (first, one) = trace(&scenario, 0);
        let (second, other) = trace(&scenario, 0);
        assert_eq!(first.events, second.events, "seed {seed}");
        assert!(one == other, "seed {seed} went two ways");
        assert!(first.events > 1_000, "seed {seed} is hardly a world");
    }
}

#[test]
fn some_worlds_hold() {
    for seed in 1..=20 {
        assert_eq!(look(&Scenario::draw(seed)).finding, None, "seed {seed}");
    }
}

#[test]
fn a_scenario_is_its_text() {
    let mut scenario = Scenario::draw(5);
    scenario.set_text("nodes=2").unwrap();
    assert_eq!(Scenario::from_text(&scenario.to_text()), Ok(scenario));
}

#[test]
fn a_bad_scenario_says_what_is_wrong() {
    let mut scenario = Scenario::draw(5);
    assert_eq!(Scenario::from_text("{\"seed\": 5}"), Err(ScenarioError::Foreign));
    for seeds in ["", "seed=\n", "seed=1\nseed=2\n"] {
        let text = format!("goim-sim scenario 1\n{seeds}nodes=2\n");
        assert_eq!(Scenario::from_text(&text), Err(ScenarioError::Seed), "{text}");
    }
    assert_eq!(scenario.set_text("nodes"), Err(ScenarioError::NotAPair("nodes".to_owned())));
    assert_eq!(scenario.set_text("nodes=-1"), Err(ScenarioError::NotAPair("nodes=-1".to_owned())));
    let unknown = scenario.set_text("gremlins=7").unwrap_err();
    assert!(unknown.to_string().contains("gremlins") && unknown.to_string().contains("node_crash_every_ms"));
    for bad in ["nodes=0", "nodes=65", "users=1", "conflict_permille=1001"] {
        assert!(matches!(scenario.set_text(bad), Err(ScenarioError::OutOfRange { .. })), "{bad}");
    }
}

/// Each parameter at its least, which the command line lets through.
#[test]
fn no_parameter_at_its_least_makes_a_world_panic() {
    for name in Scenario::NAMES {
        let mut scenario = Scenario::draw(7);
        scenario.set(name, Scenario::least(name));
        let finding = look(&scenario).finding;
        // A notifier that lets one conversation through at a time, or the like, may be too slow.
        assert!(finding.as_ref().is_none_or(|finding| finding.check != "panic"), "{name}: {finding:?}");
    }
}
