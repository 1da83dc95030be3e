#!/bin/sh
#
# pg.sh - a throw-away PostgreSQL, for ./dev run and for the integration tests.
#
#     pg.sh start DIR PORT     make a cluster in DIR and start it on PORT; where DIR holds one already, start
#                              that one again. PORT 0 takes the first free port from 15432 on. Returns when
#                              the server accepts connections, and prints (also kept in DIR/env)
#                                  dir=…     DIR itself, or where DIR now points (see below)
#                                  port=…    the port in use
#                                  socket=…  directory of the Unix socket
#                                  pid=…     of the postmaster
#     pg.sh stop DIR [MODE]    stop it; MODE is fast (default), smart or immediate. Not running is fine.
#     pg.sh remove DIR         stop it at once and delete DIR
#     pg.sh bindir             print where initdb and postgres are
#     pg.sh freeport PORT      print the first port from PORT on that nobody listens on
#
# Run by root, PostgreSQL becomes user postgres. If that user cannot reach DIR, or if DIR is too long for a
# Unix socket, the cluster lives in a new directory below $TMPDIR (or /tmp), and DIR is a link to it.
#
#   What is in DIR      data/ (0700), sock/ (0700), log, env, userlist.txt (the roles' passwords, auth_file format),
#                       ca.crt, server.{crt,key}, pgweir.{crt,key}, cert_user.{crt,key}, other_ca.crt
#   Certificates        server and pgweir: localhost, 127.0.0.1 and ::1, signed by ca.crt; cert_user: a client
#                       certificate of that CA; other_ca.crt has signed nothing
#   Superuser           postgres, without a password, through the Unix socket only: psql -h "$socket" -p "$port" -U postgres
#   Database            app, owned by migration_user
#   Roles               app_user        reads and writes every table of schema public
#                       analytics_user  reads every table of schema public
#                       migration_user  owns the database and the schema
#     test roles        trust_user      no password asked          \
#     (members of       md5_user        md5                         |
#     app_user)         plain_user      password in the clear       | login method over TCP;
#                       cert_user       client certificate, TLS     | everyone else: scram-sha-256,
#                       tls_user        scram-sha-256, TLS only    /  with TLS or without
#   Passwords           <role>_pw, unless the environment says otherwise
#
# Environment         PG_BIN_DIR; PG_MAX_CONNECTIONS (100); PG_CONF: more lines for postgresql.conf;
#                     PG_APP_PASSWORD, PG_ANALYTICS_PASSWORD, PG_MIGRATION_PASSWORD;
#                     PG_TEST_ROLES=0 leaves the test roles out

set -eu
umask 022
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-     # nothing of the caller's may live on in the postmaster

unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGPASSWORD PGPASSFILE PGSERVICE PGSSLMODE PGSSLROOTCERT \
      PGOPTIONS PGDATA PGCLIENTENCODING PGREQUIRESSL PGAPPNAME || :
LC_ALL=C
export LC_ALL

app_pw=${PG_APP_PASSWORD:-app_user_pw}
analytics_pw=${PG_ANALYTICS_PASSWORD:-analytics_user_pw}
migration_pw=${PG_MIGRATION_PASSWORD:-migration_user_pw}

die()
{
    echo "pg.sh: $*" >&2
    exit 1
}

