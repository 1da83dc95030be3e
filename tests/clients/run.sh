#!/bin/sh
#
# run.sh - real drivers, ORMs and tools through pgweir, each as its manual sets it up.
#
#     tests/clients/run.sh [-v] [WORD…]     run every program, or those whose name contains a WORD
#     tests/clients/run.sh --direct [WORD…] the same without pgweir: what fails here is not its fault
#     tests/clients/run.sh --list           the names
#
# Starts one PostgreSQL (tests/lib/pg.sh) and one pgweir (transaction pooling, 5 servers per pool) and gives each
# program a database of its own, so that they run side by side. A program finds everything in its environment:
#
#     DATABASE_URL  its database through pgweir, as app_user, who owns it
#     DIRECT_URL    the same without pgweir
#     PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE      the same as DATABASE_URL, for libpq
#     CLIENTS       how many clients it shall be at once (30)
#     SESSION_DATABASE, SESSION_URL   the same database by another name, of which pgweir has 3 servers only
#     SESSION_STEPS session.steps
#
# It prints a line `ok WHAT` or `FAILED WHAT: why` per thing that it tries, and `N passed, N failed` at the end.
# Here one line per program is left of that, and the logs in build/clients/. What is not installed is skipped, and
# said so.
#
# Environment: PGWEIR_BIN (build/dev/pgweir), CLIENT_SECONDS (200: the longest a program may take),
# CLIENT_JOBS (2: how many at once), TOLD_LINES (60: how much is told here of a failure).

set -u
umask 022
here=$(cd "$(dirname "$0")" && pwd -P) || exit 1
top=$(cd "$here/../.." && pwd -P) || exit 1
pg_sh=$top/tests/lib/pg.sh
work=$top/build/clients
: "${TOLD_LINES:=60}"
export TOLD_LINES
: "${PGWEIR_BIN:=$top/build/dev/pgweir}" "${CLIENT_SECONDS:=200}" "${CLIENT_JOBS:=2}" "${CLIENTS:=30}"
export CLIENTS PGWEIR_BIN

