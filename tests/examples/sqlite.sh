#!/usr/bin/env bash
# sqlite.sh <source directory> <build directory>: the example of an SQLite extension in the real sqlite3: its
# results, its errors, Ctrl-C, the death of its guest, and what it leaves behind.
set -euo pipefail

source=$1
build=$2
# shellcheck source=tests/examples/common.sh
. "$source/tests/examples/common.sh"

example=$source/docs/examples/sqlite
extensions=$build/docs/examples/sqlite
export SQLITE_GO=sqlite.$$ SQLITE_SOCKET=$work/socket
guest=

# sqlite3 leaves a region behind where a statement of its command line fails: it does not close its connection.
clean_up_regions() {
    clean_up
    rm -f "/dev/shm/shmipc.$SQLITE_GO"[-.]*
}
trap clean_up_regions EXIT

start_guest() {
    "$work/guest" "$SQLITE_GO" 2>>"$work/guest.txt" &
    guest=$!
}

kill_guest() {
    kill -KILL "$guest"
    wait "$guest" 2>/dev/null || true
}

# What sqlite3 says besides the message depends on its version.
message_alone() {
    sed -E '/^-- Loading/d; s/^(Parse |Runtime )?[Ee]rror(: in prepare|: stepping| near line [0-9]+)?[,:] //; s/ \([0-9]+\)$//'
}

# ask <extension> <statement>: what sqlite3 answers, or says.
ask() {
    (timeout 120 sqlite3 -init /dev/null :memory: ".load $extensions/$1" "$2" 2>&1 || true) | message_alone
}

# expect <statement> <answer>
expect() {
    local answer
    answer=$(ask go "$1")
    [[ $answer == "$2" ]] || fail "$1: expected \"$2\", got \"$answer\""
}

# open_shell [<another extension>]: a shell that reads what `say` writes. Interactive, it goes on after an interrupt; it
# echoes the statements.
open_shell() {
    rm -f "$work/statements"
    mkfifo "$work/statements"
    : >"$work/shell.txt" # what the one before has said
    sqlite3 -interactive -init /dev/null :memory: <"$work/statements" >>"$work/shell.txt" 2>&1 &
    shell=$!
    exec {statements}>"$work/statements"
    say ".load ${1:-$extensions/go}"
}

say() {
    echo "$1" >&"$statements"
}

said() {
    grep -qx "$1" "$work/shell.txt"
}

close_shell() {
    say .exit
    exec {statements}>&-
    wait_until ended "$shell"
    wait "$shell" || true # the status says that statements have failed
}

region_exists() {
    [[ -e /dev/shm/shmipc.$SQLITE_GO-$1 ]]
}

region_is_gone() {
    ! region_exists "$1"
}

guest_says() {
    grep -qx "$1" "$work/guest.txt"
}

# interrupt: as Ctrl-C does; the statement is over within a second, which a person would wait.
interrupt() {
    local begin=${EPOCHREALTIME/./} took
    kill -INT "$shell"
    wait_until said '.*error: interrupted.*'
    took=$((${EPOCHREALTIME/./} - begin))
    echo "interrupted after $((took / 1000)) ms"
    ((took < 1000000)) || fail "interrupted after $took us"
}

exports_nothing_else() {
    local exported
    exported=$(nm -D --defined-only "$extensions/go.so" | awk '{ print $3 }')
    [[ $exported == sqlite3_extension_init ]] || fail "go.so exports $exported"
    if readelf -d "$extensions/go.so" | grep -q 'NEEDED.*shmipc'; then fail "go.so needs the shared library"; fi
}

# The first statement waits for the guest.
demo() {
    sqlite3 -init /dev/null :memory: <<<".cd $extensions
.read $example/demo.sql" >"$work/demo.txt" 2>&1 &
    local pid=$!
    wait_until region_exists 0
    start_guest
    wait "$pid" || true # its last statement fails
    message_alone <"$work/demo.txt" | diff "$example/expected.txt" - || fail "expected (<) and printed (>) differ"
}