# Newest /usr/lib/postgresql/*/bin, or what pg_config knows, or what is in the PATH.
find_bindir()
{
    if [ -n "${PG_BIN_DIR:-}" ]; then
        echo "$PG_BIN_DIR"
        return
    fi
    newest=$(for d in /usr/lib/postgresql/*/bin; do [ -x "$d/initdb" ] && echo "$d"; done | sort -t/ -k5,5n | tail -n 1)
    if [ -z "$newest" ] && command -v pg_config >/dev/null 2>&1; then
        newest=$(pg_config --bindir)
        [ -x "$newest/initdb" ] || newest=
    fi
    if [ -z "$newest" ] && command -v initdb >/dev/null 2>&1; then
        newest=$(dirname "$(command -v initdb)")
    fi
    [ -n "$newest" ] || die "no PostgreSQL server programs found: install the package postgresql, or set PG_BIN_DIR"
    echo "$newest"
}

# Is PORT taken? Column 2 is address:port in hexadecimal, column 4 is 0A for a listening socket.
is_busy()
{
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v port="$(printf ':%04X' "$1")" '$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 }
                                              END { exit !found }'
}

free_port()
{
    port=$1
    while is_busy "$port"; do
        port=$((port + 1))
        [ "$port" -le 65535 ] || die "no free port from $1 on"
    done
    echo "$port"
}

# Runs a command as the user that PostgreSQL runs as.
as_pg()
{
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid=postgres --regid=postgres --init-groups "$@"
    else
        "$@"
    fi
}

# Can the user that PostgreSQL runs as write in $1, and does a socket's name fit?
is_usable()
{
    [ ${#1} -le 80 ] && as_pg sh -c 'cd "$1" && : >.probe && rm .probe' sh "$1" 2>/dev/null
}

give_to_pg()
{
    [ "$(id -u)" -ne 0 ] || chown -R postgres: "$@"
}

# Makes DIR, or the place that DIR will point to, and sets $dir to its real name.
make_dir()
{
    [ "$(id -u)" -ne 0 ] || id postgres >/dev/null 2>&1 || die "there is no user postgres: install the package postgresql"
    mkdir -p "$1"
    dir=$(cd -P "$1" && pwd -P)
    [ -z "$(ls -A "$dir")" ] || die "$1 is not empty, and holds no cluster"
    give_to_pg "$dir"
    if ! is_usable "$dir"; then
        rmdir "$dir"
        rm -f "$1"
        link=$1
        for place in "${TMPDIR:-/tmp}" /tmp /var/tmp; do
            dir=$(mktemp -d "$place/pgweir-pg.XXXXXX") || continue
            chmod 755 "$dir"
            give_to_pg "$dir"
            is_usable "$dir" && break
            rmdir "$dir"
            dir=
        done
        [ -n "$dir" ] || die "found no directory that user postgres can use"
        ln -s "$dir" "$link"
    fi
    chmod 755 "$dir"
}

# sign NAME COMMON_NAME EXTENSION...: NAME.key and NAME.crt, signed by ca.crt.
sign()
{
    name=$1
    common_name=$2
    shift 2
    printf '%s\n' "$@" >"$name.ext"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$common_name" \
            -keyout "$name.key" -out "$name.csr" 2>>openssl.log &&
        openssl x509 -req -in "$name.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -sha256 -days 365 \
            -extfile "$name.ext" -out "$name.crt" 2>>openssl.log ||
        die "openssl failed: $(cat openssl.log)"
    rm -f "$name.csr" "$name.ext"
}

make_ca()
{
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -days 365 \
        -subj "/CN=$2" -addext keyUsage=critical,keyCertSign,cRLSign \
        -keyout "$1.key" -out "$1.crt" 2>>openssl.log || die "openssl failed: $(cat openssl.log)"
}

make_certificates()
{
    umask 077
    here=subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1
    make_ca ca 'pgweir throw-away CA'
    make_ca other_ca 'another CA'
    sign server localhost "$here" extendedKeyUsage=serverAuth
    sign pgweir localhost "$here" extendedKeyUsage=serverAuth
    sign cert_user cert_user extendedKeyUsage=clientAuth
    rm -f ca.key ca.srl other_ca.key openssl.log
    umask 022
    chmod 644 ./*.crt
}

write_hba()
{
    echo '# type   database  user          address  method'
    echo 'local    all       postgres               trust'
    if [ "${PG_TEST_ROLES:-1}" != 0 ]; then
        echo 'local    all       trust_user             trust'
        echo 'host     all       trust_user    all      trust'
        echo 'host     all       md5_user      all      md5'
        echo 'host     all       plain_user    all      password'
        echo 'hostssl  all       cert_user     all      cert'
        echo 'host     all       cert_user     all      reject'
        echo 'hostssl  all       tls_user      all      scram-sha-256'
        echo 'host     all       tls_user      all      reject'
    fi
    echo 'local    all       all                    scram-sha-256'
    echo 'host     all       all           all      scram-sha-256'
    echo 'host     replication all         all      scram-sha-256'
}

# Written anew at each start: the port may differ.
write_conf()
{
    addresses=127.0.0.1
    grep -qs '^0\{31\}1 .* lo$' /proc/net/if_inet6 && addresses=127.0.0.1,::1
    cat <<END
listen_addresses = '$addresses'
port = $1
unix_socket_directories = '$dir/sock'
max_connections = ${PG_MAX_CONNECTIONS:-100}
ssl = on
ssl_ca_file = '$dir/ca.crt'
ssl_cert_file = '$dir/server.crt'
ssl_key_file = '$dir/server.key'
password_encryption = 'scram-sha-256'
shared_buffers = 32MB
fsync = off                       # throw-away: nothing here needs to survive a power cut
wal_level = logical
max_wal_senders = 5
max_replication_slots = 5
max_prepared_transactions = 10
log_line_prefix = '%m [%p] %u@%d %a '
${PG_CONF:-}
END
}

roles_sql()
{
    cat <<END
CREATE ROLE app_user LOGIN PASSWORD '$app_pw';
CREATE ROLE analytics_user LOGIN PASSWORD '$analytics_pw';
CREATE ROLE migration_user LOGIN PASSWORD '$migration_pw';
CREATE DATABASE app OWNER migration_user;
REVOKE ALL ON DATABASE app FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE app TO app_user;
GRANT CONNECT ON DATABASE app TO analytics_user;
\\connect app
ALTER SCHEMA public OWNER TO migration_user;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO app_user, analytics_user;
ALTER DEFAULT PRIVILEGES FOR ROLE migration_user, postgres IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO app_user;
ALTER DEFAULT PRIVILEGES FOR ROLE migration_user, postgres IN SCHEMA public
    GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO app_user;
ALTER DEFAULT PRIVILEGES FOR ROLE migration_user, postgres IN SCHEMA public
    GRANT SELECT ON TABLES TO analytics_user;
END
    [ "${PG_TEST_ROLES:-1}" != 0 ] || return 0
    cat <<END
CREATE ROLE trust_user LOGIN IN ROLE app_user;
CREATE ROLE cert_user LOGIN IN ROLE app_user;
CREATE ROLE tls_user LOGIN IN ROLE app_user PASSWORD 'tls_user_pw';
CREATE ROLE plain_user LOGIN IN ROLE app_user PASSWORD 'plain_user_pw';
SET password_encryption = 'md5';
CREATE ROLE md5_user LOGIN IN ROLE app_user PASSWORD 'md5_user_pw';
END
}

write_userlist()
{
    printf '"%s" "%s"\n' app_user "$app_pw" analytics_user "$analytics_pw" migration_user "$migration_pw"
    [ "${PG_TEST_ROLES:-1}" != 0 ] || return 0
    for role in md5_user plain_user tls_user; do
        printf '"%s" "%s_pw"\n' "$role" "$role"
    done
    printf '"trust_user" ""\n"cert_user" ""\n'
}

# Everything but starting it: certificates, data, roles.
make_cluster()
{
    make_dir "$1"
    cd "$dir"
    make_certificates
    mkdir -m 700 sock
    (umask 077 && write_userlist >userlist.txt)
    give_to_pg "$dir"
    as_pg "$bin/initdb" -D "$dir/data" -U postgres -E UTF8 --locale=C.UTF-8 --no-sync --auth=reject \
        >"$dir/initdb.log" 2>&1 || die "initdb failed: $(cat "$dir/initdb.log")"
    rm -f "$dir/initdb.log"
    write_hba >data/pg_hba.conf
    echo "include 'pgweir.conf'" >>data/postgresql.conf
}

# Starts $dir on port $1. Returns non-zero, with the end of the log on stderr, when it does not come up.
launch()
{
    write_conf "$1" >"$dir/data/pgweir.conf"
    [ -f "$dir/log" ] || : >"$dir/log"
    give_to_pg "$dir/data/pgweir.conf" "$dir/log"
    if as_pg "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -s -w -t 60 start </dev/null >/dev/null 2>&1; then
        return 0
    fi
    tail -n 20 "$dir/log" >&2
    return 1
}

start()
{
    bin=$(find_bindir)
    wanted=$2
    if [ "$wanted" -ne 0 ] && is_busy "$wanted"; then
        die "port $wanted is in use"
    fi
    if [ -f "$1/data/PG_VERSION" ]; then
        dir=$(cd -P "$1" && pwd -P)
        as_pg "$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1 && die "$1 is running already"
    else
        make_cluster "$1"
    fi
    cd "$dir"

    port=$wanted
    [ "$wanted" -ne 0 ] || port=$(free_port 15432)
    tries=1
    until launch "$port"; do
        # Somebody may have taken the port since we looked: with PORT 0 that is ours to solve.
        if [ "$wanted" -ne 0 ] || [ "$tries" -ge 5 ] || ! grep -q 'could not bind' log; then
            die "PostgreSQL did not start on port $port (log above, and in $dir/log)"
        fi
        tries=$((tries + 1))
        port=$(free_port $((port + 1)))
    done

    if [ ! -f env ]; then               # written last, so without it the roles are still to be made
        roles_sql | as_pg "$bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$dir/sock" -p "$port" -U postgres -d postgres ||
            die "the roles could not be made"
    fi
    {
        echo "dir=$dir"
        echo "port=$port"
        echo "socket=$dir/sock"
        echo "pid=$(head -n 1 data/postmaster.pid)"
    } >env
    cat env
}

stop()
{
    [ -f "$1/data/PG_VERSION" ] || return 0
    bin=$(find_bindir)
    dir=$(cd -P "$1" && pwd -P)
    cd "$dir"
    as_pg "$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1 || return 0
    as_pg "$bin/pg_ctl" -D "$dir/data" -s -w -t 20 -m "${2:-fast}" stop >/dev/null 2>&1 ||
        as_pg "$bin/pg_ctl" -D "$dir/data" -s -w -t 20 -m immediate stop
}

remove()
{
    stop "$1" immediate
    cd /
    case $(readlink "$1") in
        */pgweir-pg.*) rm -rf "$(readlink "$1")" ;;
    esac
    rm -rf "$1"
}

# Names are made absolute here, because the functions change directory.
absolute()
{
    case $1 in
        /*) echo "$1" ;;
        *) echo "$PWD/$1" ;;
    esac
}

case ${1:-}:$# in
    start:3) start "$(absolute "$2")" "$3" ;;
    stop:2 | stop:3) stop "$(absolute "$2")" "${3:-fast}" ;;
    remove:2) remove "$(absolute "$2")" ;;
    bindir:1) find_bindir ;;
    freeport:2) free_port "$2" ;;
    *) sed -n '3,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
