//! Every target on stable Rust: over its corpus, then for a while over changed and random inputs.
//!
//! `GOIM_FUZZ_SECONDS`  how long each target gets besides its corpus; 1 if not said
//! `GOIM_FUZZ_TARGET`   this one only
//! `GOIM_SEED`          the first input's seed, as a failure prints it; the time if not said

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use goim_core_models::Input;
use goim_fuzz::seeds::{self, Seed};
use goim_fuzz::{Target, json, targets};
use goim_proto::{ClientFrame, Content, ServerFrame, decode};

/// As long as scripts/fuzz.sh lets inputs become.
const INPUT_BYTES_MAX: usize = 4096;

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a whole number: {text}")))
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        entry.file_name().into_string().expect("names are plain")
    };
    entries.map(name).collect()
}

/// The seeds of a target, each with its file.
fn corpus(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let read = |name: String| {
        let path = folder.join(name);
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, bytes)
    };
    let files: Vec<_> = names(folder).into_iter().map(read).collect();
    assert!(!files.is_empty(), "{} has no seed: cargo run --bin seeds", folder.display());
    files
}

/// The input of a seed: one of the corpus, changed in a few places, or bytes at random.
fn make(seed: u64, corpus: &[(PathBuf, Vec<u8>)]) -> Vec<u8> {
    let mut input = Input::seeded(seed);
    if input.percent(30) {
        let length = 1 << input.below(12);
        return (0..input.below(length)).map(|_| byte(&mut input)).collect();
    }
    let mut bytes = corpus[input.below(corpus.len())].1.clone();
    for _ in 0..1 + input.below(8) {
        change(&mut bytes, &mut input, corpus);
    }
    bytes.truncate(INPUT_BYTES_MAX);
    bytes
}

fn byte(input: &mut Input<'_>) -> u8 {
    u8::try_from(input.below(256)).unwrap()
}

fn change(bytes: &mut Vec<u8>, input: &mut Input<'_>, corpus: &[(PathBuf, Vec<u8>)]) {
    let at = input.below(bytes.len() + 1);
    let to = bytes.len().min(at + 1 + input.below(16));
    match input.below(6) {
        0 if at < to => bytes[at] = byte(input),
        1 if at < to => bytes[at] ^= 1 << input.below(8),
        2 => bytes.insert(at, byte(input)),
        3 => drop(bytes.drain(at..to)),
        4 => {
            let copy = bytes[at..to].to_vec();
            let into = input.below(bytes.len() + 1);
            bytes.splice(into..into, copy);
        }
        _ => {
            let other = &corpus[input.below(corpus.len())].1;
            bytes.splice(at.., other[at.min(other.len())..].iter().copied());
        }
    }
}

/// Runs one input, and says how to run it again if it fails.
fn run(target: Target, bytes: &[u8], again: impl Fn() -> String) {
    if catch_unwind(AssertUnwindSafe(|| (target.run)(bytes))).is_err() {
        panic!("target {} failed on {} bytes; again: {}", target.name, bytes.len(), again());
    }
}

/// Runs the seeds of a target as they are.
fn run_seeds(target: Target, corpus: &[(PathBuf, Vec<u8>)]) {
    for (path, bytes) in corpus {
        run(target, bytes, || format!("scripts/fuzz.sh {} {}", target.name, path.display()));
    }
}

#[test]
fn every_target_holds_over_its_corpus_and_inputs_made_from_it() {
    let time = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let first = setting("GOIM_SEED").unwrap_or_else(time);
    let seconds = Duration::from_secs(setting("GOIM_FUZZ_SECONDS").unwrap_or(1));
    let only = std::env::var("GOIM_FUZZ_TARGET").ok();
    let chosen: Vec<_> =
        targets().filter(|target| only.as_ref().is_none_or(|only| only == target.name)).collect();
    assert!(!chosen.is_empty(), "GOIM_FUZZ_TARGET names no target");
    for target in chosen {
        let corpus = corpus(&home().join("corpus").join(target.name));
        run_seeds(target, &corpus);
        let until = Instant::now() + seconds;
        let mut seed = first;
        while Instant::now() < until {
            let bytes = make(seed, &corpus);
            run(target, &bytes, || {
                let folder = home().join("artifacts").join(target.name);
                let path = folder.join(format!("seed-{seed}"));
                let kept = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, &bytes));
                let file = match kept {
                    Ok(()) => format!("scripts/fuzz.sh {} {}", target.name, path.display()),
                    Err(error) => format!("its input could not be written: {error}"),
                };
                format!("GOIM_FUZZ_TARGET={} GOIM_SEED={seed} cargo test, or {file}", target.name)
            });
            seed = seed.wrapping_add(1);
        }
        let inputs = seed.wrapping_sub(first);
        println!("{}: {} seeds, {inputs} inputs from GOIM_SEED={first}", target.name, corpus.len());
    }
}