# results <extension> <rows>: of many rows through each function.
results() {
    ask "$1" "CREATE TABLE t AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < $2)
              SELECT n, 'row ' || n AS text FROM c;
              WITH h(h) AS MATERIALIZED (SELECT go_hash(text) FROM t) SELECT count(*), sum(h & 0xffffffff), sum(h >> 32) FROM h;
              SELECT count(*), round(sum(v), 3) FROM (SELECT go_variance(n) AS v FROM t GROUP BY n % 3);
              SELECT count(*), sum(number), sum(length(factors)), sum(instr(factors, '*') = 0) FROM go_factors(1, $2 / 10);"
}

compare_results() {
    local expected got
    expected=$(results inside "$2")
    got=$(results "$1" "$2")
    [[ $got == "$expected" ]] || fail "$1, $2 rows: expected $expected, got $got"
    [[ $(wc -l <<<"$got") == 3 ]] || fail "no results: $got"
    echo "$1: ${got//$'\n'/, }"
}

many_rows() {
    compare_results go 1000000
    "$work/server" "$SQLITE_SOCKET" &
    wait_until test -S "$SQLITE_SOCKET"
    compare_results socket 10000
}

errors() {
    expect "SELECT go_sleep(-1)" "the handler failed: nobody can sleep backwards"
    expect "SELECT * FROM go_factors(0, 1)" "the handler failed: only numbers from 1 on have prime factors"
    expect "SELECT * FROM go_factors(1)" "go_factors wants two arguments"
    expect "SELECT go_hash(zeroblob(70000))" "the request has 70000 bytes, the capacity is 65536"
    expect "SELECT go_timeout(100); SELECT go_sleep(60000)" $'timed out after it was started\n10000'
    expect "SELECT go_hash(NULL) IS NULL, go_variance(NULL) IS NULL" "1|1"
    expect "SELECT count(*) FROM go_factors(2, 1)" "0"
    expect "SELECT number, first, last FROM go_factors(2, 3) WHERE first = 2" $'2|2|3\n3|2|3'
    expect "SELECT number FROM go_factors(2, 3) WHERE first = 1" ""
    expect "SELECT factors FROM go_factors WHERE last = 9 AND first = 8" $'2*2*2\n3*3'
    expect "SELECT factors FROM go_factors(9223372036854775807, 9223372036854775807)" "7*7*73*127*337*92737*649657"
}

# The handler is told, and the same connection goes on.
interrupt_a_call() {
    open_shell
    say "SELECT go_sleep(61000);"
    wait_until guest_says "61000 ms: asleep"
    interrupt
    wait_until guest_says "61000 ms: nobody waits"
    say "SELECT 'next', go_hash('') = 0xcbf29ce484222325;"
    wait_until said "next|1"
    close_shell
}

# Without a guest each function waits for one, and each wait can be interrupted.
interrupt_waits() {
    local call
    kill_guest
    for call in "go_hash('')" "go_variance(1)" "number FROM go_factors(1, 2)"; do
        open_shell
        say "SELECT $call;"
        wait_until region_exists 0
        interrupt
        close_shell
    done
    start_guest
}

# Between two statements, and in the middle of one.
guest_is_killed() {
    open_shell
    say "SELECT go_sleep(62000);"
    wait_until guest_says "62000 ms: asleep"
    kill_guest
    wait_until said ".*error: the other side died, or left, after its handler had started.*"
    say "SELECT 'next', go_hash('') = 0xcbf29ce484222325;"
    start_guest
    wait_until said "next|1"
    close_shell
}

