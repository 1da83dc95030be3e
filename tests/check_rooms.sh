#!/bin/sh
#
# check_rooms.sh [TREE] - does every #include point to the left?
#
#     base <- wire <- config <- net <- pool <- session <- control <- admin <- process
#
# A file in src/<room>/ or include/pgweir/<room>/ may include "pgweir/<room>/…" of its own room and of the rooms
# to its left; net uses base and wire only. <noun>_impl.h is for the files of its own room. Some libraries have
# rooms of their own, see the end. That calls point to the left too is shown by the linker: cmake/Rooms.cmake.
# tests/unit/<room>/ is held to the same as the room that it tests.

set -eu
cd "${1:-$(dirname "$0")/..}"

files=$(find src include tests bench -name '*.[ch]' 2>/dev/null | sort)
[ -n "$files" ] || { echo "check_rooms: no sources yet"; exit 0; }

# shellcheck disable=SC2086
awk '
    BEGIN {
        count = split("base wire config net pool session control admin process", row)
        for (i = 1; i <= count; i++)
            place[row[i]] = i
    }

    function complain(why)
    {
        printf "%s:%d: %s: %s\n", FILENAME, FNR, $0, why
        bad++
    }

    function owns(list)
    {
        return index(" " list " ", " " room " ")
    }

    # Which room is this file in? "" for tests and bench, which may look anywhere.
    FNR == 1 {
        split(FILENAME, part, "/")
        in_tests = part[1] == "tests" || part[1] == "bench"
        room = part[1] == "src" ? part[2] : part[1] == "include" ? part[3] : ""
        if (part[1] == "tests" && part[2] == "unit")
            room = part[3]
        if (part[1] == "include" && (part[2] != "pgweir" || part[4] == "")) {
            printf "%s: headers live in include/pgweir/<room>/\n", FILENAME
            bad++
        }
        if (room != "" && !(room in place) && !(in_tests && part[4] == "")) {
            printf "%s: there is no room \"%s\"\n", FILENAME, room
            bad++
        }
        seen++
    }

    !/^[ \t]*#[ \t]*include/ { next }

    {
        name = $0
        sub(/^[ \t]*#[ \t]*include[ \t]*[<"]/, "", name)
        sub(/[>"].*/, "", name)
    }

    name ~ /^pgweir\// {
        split(name, part, "/")
        to = part[2]
        if (!(to in place))
            complain("there is no room \"" to "\"")
        else if (room in place && place[to] > place[room])
            complain(to " is to the right of " room)
        else if (room == "net" && to == "config")
            complain("net uses base and wire only")
        next
    }

    name ~ /_impl\.h$/ && !in_tests {
        if (name ~ /\// && name !~ ("^" room "/"))
            complain("an _impl.h is for its own room")
        else if (FILENAME ~ /^include\//)
            complain("a public header must not need an _impl.h")
        next
    }

    name ~ /_impl\.h$/ && room != "" && name ~ /\// && name !~ ("(^|/)" room "/[^/]*$") {
        complain("an _impl.h is for its own room and the tests of it")
        next
    }

    name ~ /^\.\.\// && room != "" && !in_tests { complain("no way through the wall: include \"pgweir/<room>/…\"") }

    name ~ /^(libpq-fe|libpq\/.*|postgres_ext)\.h$/ && !in_tests && !owns("control") {
        complain("libpq is for control")
    }
    name ~ /^security\/pam/ && !in_tests && !owns("control") {
        complain("PAM is for control")
    }
    name ~ /^(event2\/.*|event|evdns|evhttp|evutil)(\.h)?$/ && !in_tests && !owns("net control admin process") {
        complain("libevent is for net, control, admin and process")
    }
    name ~ /^ini\.h$/ && !in_tests && !owns("config") {
        complain("inih is for config")
    }
    name ~ /^openssl\/ssl/ && !in_tests && !owns("net process") {
        complain("TLS is for net")
    }

    END {
        printf "check_rooms: %d files, %d bad includes\n", seen, bad
        exit bad > 0
    }
' $files
