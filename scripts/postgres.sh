#!/usr/bin/env bash
# A private PostgreSQL for tests, benchmarks and people, kept under target/postgres.
#
#   scripts/postgres.sh start   starts it (makes it first, installs Debian's postgresql if needed)
#   scripts/postgres.sh url     prints its URL; fails if it does not run
#   scripts/postgres.sh stop    stops it; its data stays
#
# DATABASE_URL overrides all of it: then url prints that, and start and stop do nothing.
# Running start twice, or from several processes at once, starts one server.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
user=goim
database=goim
# Below the range that Linux hands out to outgoing connections, so that nobody is in the way.
first_port=21000
ports=10000

say() { printf 'postgres.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# initdb and postgres refuse to run as root.
server_user() {
    local name
    for name in postgres nobody; do
        if id "$name" >/dev/null 2>&1; then
            printf '%s' "$name"
            return
        fi
    done
    die "running as root, and there is neither a user postgres nor nobody to run the server as"
}

as_server() {
    if [[ $(id -u) -ne 0 ]]; then
        "$@"
    elif command -v runuser >/dev/null; then
        runuser -u "$(server_user)" -- "$@"
    else
        su -s /bin/sh "$(server_user)" -c 'exec "$@"' -- sh "$@"
    fi
}

# Where everything lives: target/postgres, unless the server's user cannot get there (a clone in
# root's home, say).
locate_home() {
    local wanted="$root/target/postgres" sum
    mkdir -p "$wanted"
    if as_server test -x "$wanted"; then
        printf '%s' "$wanted"
        return
    fi
    sum=$(printf '%s' "$root" | cksum | cut -d' ' -f1)
    mkdir -p "/var/tmp/goim-postgres-$sum"
    printf '%s' "/var/tmp/goim-postgres-$sum"
}

newest_binaries() {
    local dir found=''
    for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V); do
        [[ -x $dir/initdb ]] && found=$dir
    done
    if [[ -z $found ]] && command -v initdb >/dev/null; then
        found=$(dirname "$(command -v initdb)")
    fi
    printf '%s' "$found"
}

install_postgresql() {
    command -v apt-get >/dev/null ||
        die "no PostgreSQL here, and no apt-get to install it: install it, or set DATABASE_URL"
    local sudo=()
    if [[ $(id -u) -ne 0 ]]; then
        sudo -n true 2>/dev/null || die "no PostgreSQL here: run 'sudo apt-get install postgresql', or set DATABASE_URL"
        sudo=(sudo -n)
    fi
    say "installing postgresql"
    # The package would otherwise start a server of its own on the usual port.
    "${sudo[@]}" mkdir -p /etc/postgresql-common
    [[ -e /etc/postgresql-common/createcluster.conf ]] ||
        printf 'create_main_cluster = false\n' | "${sudo[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
    {
        "${sudo[@]}" apt-get update -q &&
            "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
                -o Dpkg::Options::=--force-confold postgresql
    } >&2
}

write_settings() {
    cat >"$data/postgresql.auto.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$home/socket'
unix_socket_permissions = 0700
# Durable, in tests too: a message that was acknowledged is on the disk.
fsync = on
full_page_writes = on
synchronous_commit = on
shared_buffers = 256MB
max_connections = 200
max_wal_size = 2GB
checkpoint_timeout = 15min
wal_compression = on
jit = off
log_checkpoints = off
log_line_prefix = '%m [%p] %d '
CONF
}

make_cluster() {
    say "making a cluster in $data"
    # Under its final name only when it is whole, so that an interrupted start is begun anew.
    local target="$data" data="$data.new"
    rm -rf "$data"
    mkdir -p "$data" "$home/socket"
    (
        umask 077
        od -An -N18 -tx1 /dev/urandom | tr -d ' \n' >"$home/password"
    )
    if [[ $(id -u) -eq 0 ]]; then
        chown "$(server_user)" "$data" "$home/socket" "$home/password"
    fi
    chmod 700 "$data" "$home/socket"
    # scram on the loopback too: other users of this machine can reach it.
    as_server "$bin/initdb" --pgdata="$data" --username="$user" --pwfile="$home/password" \
        --auth-local=scram-sha-256 --auth-host=scram-sha-256 --encoding=UTF8 --locale=C \
        --data-checksums >"$home/initdb.log" 2>&1 || { cat "$home/initdb.log" >&2; die "initdb failed"; }
    write_settings
    mv "$data" "$target"
}

runs() { as_server "$bin/pg_ctl" --pgdata="$data" status >/dev/null 2>&1; }

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

start() {
    local try port
    for try in 1 2 3 4 5; do
        port=$((first_port + (RANDOM + try) % ports))
        port_is_free "$port" || continue
        # A unix socket's path has at most 107 bytes; a deep clone does without.
        local options="-p $port"
        [[ ${#home} -gt 80 ]] && options+=" -c unix_socket_directories=''"
        # The lock and the standard streams are not the server's to keep open.
        if as_server "$bin/pg_ctl" --pgdata="$data" --log="$home/log/postgres.log" --wait --timeout=60 \
            --options="$options" start >"$home/pg_ctl.log" 2>&1 </dev/null 9>&-; then
            printf '%s' "$port" >"$home/port"
            ensure_database
            say "runs on port $port, log in $home/log/postgres.log"
            return
        fi
    done
    tail -n 20 "$home/pg_ctl.log" "$home/log/postgres.log" >&2 || true
    die "could not start the server"
}

sql() {
    PGPASSWORD=$(cat "$home/password") "$bin/psql" --host=127.0.0.1 --port="$(cat "$home/port")" \
        --username="$user" --no-psqlrc --quiet --tuples-only --no-align --dbname="$1" --command="$2"
}

ensure_database() {
    [[ $(sql postgres "SELECT 1 FROM pg_database WHERE datname = '$database'") == 1 ]] ||
        sql postgres "CREATE DATABASE $database"
}

url() {
    runs || die "it does not run: scripts/postgres.sh start"
    printf 'postgres://%s:%s@127.0.0.1:%s/%s\n' "$user" "$(cat "$home/password")" "$(cat "$home/port")" "$database"
}

main() {
    local verb=${1:-}
    case $verb in start | stop | url) ;; *) die "usage: scripts/postgres.sh start|stop|url" ;; esac
    if [[ -n ${DATABASE_URL:-} ]]; then
        [[ $verb == url ]] && printf '%s\n' "$DATABASE_URL"
        return 0
    fi
    bin=$(newest_binaries)
    if [[ -z $bin && $verb == start ]]; then
        install_postgresql
        bin=$(newest_binaries)
    fi
    [[ -n $bin ]] || die "no PostgreSQL here: scripts/postgres.sh start installs it"
    home=$(locate_home)
    # The server's user may not be allowed into the caller's folder.
    cd /
    data="$home/data"
    if command -v flock >/dev/null; then
        exec 9>"$home/lock"
        flock 9
    fi
    case $verb in
    start)
        [[ -e $data ]] || make_cluster
        mkdir -p "$home/log"
        [[ $(id -u) -ne 0 ]] || chown "$(server_user)" "$home/log"
        runs || start
        ;;
    stop) if runs; then as_server "$bin/pg_ctl" --pgdata="$data" --mode=fast --wait stop >/dev/null; fi ;;
    url) url ;;
    esac
}

main "$@"
