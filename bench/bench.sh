#!/bin/sh
#
# bench.sh - poolers side by side. `./dev bench` builds what it needs and starts it.
#
#     bench.sh [--full] [--rounds N] [--seconds S] [--list] [CASE…]
#
# Each case starts all of its poolers, warms them up, and measures them in turn: A B C, A B C, …, so that whatever else the
# machine does meets all of them. What is compared is made within a round; the median over the rounds is told.
# Behind the poolers stands bench/fake_backend.c, so what is measured is the pooler and not PostgreSQL; the case
# `postgres` is the exception. CPU is the pooler's own, from /proc, of all of its threads.
#
# Environment
#     BENCH_POOLERS   more of them: "label=/path/to/program …". A program whose name begins with pgweir gets pgweir's
#                     configuration, any other one PgBouncer's
#     PGWEIR_BIN, BENCH_BIN_DIR    as built by ./dev bench
#
# Everything is left in build/bench/: results.txt (one line per measurement), table.md, and the configuration and log
# of each pooler.

set -eu
umask 022
LC_ALL=C
export LC_ALL
top=$(cd "$(dirname "$0")/.." && pwd -P)
weir=${PGWEIR_BIN:-$top/build/release/pgweir}
bin=${BENCH_BIN_DIR:-$top/build/release/bench}
pg_sh=$top/tests/lib/pg.sh
work=$top/build/bench
results=$work/results.txt
load=$bin/load

# Poolers drop root, and what they read must be theirs to read.
run_dir=
pids=
rounds=3
seconds=1
is_full=

# What `--full` adds stands in the second list.
short_cases='simple-32 extended-32 prepared-32 pipeline tls-client tls-both latency half-load login-scram login-plaintext login-tls
    idle idle-tls pools copy-out copy-in value cold fairness workers-32 workers-256'
full_cases='simple-1 simple-256 extended-1 extended-256 prepared-1 prepared-256 tls-server login-trust statements postgres'

die()
{
    echo "bench: $*" >&2
    exit 1
}

say()
{
    printf '%s\n' "$*"
}

# --- processes ---------------------------------------------------------------------------------------------------

# start NAME COMMAND…: in the background, its output in NAME.log; leaves its id in $started.
start()
{
    name=$1
    shift
    "$@" >"$run_dir/$name.log" 2>&1 </dev/null &
    started=$!
    pids="$pids $started"
}

# stop PID: and wait for its end.
stop()
{
    kill "$1" 2>/dev/null || :
    wait "$1" 2>/dev/null || :
    kept=
    for pid in $pids; do [ "$pid" = "$1" ] || kept="$kept $pid"; done
    pids=$kept
}

