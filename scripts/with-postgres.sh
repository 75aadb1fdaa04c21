# To be sourced: Postgres runs until the script that does so ends, unless it ran before, and DATABASE_URL names it.
# shellcheck shell=bash
postgres_started=no
if ! scripts/postgres.sh url >/dev/null 2>&1; then
    scripts/postgres.sh start
    postgres_started=yes
fi
stop_postgres() { [[ $postgres_started == no ]] || scripts/postgres.sh stop || true; }
trap stop_postgres EXIT
DATABASE_URL=$(scripts/postgres.sh url)
export DATABASE_URL
