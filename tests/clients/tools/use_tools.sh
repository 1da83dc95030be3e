#!/bin/sh
#
# use_tools.sh - what comes with PostgreSQL: psql, pgbench, pg_dump, pg_restore, vacuumdb, reindexdb, pg_isready.
#
# $1 is where the programs are, $2 a directory to work in. Everything else comes from the environment (PGHOST …).

set -u
bin=$1
work=$2
passed=0
failed=0

# try WHAT COMMAND…: one thing. What the command says is told when it fails.
try()
{
    what=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        passed=$((passed + 1))
        echo "ok $what"
    else
        failed=$((failed + 1))
        echo "FAILED $what"
        tail -n 8 "$work/said"
    fi
}

psql_script()
{
    "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 >"$work/script.out" <<'END' || return 1
\set id 7
BEGIN;
CREATE TABLE script (id int PRIMARY KEY, name text);
INSERT INTO script VALUES (:id, 'a'), (8, 'b');
SAVEPOINT here;
DELETE FROM script;
ROLLBACK TO here;
COMMIT;
\copy script TO script.csv CSV
\copy script FROM PROGRAM 'echo 9,c' CSV
SELECT 'SELECT ' || id || ' * 2' FROM script ORDER BY id
\gexec
SELECT count(*) = 3 AS complete FROM script \gset
\if :complete
    \echo complete
\endif
\set FETCH_COUNT 2
SELECT id, name FROM script ORDER BY id;
END
    printf '14\n16\n18\ncomplete\n7|a\n8|b\n9|c\n' | diff - "$work/script.out" &&
        printf '7,a\n8,b\n' | diff - script.csv
}

psql_crowd()
{
    for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
        echo "SELECT $n, count(*) FROM pg_class" | "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 >"$work/psql.$n" 2>&1 &
    done
    wait
    for n in 1 15 30; do
        grep -q "^$n|" "$work/psql.$n" || { cat "$work/psql.$n"; return 1; }
    done
}

# A thread for each client: pgbench waits for the answer to each PREPARE, and so would keep the other clients of a
# thread within their transactions, on all five servers, while the one that prepares waits for a server.
pgbench_mode()
{
    "$bin/pgbench" -n -c 30 -j 30 -t 25 "$@" >"$work/bench" 2>&1 || { cat "$work/bench"; return 1; }
    ! grep -q 'number of failed transactions: [1-9]' "$work/bench"
}

pgbench_pipeline()
{
    cat >"$work/pipeline.sql" <<'END'
\startpipeline
\set aid random(1, 100000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
END;
\endpipeline
END
    "$bin/pgbench" -n -c 30 -j 30 -t 20 -M "$1" -f "$work/pipeline.sql"
}

books_balance()
{
    "$bin/psql" -X -q -A -t -c 'SELECT (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(bbalance) FROM pgbench_branches)
        AND (SELECT sum(delta) FROM pgbench_history) = (SELECT sum(bbalance) FROM pgbench_branches)' | grep -qx t
}

plain_dump()
{
    "$bin/pg_dump" -f "$work/plain.sql" && grep -q 'COPY public.pgbench_accounts' "$work/plain.sql" &&
        [ "$(wc -l <"$work/plain.sql")" -gt 100000 ]
}

directory_dump()
{
    rm -rf "$work/dump" && "$bin/pg_dump" -F d -j 4 -f "$work/dump"
}

restore()
{
    before=$("$bin/psql" -X -A -t -c 'SELECT count(*), sum(abalance) FROM pgbench_accounts')
    "$bin/pg_restore" --clean --if-exists --no-owner -j 4 -d "$PGDATABASE" "$work/dump" &&
        [ "$("$bin/psql" -X -A -t -c 'SELECT count(*), sum(abalance) FROM pgbench_accounts')" = "$before" ]
}

mkdir -p "$work"
cd "$work" || exit 1
try 'pg_isready' "$bin/pg_isready"
try 'psql scripts' psql_script
try 'psql, 30 of them' psql_crowd
try 'pgbench -i' "$bin/pgbench" -i -q
for mode in simple extended prepared; do
    try "pgbench -M $mode" pgbench_mode -M "$mode"
done
try 'pgbench, a connection per transaction' pgbench_mode -M prepared -C -c 10 -j 10 -t 5
for mode in extended prepared; do
    try "pgbench -M $mode, pipelines" pgbench_pipeline "$mode"
done
try 'no money is lost' books_balance
try 'pg_dump, plain' plain_dump
try 'pg_dump, directory, -j 4' directory_dump
try 'pg_restore, directory, -j 4' restore
try 'vacuumdb -j 3 -z' "$bin/vacuumdb" -j 3 -z "$PGDATABASE"
try 'reindexdb --concurrently -t' "$bin/reindexdb" --concurrently -t pgbench_tellers "$PGDATABASE"
try 'reindexdb -j 3' "$bin/reindexdb" -S public -j 3 "$PGDATABASE"
try 'clusterdb' "$bin/clusterdb" "$PGDATABASE"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