pg_is_up=
finish()
{
    trap - EXIT INT TERM
    for pid in $pids; do kill "$pid" 2>/dev/null || :; done
    for pid in $pids; do wait "$pid" 2>/dev/null || :; done
    [ -z "$pg_is_up" ] || sh "$pg_sh" remove "$run_dir/pg" >/dev/null 2>&1 || :
    if [ -n "$run_dir" ]; then
        cp "$run_dir"/*.ini "$run_dir"/*.cfg "$run_dir"/*.log "$work" 2>/dev/null || :
        rm -rf "$run_dir"
    fi
}

# wait_for PORT PID NAME: until somebody listens there.
wait_for()
{
    hex=$(printf '%04X' "$1")
    tries=0
    until awk -v at=":$hex\$" '$2 ~ at && $4 == "0A" { found = 1 } END { exit !found }' /proc/net/tcp; do
        tries=$((tries + 1))
        if [ "$tries" -gt 100 ] || ! kill -0 "$2" 2>/dev/null; then
            tail -n 20 "$run_dir/$3.log" >&2
            die "$3 does not listen on port $1"
        fi
        sleep 0.05
    done
}

next_port=16400
free_port()
{
    port=$(sh "$pg_sh" freeport "$next_port")
    next_port=$((port + 1))
}

# --- what stands behind the poolers -------------------------------------------------------------------------------

backend_plain=
backend_tls=
backend_slow=

# backend KIND: plain, tls, slow (50 ms for a login) or postgres; leaves its port in $backend_port.
backend()
{
    case $1 in
        plain) backend_port=$backend_plain ;;
        tls) backend_port=$backend_tls ;;
        slow) backend_port=$backend_slow ;;
        postgres)
            if [ -z "$pg_is_up" ]; then
                free_port
                pg_is_up=yes
                eval "$(sh "$pg_sh" start "$run_dir/pg" "$port" | grep '^port=' | sed 's/^port/pg_port/')"
                # shellcheck disable=SC2154
                cp "$run_dir/pg/userlist.txt" "$run_dir/pg_userlist.txt"
                chmod 644 "$run_dir/pg_userlist.txt"
            fi
            backend_port=$pg_port
            ;;
    esac
    [ -n "$backend_port" ] || {
        free_port
        backend_port=$port
        case $1 in
            plain) start "backend_$1" "$bin/fake_backend" "$port" && backend_plain=$port ;;
            tls) start "backend_$1" "$bin/fake_backend" "$port" 0 "$run_dir/tls.crt" "$run_dir/tls.key" && backend_tls=$port ;;
            slow) start "backend_$1" "$bin/fake_backend" "$port" 50 && backend_slow=$port ;;
        esac
        wait_for "$port" "$started" "backend_$1"
    }
}

# --- poolers ------------------------------------------------------------------------------------------------------

# The program of a label: pgweir, pgweir/2 (two workers), pgbouncer, haproxy, or one of BENCH_POOLERS.
program_of()
{
    case $1 in
        pgweir | pgweir/*) echo "$weir" ;;
        pgbouncer) command -v pgbouncer || : ;;
        haproxy) command -v haproxy || : ;;
        direct) echo direct ;;
        *)
            for entry in ${BENCH_POOLERS:-}; do
                [ "${entry%%=*}" != "$1" ] || echo "${entry#*=}"
            done
            ;;
    esac
}

# What both kinds of ini have in common; the case's own lines are in $extra, $auth and $tls.
common_settings()
{
    cat <<END
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = $auth
auth_file = $auth_file
pool_mode = transaction
default_pool_size = 20
max_client_conn = 15000
log_connections = 0
log_disconnections = 0
END
    case $tls in *client*)
        printf 'client_tls_sslmode = require\nclient_tls_cert_file = %s\nclient_tls_key_file = %s\n' \
            "$run_dir/tls.crt" "$run_dir/tls.key"
        ;;
    esac
    case $tls in
        *server*) echo 'server_tls_sslmode = require' ;;
        *) echo 'server_tls_sslmode = disable' ;;
    esac
}

# start_pooler LABEL: leaves port_of_… and pid_of_… (see pooler_port, pooler_pid).
start_pooler()
{
    program=$(program_of "$1")
    file=$(printf '%s' "$1" | tr -c 'a-zA-Z0-9' _)
    ini=$run_dir/$file.ini
    port=$backend_port
    started=0
    case $1:${program##*/} in
        direct:*) ;;
        haproxy:*)
            free_port
            cat >"$run_dir/$file.cfg" <<END
global
    maxconn 4000
    nbthread 1
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen bench
    bind 127.0.0.1:$port
    server backend 127.0.0.1:$backend_port
END
            start "$file" "$program" -db -f "$run_dir/$file.cfg"
            ;;
        *:pgweir*)
            free_port
            workers=1
            case $1 in */*) workers=${1#*/} ;; esac
            {
                printf '[databases]\n* = host=127.0.0.1 port=%s\n[pgweir]\n' "$backend_port"
                common_settings
                printf 'workers = %s\nserver_connections = %s\nuser = %s\n' "$workers" "$weir_servers" "$run_user"
            } >"$ini"
            start "$file" "$program" "$ini"
            ;;
        *)
            free_port
            {
                printf '[databases]\n* = host=127.0.0.1 port=%s\n[pgbouncer]\n' "$backend_port"
                common_settings
                [ -z "$run_user" ] || echo "user = $run_user"
            } >"$ini"
            start "$file" "$program" -q "$ini"
            ;;
    esac
    eval "port_of_$file=\$port pid_of_$file=\$started"
    [ "$started" -eq 0 ] || wait_for "$port" "$started" "$file"
}