# A process has one region whatever it has opened, its number the lowest that is free; the region comes
# with the first call and goes with the last connection.
regions() {
    local region
    open_shell
    say "SELECT 'loaded';"
    wait_until said loaded
    region_is_gone 0 || fail "a region before the first call"
    say "SELECT go_timeout(10000), go_hash('') <> 0;"
    wait_until said "10000|1"
    region_exists 0 || fail "no region 0"

    expect "SELECT go_sleep(500)" 500 & # beside it
    local other=$!
    wait_until region_exists 1
    wait "$other"
    region_is_gone 1 || fail "region 1 is left"

    say ".connection 1"
    say ".load $extensions/go"
    say "SELECT 'second', go_hash('') <> 0;"
    wait_until said "second|1"
    region_is_gone 1 || fail "a region for each connection"
    region=$(stat -c %i "/dev/shm/shmipc.$SQLITE_GO-0")
    say ".connection close 0"
    say "SELECT 'first is closed', go_hash('') <> 0;"
    wait_until said "first is closed|1"
    [[ $(stat -c %i "/dev/shm/shmipc.$SQLITE_GO-0") == "$region" ]] || fail "another region for the second connection"
    say ".connection 0"
    say ".connection close 1"
    say "SELECT 'both are closed';"
    wait_until said "both are closed"
    region_is_gone 0 || fail "a region without a connection"
    close_shell
}

guest_has_left() {
    ! grep -q "/dev/shm/shmipc.$SQLITE_GO-$1 " "/proc/$guest/maps"
}

# A statement may fail then, but the next one has another region.
name_is_lost() {
    open_shell
    say "SELECT go_timeout(300), go_hash('') <> 0;"
    wait_until said "10000|1"
    rm "/dev/shm/shmipc.$SQLITE_GO-0"
    wait_until guest_has_left 0
    say "SELECT go_hash('');"
    wait_until said ".*error: somebody else has removed the region's name.*"
    say "SELECT 'next', go_hash('') <> 0;"
    wait_until said "next|1"
    region_exists 0 || fail "no region 0"
    close_shell
    region_is_gone 0 || fail "region 0 is left"
}

# The child's connection has a region of its own, and both go.
fork_with_a_connection() {
    cc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -o "$work/fork" "$source/tests/examples/sqlite_fork.c" -lsqlite3
    timeout 20 "$work/fork" "$extensions/go" || fail "the child or its parent failed"
    region_is_gone 0 || fail "the parent's region is left"
    region_is_gone 1 || fail "the child's region is left"
}

# Another extension has one of the names, and a statement runs: the functions before that one stay registered.
load_fails() {
    cat >"$work/taken.c" <<'C'
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1
static void nothing(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)context, (void)count, (void)values;
}
int sqlite3_extension_init(sqlite3 *db, char **why, const sqlite3_api_routines *api) {
    SQLITE_EXTENSION_INIT2(api)
    (void)why;
    return sqlite3_create_function(db, "go_sleep", 1, SQLITE_UTF8, 0, nothing, 0, 0);
}
C
    cc -std=c11 -Wall -Wextra -Werror -shared -fPIC -o "$work/taken.so" "$work/taken.c"
    open_shell "$work/taken"
    say "SELECT load_extension('$extensions/go');"
    wait_until said ".*error: error during initialization.*"
    say "SELECT 'timeout', go_timeout(10000);"
    wait_until said "timeout|10000"
    say "SELECT 'hash', go_hash('') <> 0;"
    wait_until said "hash|1"
    close_shell
    region_is_gone 0 || fail "region 0 is left"
}

# A guest that answers what it was asked, in capitals.
wrong_answers() {
    local name=$SQLITE_GO.wrong
    "$build/docs/examples/many_hosts_guest" "$name-" >"$work/wrong.txt" 2>&1 &
    SQLITE_GO=$name expect "SELECT go_hash('short')" "an answer of another length than asked for"
    SQLITE_GO=$name expect "SELECT go_hash('longer than a hash')" "a message exceeds its capacity"
}

step exports_nothing_else && exports_nothing_else
build_program "$example/guest" "$work/guest"
build_program "$example/compare/server" "$work/server"
for part in demo many_rows errors interrupt_a_call interrupt_waits guest_is_killed regions name_is_lost \
    fork_with_a_connection load_fails wrong_answers; do
    step "$part"
    "$part"
done