# name | what must be there (a command; its last word is told when it is not) | how it is run, in $here
table()
{
    cat <<'END'
prisma      | has_prisma Prisma      | sh $example/run.sh 4
psycopg3    | has_python psycopg     | $python python/use_psycopg3.py
asyncpg     | has_python asyncpg     | $python python/use_asyncpg.py
psycopg2    | has_python psycopg2    | $python python/use_psycopg2.py
pg          | has_node pg            | node $node/use_pg.mjs
sqlalchemy  | has_python sqlalchemy  | $python python/use_sqlalchemy.py
django      | has_python django      | $python python/use_django.py
postgres_js | has_node postgres      | node $node/use_postgres.mjs
sequelize   | has_node sequelize     | node $node/use_sequelize.mjs
typeorm     | has_node typeorm       | node $node/use_typeorm.mjs
knex        | has_node knex          | node $node/use_knex.mjs
drizzle     | has_node drizzle-orm   | node $node/use_drizzle.mjs
jdbc        | has_file javac $jdbc   | java -XX:TieredStopAtLevel=1 -cp $jdbc java/UseJdbc.java
pdo         | has_php pdo_pgsql      | php php/use_pdo.php
dbd_pg      | has_perl DBD::Pg       | perl perl/use_dbd_pg.pl
ruby_pg     | has_ruby pg            | ruby ruby/use_pg.rb
pgx         | has_go jackc/pgx       | $go run ./go/use_pgx
lib_pq      | has_go lib/pq          | $go run ./go/use_pq
libpq       | command -v cc          | sh -c "cc -O1 -I$libpq_headers -o $work/use_libpq c/use_libpq.c -lpq && exec $work/use_libpq"
tools       | command -v $psql       | sh tools/use_tools.sh ${psql%/*} $work/tools
END
}

# Debian's packages are for Debian's python, which need not be the first in the PATH.
python=/usr/bin/python3
[ -x "$python" ] || python=python3

has_python()
{
    "$python" -c "import $1"
}

jdbc=/usr/share/java/postgresql.jar

# The packages of Debian, which are laid out as before Go had modules.
go_path=/usr/share/gocode
go="env GO111MODULE=off GOFLAGS= GOPATH=$go_path GOCACHE=$work/gocache go"

has_go()
{
    command -v go && [ -d "$go_path/src/github.com/$1" ]
}

# A command and a file.
has_file()
{
    command -v "$1" && [ -e "$2" ]
}

has_php()
{
    php -m | grep -qx "$1"
}

has_perl()
{
    perl -M"$1" -e 1
}

has_ruby()
{
    ruby -r "$1" -e ''
}

# Programs for Node run in $work/node, because they find their packages beside themselves.
node=$work/node

has_node()
{
    command -v node && [ -d "$node/node_modules/$1" ]
}

# The example has a PostgreSQL and a pgweir of its own, and its packages.
example=$top/docs/examples/prisma

has_prisma()
{
    has_node pg && node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' &&
        sh "$example/run.sh" --prepare
}

# The row of program $1, its column $2, without the blanks around it.
column()
{
    table | awk -F'|' -v name="$1" -v n="$2" '
        { key = $1; gsub(/ /, "", key) }
        key == name { text = $n; sub(/^ +/, "", text); sub(/ +$/, "", text); print text }'
}

# --- one program ---------------------------------------------------------------------------------------------

# Runs in the environment that main() has made: $CLIENT_PORT, $DIRECT_PORT, $PG_SOCKET.
run_one()
{
    name=$1
    needs=$(column "$name" 2)
    if ! eval "$needs" >"$work/$name.log" 2>&1; then
        say "$name: skipped, there is no ${needs##* } here"
        return 0
    fi
    database=client_$name
    superuser_sql "CREATE DATABASE $database OWNER app_user" >"$work/$name.log" 2>&1
    export PGHOST=127.0.0.1 PGPORT="$CLIENT_PORT" PGUSER=app_user PGPASSWORD=app_user_pw PGDATABASE="$database"
    export DATABASE_URL="postgresql://app_user:app_user_pw@127.0.0.1:$CLIENT_PORT/$database"
    export SESSION_DATABASE="$SESSION_PREFIX$name" SESSION_STEPS="$here/session.steps"
    export SESSION_URL="postgresql://app_user:app_user_pw@127.0.0.1:$CLIENT_PORT/$SESSION_DATABASE"
    export DIRECT_URL="postgresql://app_user:app_user_pw@127.0.0.1:$DIRECT_PORT/$database"
    began=$(date +%s)
    command=$(column "$name" 3)
    (cd "$here" && eval "exec timeout --kill-after=5 $CLIENT_SECONDS $command") </dev/null >>"$work/$name.log" 2>&1
    code=$?
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$work/$name.log" | tail -n 1)
    passed=${line%% passed*}
    failed=${line##*, }
    failed=${failed%% failed}
    : "${passed:=0}" "${failed:=0}"
    if [ "$code" -ne 0 ] && [ "$failed" -eq 0 ]; then
        failed=1
        case $code in
            124 | 137) echo "FAILED it was stopped after $CLIENT_SECONDS seconds" >>"$work/$name.log" ;;
            *) echo "FAILED it ended with code $code" >>"$work/$name.log" ;;
        esac
    fi
    echo "$passed $failed" >"$work/$name.result"
    {
        say "$name: $passed passed, $failed failed ($(($(date +%s) - began)) s)"
        [ "$failed" -eq 0 ] || grep -A 12 '^FAILED' "$work/$name.log" | head -n "$TOLD_LINES" | cut -c1-200 | sed 's/^/    /'
    } >"$work/$name.told"
    cat "$work/$name.told"
}

say()
{
    printf '%s\n' "$*"
}

superuser_sql()
{
    env -u PGPASSWORD "$psql" -X -q -v ON_ERROR_STOP=1 -h "$PG_SOCKET" -p "$DIRECT_PORT" -U postgres -d postgres -c "$1"
}

# --- all of them ---------------------------------------------------------------------------------------------

pgweir_pid=

finish()
{
    trap '' INT TERM HUP
    if [ -n "$pgweir_pid" ]; then
        kill -TERM "$pgweir_pid" 2>/dev/null
        waited=0
        while kill -0 "$pgweir_pid" 2>/dev/null && [ "$waited" -lt 100 ]; do
            waited=$((waited + 1))
            sleep 0.1
        done
        kill -KILL "$pgweir_pid" 2>/dev/null
    fi
    sh "$pg_sh" remove "$work/pg"
    exit "$1"
}

# Brings what package-lock.json names to $node, unless that is there. Without npm, or without a registry, those
# programs are skipped.
prepare_node()
{
    mkdir -p "$node"
    cp "$here"/node/*.mjs "$here/node/package.json" "$here/node/package-lock.json" "$here/node/.npmrc" "$node/"
    cmp -s "$here/node/package-lock.json" "$node/node_modules/installed.json" && return 0
    command -v npm >/dev/null 2>&1 || { say 'there is no npm here'; return 1; }
    if (cd "$node" && timeout 300 npm ci --ignore-scripts) >"$work/npm.log" 2>&1; then
        cp "$here/node/package-lock.json" "$node/node_modules/installed.json"
    else
        say "npm ci failed, so there is nothing from Node: $(tail -n 3 "$work/npm.log")"
        return 1
    fi
}

# pgweir's files must be readable for the user that it becomes: they lie beside PostgreSQL's.
start_pgweir()
{
    dir=$(sed -n 's/^dir=//p' "$work/pg.env")/weir
    mkdir "$dir"
    cat >"$dir/pgweir.ini" <<END
[pgweir]
listen_addr = 127.0.0.1
listen_port = $CLIENT_PORT
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $dir/../userlist.txt
pool_mode = transaction
default_pool_size = 5
workers = 2
$([ "$(id -u)" -ne 0 ] || echo 'user = postgres')

[databases]
$(for name in psycopg3 asyncpg pg jdbc; do
    echo "session_$name = host=127.0.0.1 port=$DIRECT_PORT dbname=client_$name pool_size=3"
done)
* = host=127.0.0.1 port=$DIRECT_PORT
END
    "$PGWEIR_BIN" "$dir/pgweir.ini" </dev/null >"$work/pgweir.log" 2>&1 &
    pgweir_pid=$!
    waited=0
    until grep -qs 'process up: ' "$work/pgweir.log"; do
        waited=$((waited + 1))
        if [ "$waited" -gt 100 ] || ! kill -0 "$pgweir_pid" 2>/dev/null; then
            cat "$work/pgweir.log"
            say 'pgweir did not start'
            finish 1
        fi
        sleep 0.1
    done
}

# Of the names in stdin those that $words ask for: all, if there are none.
chosen()
{
    while read -r name; do
        [ -n "$words" ] || echo "$name"
        for word in $words; do
            case $name in *"$word"*) echo "$name"; break ;; esac
        done
    done
}

main()
{
    direct=
    words=
    while [ $# -gt 0 ]; do
        case $1 in
            -v) ;;
            --direct) direct=yes ;;
            --list) table | cut -d' ' -f1; exit 0 ;;
            *) words="$words $1" ;;
        esac
        shift
    done
    names=$(table | cut -d' ' -f1 | chosen)
    [ -n "$names" ] || { say "0 passed, 0 failed"; exit 0; }
    [ -n "$direct" ] || [ -x "$PGWEIR_BIN" ] || { say "$PGWEIR_BIN is not built"; exit 1; }

    sh "$pg_sh" remove "$work/pg" 2>/dev/null
    mkdir -p "$work"
    rm -f "$work"/*.result "$work"/*.told "$work"/*.log
    trap 'finish 1' INT TERM HUP
    psql=$(sh "$pg_sh" bindir)/psql
    # Drivers ask the catalogs in long queries: compiling those takes longer than running them.
    PG_CONF='jit = off' sh "$pg_sh" start "$work/pg" 0 >"$work/pg.env" || exit 1
    DIRECT_PORT=$(sed -n 's/^port=//p' "$work/pg.env")
    libpq_headers=$(pkg-config --variable=includedir libpq 2>/dev/null || pg_config --includedir)
    PG_SOCKET=$(sed -n 's/^socket=//p' "$work/pg.env")
    superuser_sql 'CREATE ROLE hat; GRANT hat TO app_user' || finish 1
    CLIENT_PORT=$DIRECT_PORT SESSION_PREFIX=client_
    if [ -z "$direct" ]; then
        CLIENT_PORT=$(sh "$pg_sh" freeport 16432)
        SESSION_PREFIX=session_
        start_pgweir
    fi
    export psql libpq_headers DIRECT_PORT PG_SOCKET CLIENT_PORT SESSION_PREFIX CLIENT_SECONDS

    prepare_node
    # shellcheck disable=SC2086
    printf '%s\n' $names | xargs -n 1 -P "$CLIENT_JOBS" sh "$here/run.sh" --one
    passed=0 failed=0
    for result in "$work"/*.result; do
        [ -f "$result" ] || continue
        read -r p f <"$result"
        passed=$((passed + p)) failed=$((failed + f))
    done
    if [ -n "$pgweir_pid" ] && ! kill -0 "$pgweir_pid" 2>/dev/null; then
        tail -n 40 "$work/pgweir.log"
        say 'pgweir: FAILED, it has ended by itself'
        failed=$((failed + 1))
    fi
    say "$passed passed, $failed failed"
    finish "$([ "$failed" -eq 0 ]; echo $?)"
}

case ${1:-} in
    --one) run_one "$2" ;;
    *) main "$@" ;;
esac