pooler_port()
{
    eval "echo \$port_of_$(printf '%s' "$1" | tr -c 'a-zA-Z0-9' _)"
}

pooler_pid()
{
    eval "echo \$pid_of_$(printf '%s' "$1" | tr -c 'a-zA-Z0-9' _)"
}

stop_pooler()
{
    [ "$(pooler_pid "$1")" -eq 0 ] || stop "$(pooler_pid "$1")"
}

# --- cases --------------------------------------------------------------------------------------------------------

# spec CASE: what is peculiar about it.
#     figures    of what the load tells, the ones that are compared; `per_cpu` is 1e6 / cpu_us
#     args       for the load
#     against    poolers beside pgweir and PgBouncer
#     fresh      the poolers are started anew for each round
spec()
{
    figures=cpu_us,rate
    args=
    against=
    fresh=
    tls=
    auth=trust
    auth_file=$run_dir/userlist.txt
    behind=plain
    weir_servers=20
    user='user=bench password=bench_pw database=bench'
    time="seconds=$seconds"
    others=$extra_poolers
    case $1 in
        simple-* | extended-* | prepared-*)
            args="run protocol=${1%-*} clients=${1##*-}"
            against=haproxy
            ;;
        pipeline) args='run protocol=prepared depth=20 clients=32' against=haproxy ;;
        tls-client) tls=client args='run clients=32' ;;
        tls-server) tls=server args='run clients=32' behind=tls ;;
        tls-both) tls=client,server args='run clients=32' behind=tls ;;
        latency) figures=added_us,p99_us against=haproxy ;; # bench/added.c measures all of them in one go
        half-load) args='run clients=32' figures=p50_us,p99_us,p999_us against=direct ;;
        login-trust) args='login clients=16' figures=per_cpu ;;
        login-plaintext) args='login clients=16' figures=per_cpu auth=scram-sha-256 auth_file=$run_dir/plaintext.txt ;;
        login-scram) args='login clients=16' figures=per_cpu auth=scram-sha-256 ;;
        login-tls) args='login clients=16 tls=1' figures=per_cpu auth=scram-sha-256 tls=client ;;
        idle) args='idle clients=10000' figures=resident,cpu_share fresh=yes ;;
        idle-tls) args='idle clients=2000 tls=1' figures=resident,cpu_share fresh=yes tls=client ;;
        pools) args='run clients=32' figures=cpu_us weir_servers=2100 ;;
        statements) args='run protocol=prepared clients=32' figures=cpu_us others= ;;
        copy-out) args='run clients=1 count=1 query=copy@out@1000000000' figures=cpu_us time= ;;
        copy-in) args='run clients=1 count=1 bytes=1000000000 query=copy@in' figures=cpu_us time= ;;
        value) args='run clients=1 count=5 query=value@100000000' figures=cpu_us time= ;;
        cold) args='burst clients=20 query=sleep@300' figures=over_300ms fresh=yes behind=slow time= ;;
        fairness) args='run clients=500 query=sleep@2' figures=most_over_mean,p50_us ;;
        workers-*) args="run clients=${1##*-}" figures=rate,cpu_us against='pgweir/2 pgweir/4 haproxy' ;;
        postgres)
            args='run clients=32 query=select@1' behind=postgres auth=scram-sha-256
            user='user=app_user password=app_user_pw database=app' auth_file=$run_dir/pg_userlist.txt
            ;;
        *) die "no case is called $1; --list names them" ;;
    esac
    case $is_full:$1 in yes:idle-tls) args=$(echo "$args" | sed 's/clients=[0-9]*/clients=10000/') ;; esac
    case $1 in tls-client | tls-both) args="$args tls=1" ;; esac
    wanted=
    for pooler in pgweir pgbouncer $against $others; do
        if [ -n "$(program_of "$pooler")" ]; then wanted="$wanted $pooler"; else missing="$missing $pooler"; fi
    done
}

