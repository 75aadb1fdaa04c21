#!/usr/bin/env bash
# What docs/BENCHMARKS.md tables: each store's limit, what goim delivers beside it, what an idle connection
# costs, and what every call takes against a data set, in one run.
#
#   scripts/bench.sh [SECONDS]   of each measurement; 5 without it
#
# Let nothing else run meanwhile. The structures of goim-core: cargo bench -p goim-bench
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-5}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { sed -n '2,/^set/p' "${BASH_SOURCE[0]}" | sed '$d; s/^# \{0,1\}//' >&2; exit 2; }

source scripts/with-postgres.sh
cargo build --release -p goim-bench --quiet
bench=${CARGO_TARGET_DIR:-target}/release/goim-bench

# One figure of a JSON object that is one line, by its name and the name of the object around it.
figure() {
    local number
    number=$(sed -nE "s/.*\"$2\":${3:+\{[^\}]*\"$3\":}(-?[0-9.]+).*/\1/p" <<<"$1")
    # What a report does not tell is no figure.
    [[ -z $number ]] && printf -- '-' || printf '%.2f' "$number"
}
times() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

row() {
    local name=$1 store=$2 rate
    shift 2
    local report
    report=$("$bench" chat --store "$store" --seconds "$seconds" --json "$@")
    rate=$(figure "$report" delivered_per_s)
    printf '%-34s %10.0f  %5s  ack ms %7s %7s  delivery ms %7s %7s\n' "$name" "$rate" \
        "$(times "$rate" "$limit")" "$(figure "$report" ack_ms p50)" "$(figure "$report" ack_ms p99)" \
        "$(figure "$report" delivery_ms p50)" "$(figure "$report" delivery_ms p99)"
}

for store in postgres sqlite; do
    report=$("$bench" limit --store "$store" --seconds "$seconds" --json)
    limit=$(figure "$report" rows_per_s)
    printf '\n%-34s %10s  %5s  %22s  %27s\n' "$store" "a second" "ratio" "p50     p99" "p50     p99"
    printf '%-34s %10.0f  %5s\n' "limit: bare inserts" "$limit" 1.00
    report=$("$bench" limit --store "$store" --seconds "$seconds" --rows 2048 --json)
    rate=$(figure "$report" rows_per_s)
    printf '%-34s %10.0f  %5s\n' "… of 2,048 rows a commit" "$rate" "$(times "$rate" "$limit")"
    row "200 users in pairs, window 32" "$store"
    row "2 users, window 256" "$store" --users 2 --window 256
    row "group: 64 senders, one reads" "$store" --group --users 64 --readers 1
    row "200 users, 2,000 a second" "$store" --rate 2000
done
printf '\nidle connections\n'
"$bench" idle --store postgres --connections 1000
for store in postgres sqlite; do
    printf '\nevery call on %s\n' "$store"
    "$bench" api --store "$store"
done