/// Fails unless the seeds are in the folder, byte for byte. What else is there is for whoever put it
/// there.
fn compare_seeds(folder: &Path, seeds: &[Seed]) {
    const AGAIN: &str = "again: cd fuzz && cargo run --bin seeds";
    for (name, bytes) in seeds {
        let path = folder.join(name);
        let found =
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; {AGAIN}", path.display()));
        let (is, should) = (found.len(), bytes.len());
        assert!(&found == bytes, "{}: {is} bytes are not the seed of {should}; {AGAIN}", path.display());
    }
}

#[test]
fn the_corpus_has_every_seed_as_it_is_made() {
    for target in targets() {
        compare_seeds(&home().join("corpus").join(target.name), &seeds::of(target.name));
    }
}

#[test]
fn a_seed_that_is_missing_or_corrupt_is_named() {
    let folder = folder("other-seeds");
    let seeds = [("Text".to_owned(), vec![0x92, 1, 0x90])];
    let path = folder.join("Text");
    let again = "; again: cd fuzz && cargo run --bin seeds";
    let said = refusal(|| compare_seeds(&folder, &seeds));
    assert!(said.starts_with(&format!("{}: ", path.display())) && said.ends_with(again), "{said}");
    std::fs::write(&path, []).unwrap();
    let said = refusal(|| compare_seeds(&folder, &seeds));
    assert_eq!(said, format!("{}: 0 bytes are not the seed of 3{again}", path.display()));
    std::fs::write(&path, &seeds[0].1).unwrap();
    std::fs::write(folder.join("found-later"), [0xff]).unwrap();
    compare_seeds(&folder, &seeds);
}

#[test]
fn targets_binaries_and_folders_are_the_same() {
    let all: BTreeSet<_> = targets().map(|target| target.name.to_owned()).collect();
    assert_eq!(names(&home().join("corpus")), all);
    let files = names(&home().join("fuzz_targets"));
    assert_eq!(files, all.iter().map(|name| format!("{name}.rs")).collect());
    let manifest = include_str!("../Cargo.toml");
    let binaries = manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"));
    assert_eq!(binaries.map(|line| line.trim_end_matches('"').to_owned()).collect::<BTreeSet<_>>(), files);
    for name in all {
        let source = std::fs::read_to_string(home().join("fuzz_targets").join(format!("{name}.rs"))).unwrap();
        assert!(source.contains(&format!("goim_fuzz::{name}::run")), "{name}.rs runs another target");
    }
}

/// A folder of this test's own, without anything in it.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// How a function says that it cannot go on.
fn refusal(function: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(function)).expect_err("it went on");
    *panic.downcast().expect("it is a text")
}

#[test]
fn a_seed_that_cannot_be_read_or_that_a_target_fails_on_is_named() {
    let folder = folder("bad-seeds");
    assert!(refusal(|| drop(corpus(&folder))).contains("bad-seeds has no seed"));
    let (corrupt, unreadable) = (folder.join("corrupt"), folder.join("unreadable"));
    std::fs::write(&corrupt, [0xff]).unwrap();
    let strict = Target { name: "strict", run: |data| assert_ne!(data, [0xff]) };
    let said = refusal(|| run_seeds(strict, &corpus(&folder)));
    let again = format!("on 1 bytes; again: scripts/fuzz.sh strict {}", corrupt.display());
    assert!(said.ends_with(&again), "{said}");
    std::fs::create_dir(&unreadable).unwrap();
    let said = refusal(|| drop(corpus(&folder)));
    assert!(said.starts_with(&format!("{}: ", unreadable.display())), "{said}");
}

#[test]
fn seeds_decode_but_for_those_that_should_not() {
    let decodes = |target: &str, bytes: &[u8]| match target {
        "client_frame" => decode::<ClientFrame>(bytes).is_ok(),
        "server_frame" => decode::<ServerFrame>(bytes).is_ok(),
        "content" => decode::<Content>(bytes).is_ok(),
        "json" => json::is_something(bytes),
        other => panic!("{other} is not decoded here"),
    };
    let mut undecodable = Vec::new();
    for target in ["client_frame", "server_frame", "content", "json"] {
        let seeds = seeds::of(target).into_iter().filter(|(_, bytes)| !decodes(target, bytes));
        undecodable.extend(seeds.map(|(name, _)| format!("{target}/{name}")));
    }
    let refused = ["content/not-utf8", "json/edited-twice", "json/two-variants", "json/an-id-too-long"];
    assert_eq!(undecodable, refused);
}
