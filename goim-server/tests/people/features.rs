//! `docs/FEATURES.md` names calls and tests that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use goim_proto::Call;

/// The cells of every row that names a test.
fn rows() -> Vec<Vec<String>> {
    let document =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/FEATURES.md")).unwrap();
    let rows = document.lines().filter(|line| line.starts_with("| ") && line.contains("`: "));
    rows.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn every_feature_names_a_test_that_exists() {
    for row in rows() {
        let (file, tests) = row[3].split_once("`: ").unwrap_or_else(|| panic!("no test in {row:?}"));
        let file = file.trim_start_matches('`');
        let folder = if file.starts_with("src/") { "" } else { "tests" };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(file);
        let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for test in tests.split(", ") {
            let named = [format!("fn {test}("), format!(" as {test},")];
            assert!(named.iter().any(|name| source.contains(name)), "{file} has no {test}");
        }
    }
}

#[test]
fn every_feature_names_calls_that_exist() {
    let known: BTreeSet<_> = Call::<bytes::Bytes>::CODES.iter().map(|(_, name)| *name).collect();
    let rows = rows();
    let named: BTreeSet<_> =
        rows.iter().flat_map(|row| row[1].split(", ")).filter(|call| !call.is_empty()).collect();
    assert!(named.is_subset(&known), "{:?}", named.difference(&known));
    assert!(rows.len() > 20, "the tables have lost their rows");
}
