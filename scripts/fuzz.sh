#!/usr/bin/env bash
# The fuzz targets under libFuzzer.
#
#   scripts/fuzz.sh                      every target, 60 seconds each
#   scripts/fuzz.sh TARGET [SECONDS]     one of them; "all" for every one
#   scripts/fuzz.sh TARGET FILE          runs that input once: a crash again, or a seed
#
# Starts from the seeds in fuzz/corpus/TARGET and keeps what it finds on the way in
# fuzz/found/TARGET, which git ignores; an input that fails is kept in fuzz/artifacts/TARGET. The
# exit code is 1 if there is one. To keep it tested for good, copy it into fuzz/corpus/TARGET.
#
# SANITIZER=address   with AddressSanitizer. The code here is safe Rust, so it finds what a dependency
#                     does wrong, at a tenth of the inputs per second or less; so without is the default.
#
# Needs cargo-fuzz and a nightly toolchain. Without nightly it goes on with stable, told to allow what
# cargo-fuzz needs, but then without a sanitizer. `cargo test` in fuzz/ needs neither.
set -euo pipefail
if [[ -f ${2:-} ]]; then
    set -- "$1" "$(cd "$(dirname "$2")" && pwd)/$(basename "$2")"
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Longer lists of operations find nothing that shorter ones don't, only slower.
input_bytes_max=4096
memory_mib_max=2048
# For one input, not for the run.
input_seconds_max=20

die() { printf 'fuzz.sh: %s\n' "$*" >&2; exit 2; }

names=()
for file in fuzz/fuzz_targets/*.rs; do
    names+=("$(basename "$file" .rs)")
done

wanted=${1:-all}
what=${2:-60}
case $wanted in
    -h | --help) sed -n '2,/^set/p' "${BASH_SOURCE[0]}" | sed '$d; s/^# \{0,1\}//'; exit ;;
    all) targets=("${names[@]}") ;;
    *)
        printf '%s\n' "${names[@]}" | grep -qxF -- "$wanted" ||
            die "there is no target $wanted; there are: ${names[*]}"
        targets=("$wanted")
        ;;
esac
input=''
if [[ $wanted != all && -f $what ]]; then
    input=$what
elif ! [[ $what =~ ^[1-9][0-9]*$ ]]; then
    die "$what is neither a number of seconds nor a file"
fi

command -v cargo >/dev/null || die "no cargo: install Rust first, https://rustup.rs"
cargo fuzz --version >/dev/null 2>&1 || die "no cargo-fuzz: run 'cargo install cargo-fuzz --locked'"

# A target folder of its own: other flags than the tests', so that neither undoes the other's build.
sanitizer=${SANITIZER:-none}
options=(--fuzz-dir fuzz --target-dir "fuzz/target/libfuzzer-$sanitizer" --features libfuzzer)
options+=(--sanitizer "$sanitizer")
cargo=(cargo)
if rustc +nightly --version >/dev/null 2>&1; then
    cargo+=(+nightly)
elif ! rustc --version | grep -q nightly; then
    how="run 'rustup toolchain install nightly'"
    [[ $sanitizer == none ]] || die "a sanitizer needs a nightly toolchain: $how"
    printf 'fuzz.sh: no nightly toolchain, on with stable; to have one, %s\n' "$how" >&2
    export RUSTC_BOOTSTRAP=1
fi

# A target and what libFuzzer gets.
run() {
    local target=$1
    shift
    "${cargo[@]}" fuzz run "${options[@]}" "$target" "$@"
}

if [[ -n $input ]]; then
    run "$wanted" "$input" || { printf 'fuzz.sh: %s fails on %s\n' "$wanted" "$input" >&2; exit 1; }
    exit 0
fi

for target in "${targets[@]}"; do
    "${cargo[@]}" fuzz build "${options[@]}" "$target" || die "$target does not build"
done

failed=()
for target in "${targets[@]}"; do
    printf '\n== %s, %s s\n' "$target" "$what"
    mkdir -p "fuzz/found/$target" "fuzz/artifacts/$target"
    run "$target" "fuzz/found/$target" "fuzz/corpus/$target" -- \
        -max_total_time="$what" -max_len="$input_bytes_max" -timeout="$input_seconds_max" \
        -rss_limit_mb="$memory_mib_max" -print_final_stats=1 || failed+=("$target")
done

[[ ${#failed[@]} -eq 0 ]] && { printf '\n== No target failed\n'; exit 0; }
for target in "${failed[@]}"; do
    newest=$(ls -t "fuzz/artifacts/$target" | head -n 1)
    printf 'fuzz.sh: %s failed; again: scripts/fuzz.sh %s fuzz/artifacts/%s/%s\n' \
        "$target" "$target" "$target" "$newest" >&2
done
exit 1
