#!/usr/bin/env bash
# Everything that has to hold before a change lands: formatting, lints, all tests, each bench once, the
# fuzz targets for a second each, the HTTP API against its description, the simulation and its test of
# itself, documentation, and replays of channel logs on both stores. Sets up what it needs.
#
#   scripts/test.sh            the short form, for every change
#   scripts/test.sh --long     long tests, fuzz targets for 20 s each, a billion events of the
#                              simulation, and replays of all logs instead of a few
#
# IRC_LOGS=FOLDER   replays the real logs there too (files named *.txt)
# DATABASE_URL      a Postgres to use instead of the private one under target/
#
# The test of the HTTP API needs python3 with venv and pip, and PyPI the first time.
#
# Licences, advisories and duplicate crates are checked by `cargo deny check`, which needs the
# network and cargo-deny.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

long=no
case "${1:-}" in
    '') ;;
    --long) long=yes; export GOIM_LONG=1 ;;
    *) sed -n '2,/^set/p' "${BASH_SOURCE[0]}" | sed '$d; s/^# \{0,1\}//' >&2; exit 2 ;;
esac

step() { printf '\n== %s\n' "$*"; }
die() { printf 'test.sh: %s\n' "$*" >&2; exit 1; }

command -v cargo >/dev/null || die "no cargo: install Rust first, https://rustup.rs"

step "Postgres"
source scripts/with-postgres.sh

step "Formatting"
cargo fmt --all --check

step "Files under 450 lines"
git ls-files -z -- '*.rs' | xargs -0 wc -l | awk '$2 != "total" && $1 > 450 { print; bad = 1 } END { exit bad }' \
    || die "split these: a file has one job"

step "goim-core depends on no runtime, socket, clock, format or database"
allowed='^(goim-core|bytes|thiserror|thiserror-impl|uuid|proc-macro2|quote|syn|unicode-ident)$'
extra=$(cargo tree -p goim-core -e normal --prefix none 2>/dev/null | awk '{print $1}' | sort -u | grep -vE "$allowed" || true)
[[ -z $extra ]] || die "goim-core has new dependencies: $extra"
if rustc --print target-libdir --target wasm32-unknown-unknown 2>/dev/null | xargs -r test -d; then
    cargo check -p goim-core --target wasm32-unknown-unknown
fi

step "Lints"
# The deliberate bugs are made of the same files, whose tests are not theirs.
bugs=(goim-core-bugs goim-core-models-bugs goim-sim-bugs)
cargo clippy --workspace "${bugs[@]/#/--exclude=}" --all-targets -- -D warnings
cargo clippy "${bugs[@]/#/--package=}" -- -D warnings
cargo clippy -p goim-client --no-default-features --all-targets -- -D warnings

step "Tests"
cargo test --workspace --no-fail-fast

step "Benches, each once"
# Not to measure, but so that none is broken when somebody does. All of the workspace, for then nothing
# is built but the benches themselves.
cargo test --workspace --bench '*'

step "Tests of goim-core as the optimiser leaves it"
# That is what servers run; a compiler's fault once showed here alone.
cargo test --release -p goim-core

step "The HTTP API against its description"
# The same requests each time in the short form, so that a change is judged by what it changes.
if [[ $long == no ]]; then scripts/fuzz-http.sh --seed 1; else scripts/fuzz-http.sh --examples 100; fi

step "Simulation"
# Seeds from 1 on, until there were so many events: the same worlds each time. A world that goes round
# in circles within one event ends by the clock alone, and is a finding too.
events=30000000
[[ $long == no ]] || events=1000000000
cargo build --release --quiet -p goim-sim -p goim-sim-bugs
release=${CARGO_TARGET_DIR:-target}/release
timeout $((600 + events / 200000)) "$release/goim-sim" --seeds 10000000 --events "$events" --all-marks

step "Deliberate bugs, each of which has to be found"
found=$(timeout 1200 "$release/goim-sim-bugs") || { printf '%s\n' "$found"; die "a bug was missed"; }
# In which world changes with every change to a world.
bugs_in() { grep '^|' | cut -d'|' -f2,3; }
diff <(bugs_in <<<"$found") <(bugs_in <docs/RELIABILITY.md) ||
    die "docs/RELIABILITY.md has other bugs than goim-sim-bugs prints; put its table in that one's place"
printf '%s\n' "${found##*$'\n'}"

step "Fuzz targets"
(
    # A workspace of its own, with other flags: so another target folder, too.
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:+$CARGO_TARGET_DIR/fuzz}
    [[ -n $CARGO_TARGET_DIR ]] || unset CARGO_TARGET_DIR
    [[ $long == no ]] || export GOIM_FUZZ_SECONDS=${GOIM_FUZZ_SECONDS:-20}
    cd fuzz
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    cargo test
)

step "Documentation"
RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --quiet

step "Replays"
cargo build --release -p goim-bench --quiet
bench=${CARGO_TARGET_DIR:-target}/release/goim-bench
logs=$(mktemp -d)
trap 'rm -rf "$logs"; stop_postgres' EXIT
for seed in 1 2 3; do
    "$bench" logs --seed "$seed" --people 60 --lines 1500 --out "$logs/seed-$seed.txt"
done
files=("$logs"/*.txt)
if [[ -n ${IRC_LOGS:-} ]]; then
    real=()
    for file in "$IRC_LOGS"/*.txt; do
        # A folder of logs has its licence beside them.
        [[ ! -f $file || $(basename "$file") =~ ^(LICEN[CS]E|README) ]] || real+=("$file")
    done
    [[ ${#real[@]} -gt 0 ]] || die "IRC_LOGS=$IRC_LOGS has no *.txt"
    [[ $long == yes ]] || real=("${real[@]:0:3}")
    files+=("${real[@]}")
fi
for store in sqlite postgres; do
    step "Replay of ${#files[@]} logs on $store"
    "$bench" replay --store "$store" "${files[@]}"
done

step "All is well"