# load_at POOLER ARGUMENT…: one line of name=value; an @ in a value is a blank.
load_at()
{
    at=$1
    kind=$2
    shift 2
    for arg; do
        shift
        set -- "$@" "$(printf '%s' "$arg" | tr @ ' ')"
    done
    # shellcheck disable=SC2086
    "$load" "$kind" port="$(pooler_port "$at")" pid="$(pooler_pid "$at")" $user "$@" </dev/null
}

# What happens to a pooler once, before it is measured in this case.
prepare()
{
    case $1 in
        pools)
            # shellcheck disable=SC2086
            load_at "$2" run clients=32 $time | sed "s|^|round=0 case=$1-before pooler=$2 |" >>"$results"
            load_at "$2" walk clients=2000 >/dev/null
            ;;
        statements)
            load_at "$2" run protocol=prepared clients=32 "$time" | sed "s|^|round=0 case=$1-before pooler=$2 |" >>"$results"
            mkfifo "$run_dir/hold.$2"
            # shellcheck disable=SC2086
            "$load" prepare port="$(pooler_port "$2")" $user clients=20 statements=100000 hold=1 \
                <"$run_dir/hold.$2" >"$run_dir/held.$2" 2>&1 &
            pids="$pids $!"
            holder=$!
            exec 9>"$run_dir/hold.$2"
            tries=0
            until grep -qs ready "$run_dir/held.$2"; do
                tries=$((tries + 1))
                if [ "$tries" -gt 1200 ] || ! kill -0 "$holder" 2>/dev/null; then
                    cat "$run_dir/held.$2" >&2
                    die "$2 does not take 100,000 statements"
                fi
                sleep 0.05
            done
            ;;
        idle | idle-tls) load_at "$2" run clients=1 count=100 ${tls:+tls=1} >/dev/null ;;
        half-load)
            # Half of what PgBouncer can do here and now, for all.
            [ "$2" != pgbouncer ] || {
                line=$(load_at "$2" run clients=32 "$time")
                half=$(printf '%s\n' "$line" | tr ' ' '\n' | awk -F= '$1 == "rate" { printf "%d", $2 / 2 }')
            }
            ;;
    esac
}

unprepare()
{
    case $1 in statements)
        exec 9>&-
        stop "$holder"
        ;;
    esac
}

# One run of `added` for all poolers.
measure_added()
{
    paths=
    for pooler in $wanted; do paths="$paths $pooler=$(pooler_port "$pooler")"; done
    # shellcheck disable=SC2086
    "$bin/added" direct="$backend_port" $paths "$time" </dev/null | sed "s|^|round=$round case=$1 |" >>"$results"
}

measure()
{
    rate=
    [ "$1" != half-load ] || rate="rate=$half"
    # shellcheck disable=SC2086
    load_at "$2" $args $time $rate | sed "s|^|round=$round case=$1 pooler=$2 |" >>"$results"
}

# All of them, one after the other.
measure_in_turn()
{
    for pooler in $wanted; do
        if [ -n "$fresh" ]; then
            start_pooler "$pooler"
            prepare "$1" "$pooler"
        fi
        measure "$1" "$pooler"
        [ -z "$fresh" ] || stop_pooler "$pooler"
    done
}

