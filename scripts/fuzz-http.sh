#!/usr/bin/env bash
# The HTTP API against its own description: starts a server on a store of its own, checks that the
# document is OpenAPI 3.1, and has Schemathesis make requests of it, good ones and bad ones. Fails
# on a 5xx, on an answer that the document does not name or describes otherwise, and on a request
# that breaks the document and is taken.
#
#   scripts/fuzz-http.sh                 a minute or less
#   scripts/fuzz-http.sh --seed N        the same requests again
#   scripts/fuzz-http.sh --examples N    requests of each operation that are made up (default: 8)
#
# Needs python3 with venv and pip, and PyPI the first time; what it installs is under target/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(schemathesis==4.32.5 openapi-spec-validator==0.9.0)

die() { printf 'fuzz-http.sh: %s\n' "$*" >&2; exit 1; }

seed=$((RANDOM * 32768 + RANDOM))
examples=8
while [[ $# -gt 0 ]]; do
    case $1 in
        --seed) seed=${2:?a number} ; shift 2 ;;
        --examples) examples=${2:?a number} ; shift 2 ;;
        *) sed -n '2,/^set/p' "${BASH_SOURCE[0]}" | sed '$d; s/^# \{0,1\}//' >&2; exit 2 ;;
    esac
done

target=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd)
tools=$target/fuzz-http
if [[ $(cat "$tools/packages" 2>/dev/null) != "${packages[*]}" ]]; then
    command -v python3 >/dev/null || die "no python3: install Python 3.11 or newer"
    rm -rf "$tools"
    python3 -m venv "$tools" || die "python3 has no venv: install python3-venv"
    "$tools/bin/pip" install --quiet "${packages[@]}"
    printf '%s' "${packages[*]}" >"$tools/packages"
fi

cargo build --quiet --bin goim-server
work=$(mktemp -d)
finish() {
    [[ -z ${server:-} ]] || { kill "$server" && wait "$server"; } 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# Logins are made as fast as all else here.
GOIM_DATA_DIR=$work/data GOIM_QUIC_LISTEN=127.0.0.1:0 GOIM_API_LISTEN=127.0.0.1:$port \
    GOIM_LIMITS__LOGINS_PER_S=10000 "$target/debug/goim-server" >"$work/log" 2>&1 &
server=$!
api=http://127.0.0.1:$port
curl --silent --fail --retry 100 --retry-connrefused --retry-delay 1 "$api/v1/ping" ||
    die "the server did not start: $(cat "$work/log")"

curl --silent --fail "$api/v1/openapi.json" >"$work/openapi.json"
"$tools/bin/openapi-spec-validator" "$work/openapi.json" || die "the document is not OpenAPI 3.1"

# Two people and a group, so that not everything is refused for want of somebody.
post() { curl --silent --fail --json "$2" ${3:+-H "Authorization: Bearer $3"} "$api$1"; }
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
ada=$(post /v1/accounts '{"name":"ada","password":"correct horse"}' | field access_token)
post /v1/accounts '{"name":"ben","password":"correct horse"}' >/dev/null
id=$(python3 -c 'import os, time, uuid
bits = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10))
print(uuid.UUID(int=bits & ~(0xf << 76 | 3 << 62) | 7 << 76 | 2 << 62))')
group=$(post /v1/groups "{\"name\":\"tea\",\"members\":[\"2\"],\"client_msg_id\":\"$id\"}" "$ada" |
    field conversation)

cat >"$work/schemathesis.toml" <<END
[parameters]
"path.conversation" = "$group"

[checks]
# What is well-formed may still be refused, and often is: names that are taken, ids of nobody.
positive_data_acceptance.enabled = false
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 409, 413, 415, 422, 429, 431]
END
# Logging out would end the session that all requests are made with, and events never end.
printf 'fuzz-http.sh: --seed %s\n' "$seed"
# What it keeps of a run goes into the folder where it runs.
cd "$work"
"$tools/bin/st" --config-file "$work/schemathesis.toml" --no-color run "$work/openapi.json" --url "$api" \
    --header "Authorization: Bearer $ada" --exclude-operation-id Logout --exclude-operation-id Events \
    --phases examples,coverage,fuzzing --max-examples "$examples" --seed "$seed" --continue-on-failure \
    >"$work/out" 2>&1 || { cat "$work/out"; die "see above; again: --seed $seed"; }
kill -0 "$server" || die "the server is gone: $(tail -5 "$work/log")"
tail -20 "$work/out"
