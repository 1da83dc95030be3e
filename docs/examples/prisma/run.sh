#!/bin/sh
#
# run.sh - the whole example on one machine, from nothing: a throw-away PostgreSQL that allows 40 connections, pgweir
# with 10 of them, migrations over DIRECT_URL, the seed over DATABASE_URL, then three API processes with 30 requests at
# once each; in the middle of it a migration. In the end the same load without pgweir, to see what happens.
#
#     docs/examples/prisma/run.sh [SECONDS]         how long each load lasts (10)
#     docs/examples/prisma/run.sh --prepare         only what is needed from npm, and the generated client
#
# Works in build/examples/prisma. Needs node (20.19 or later), npm, PostgreSQL's programs and a built pgweir: PGWEIR_BIN,
# or build/release/pgweir (./dev build), or build/dev/pgweir. The last line is `N passed, N failed`.

set -u
umask 022
here=$(cd "$(dirname "$0")" && pwd -P) || exit 1
top=$(cd "$here/../../.." && pwd -P) || exit 1
work=$top/build/examples/prisma
pg_sh=$top/tests/lib/pg.sh
weir=${PGWEIR_BIN:-$top/build/release/pgweir}
[ -x "$weir" ] || weir=$top/build/dev/pgweir
load_seconds=${1:-10}
passed=0
failed=0
pgweir_pid=

finish()
{
    trap '' INT TERM HUP
    if [ -n "$pgweir_pid" ]; then
        kill -TERM "$pgweir_pid" 2>/dev/null
        wait "$pgweir_pid" 2>/dev/null
    fi
    sh "$pg_sh" remove "$work/pg" 2>/dev/null
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}

# try WHAT COMMAND…
try()
{
    what=$1
    shift
    echo "-- $what"
    if "$@"; then
        passed=$((passed + 1))
        echo "ok $what"
    else
        failed=$((failed + 1))
        echo "FAILED $what"
    fi
}

# The packages, unless they are there; and the client. Generating it does not need the engine that Prisma's CLI
# downloads first (that is for migrations), so the CLI is told that there is one.
prepare()
{
    mkdir -p "$work"
    sh "$pg_sh" remove "$work/pg" 2>/dev/null
    cp "$here"/*.mjs "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$work/" && mkdir -p "$work/prisma" &&
        cp -R "$here/prisma/." "$work/prisma/" && cd "$work" || return 1
    if ! cmp -s package-lock.json node_modules/installed.json; then
        npm ci --ignore-scripts --loglevel=error && cp package-lock.json node_modules/installed.json || return 1
    fi
    cmp -s prisma/schema.prisma generated/made-of.prisma && return 0
    PRISMA_SCHEMA_ENGINE_BINARY=/bin/true CHECKPOINT_DISABLE=1 npx --no-install prisma generate >generate.log 2>&1 &&
        cp prisma/schema.prisma generated/made-of.prisma || { cat generate.log; return 1; }
}

start_servers()
{
    PG_MAX_CONNECTIONS=40 sh "$pg_sh" start "$work/pg" 0 >"$work/pg.env" || return 1
    pg_port=$(sed -n 's/^port=//p' "$work/pg.env")
    dir=$(sed -n 's/^dir=//p' "$work/pg.env")/weir
    port=$(sh "$pg_sh" freeport 17432)
    mkdir "$dir"
    cat >"$dir/pgweir.ini" <<END
[pgweir]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_file = $dir/../userlist.txt
default_pool_size = 10
$([ "$(id -u)" -ne 0 ] || echo 'user = postgres')

[databases]
app = host=127.0.0.1 port=$pg_port
END
    "$weir" "$dir/pgweir.ini" </dev/null >"$work/pgweir.log" 2>&1 &
    pgweir_pid=$!
    waited=0
    until grep -qs "process up: " "$work/pgweir.log"; do
        waited=$((waited + 1))
        [ "$waited" -le 100 ] && kill -0 "$pgweir_pid" 2>/dev/null || { cat "$work/pgweir.log"; return 1; }
        sleep 0.1
    done
    # Of the roles that pg.sh makes: who serves requests, and who owns the schema.
    DATABASE_URL=postgresql://app_user:app_user_pw@127.0.0.1:$port/app
    DIRECT_URL=postgresql://migration_user:migration_user_pw@127.0.0.1:$pg_port/app
    without_pooler=postgresql://app_user:app_user_pw@127.0.0.1:$pg_port/app
    export DATABASE_URL DIRECT_URL
}

if [ "${1:-}" = --prepare ]; then
    prepare
    exit
fi
trap finish INT TERM HUP
prepare || { failed=1; finish; }
start_servers || { failed=1; finish; }
cd "$work" || exit 1
try 'migrations over DIRECT_URL' node migrate.mjs 0002
try 'seed over DATABASE_URL' node seed.mjs
try 'load through pgweir, a migration in the middle of it' env SECONDS="$load_seconds" node load.mjs
try 'the same load without a pooler is refused' \
    env SECONDS="$load_seconds" DATABASE_URL="$without_pooler" node load.mjs --expect-refusals
finish