run_case()
{
    spec "$1"
    backend "$behind"
    if [ -z "$fresh" ]; then
        for pooler in $wanted; do start_pooler "$pooler"; done
        # PgBouncer first: it says how much half a load is.
        for pooler in $wanted; do prepare "$1" "$pooler"; done
    fi
    round=1
    while [ "$round" -le "$rounds" ]; do
        if [ "$1" = latency ]; then measure_added "$1"; else measure_in_turn "$1"; fi
        round=$((round + 1))
    done
    unprepare "$1"
    if [ -z "$fresh" ]; then
        for pooler in $wanted; do stop_pooler "$pooler"; done
    fi
    sh "$top/bench/table.sh" text "$results" "$1" "$figures" "$wanted"
    echo "$1 $figures $wanted" >>"$work/cases.txt"
}

# --- the run ------------------------------------------------------------------------------------------------------

cases=
while [ $# -gt 0 ]; do
    case $1 in
        --full) is_full=yes rounds=5 seconds=3 ;;
        --rounds) rounds=$2 && shift ;;
        --seconds) seconds=$2 && shift ;;
        --list)
            # shellcheck disable=SC2086
            printf 'short: %s\n--full adds: %s\n' "$(echo $short_cases)" "$full_cases"
            exit 0
            ;;
        -*) die "no option is called $1 (--full, --rounds N, --seconds S, --list)" ;;
        *) cases="$cases $1" ;;
    esac
    shift
done
[ -n "$cases" ] || cases=$short_cases${is_full:+ $full_cases}
extra_poolers=
for entry in ${BENCH_POOLERS:-}; do
    [ -x "${entry#*=}" ] || die "BENCH_POOLERS: ${entry#*=} is no program"
    extra_poolers="$extra_poolers ${entry%%=*}"
done
missing=
run_user=
[ "$(id -u)" -ne 0 ] || run_user=nobody

[ -x "$weir" ] && [ -x "$load" ] && [ -x "$bin/fake_backend" ] || die "not built yet: use ./dev bench"
for name in $cases; do
    case " $(echo $short_cases $full_cases) " in *" $name "*) ;; *) die "no case is called $name; --list names them" ;; esac
done
mkdir -p "$work"
rm -f "$work"/*.txt "$work"/*.md "$work"/*.log "$work"/*.ini "$work"/*.cfg
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
run_dir=$(mktemp -d /tmp/pgweir-bench.XXXXXX)
chmod 755 "$run_dir"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$run_dir/tls.key" -out "$run_dir/tls.crt" \
    >/dev/null 2>&1 || die "openssl could not make a certificate"
chmod 644 "$run_dir/tls.key" # a throw-away key, read by poolers that have become $run_user
# The verifier of bench_pw, as PostgreSQL would store it.
cat >"$run_dir/userlist.txt" <<'END'
"bench" "SCRAM-SHA-256$4096:cGd3ZWlyIGJlbmNoIHNhbA==$ogYMzc8rjY76+pzekpxqu3tQNdNs0XAPTXdEVVqwN1k=:YKLlavVvkjo+l5WXgJGFeboqHVpDdoHsdqk9QBKptvU="
END
echo '"bench" "bench_pw"' >"$run_dir/plaintext.txt"
soft=$(ulimit -n)
[ "$soft" = unlimited ] || [ "$soft" -ge 12000 ] || ulimit -n "$(ulimit -H -n)" || :

begin=$(date +%s)
say "pgweir against others on $(nproc) cores; $rounds rounds of $seconds s. Ratios below 1 mean less CPU, time or memory for pgweir."
for name in $cases; do run_case "$name"; done
# shellcheck disable=SC2086
[ -z "$missing" ] || say "Not installed, so not in here: $(printf '%s\n' $missing | sort -u | tr '\n' ' ')"
while read -r name figures wanted; do
    sh "$top/bench/table.sh" markdown "$results" "$name" "$figures" "$wanted"
done <"$work/cases.txt" | awk 'BEGIN {
        print "| case | figure | pgweir ÷ PgBouncer | from … to | pgweir ÷ HAProxy (TCP) |"
        print "|---|---|---|---|---|"
    } { print }' >"$work/table.md"
say ''
cat "$work/table.md"
say ''
say "$(($(date +%s) - begin)) s; everything is in build/bench/"
