#!/usr/bin/env bash
# postgres.sh <source directory> <build directory>: the example of a PostgreSQL module in a real server: its results and
# errors, cancellation, the deaths of backends, server and guest, and what they leave behind.
set -euo pipefail

source=$1
build=$2
# shellcheck source=tests/examples/common.sh
. "$source/tests/examples/common.sh"

example=$source/docs/examples/postgres
built=$build/docs/examples/postgres/shmipc_go.so
# shellcheck source=docs/examples/postgres/cluster.sh
. "$example/cluster.sh"

# A test that has failed may have left a backend that does not end.
clean_up_server() {
    if [[ -n $server ]] && kill -INT "$server" 2>/dev/null; then
        timeout 5 tail --pid="$server" -s 0.05 -f /dev/null || kill -QUIT "$server"
    fi
    clean_up
    rm -rf "/dev/shm/shmipc.$prefix-"* "${files[@]}"
}
trap clean_up_server EXIT
declare -A sessions shells
backends=()
files=() # beside the regions, that backends have made
watched=

# ---- Sessions ----

# open_session <name> [option of psql]...: a psql that reads what `say` writes.
open_session() {
    local statements
    rm -f "$work/$1.sql"
    mkfifo "$work/$1.sql"
    : >"$work/$1.txt" # what the one before has said
    psql -XqAt -v VERBOSITY=verbose "${@:2}" <"$work/$1.sql" >>"$work/$1.txt" 2>&1 &
    shells[$1]=$!
    exec {statements}>"$work/$1.sql"
    sessions[$1]=$statements
}

say() {
    echo "$2" >&"${sessions[$1]}"
}

said() {
    grep -qxE "$2" "$work/$1.txt"
}

# ask <session> <statements>: what psql answers.
ask() {
    local mark="=$RANDOM$RANDOM=" before
    before=$(wc -l <"$work/$1.txt")
    say "$1" "$2"
    say "$1" "SELECT '$mark';"
    wait_until said "$1" "$mark"
    tail -n +$((before + 1)) "$work/$1.txt" | sed "/^$mark\$/d; /^LOCATION:/d"
}

# expect <session> <statements> <answer>: the answer is a pattern; that it stands for the whole is part of it.
expect() {
    local answer
    answer=$(ask "$1" "$2")
    # shellcheck disable=SC2053 # a pattern
    [[ $answer == $3 ]] || fail "$2: expected \"$3\", got \"$answer\""
}

# Others have inherited the descriptor, so closing it ends nothing. The session may have ended already.
close_session() {
    local statements=${sessions[$1]}
    (say "$1" '\q') 2>/dev/null || true
    exec {statements}>&-
    wait_until ended "${shells[$1]}"
    wait "${shells[$1]}" || true # the status says whether the connection was lost
}

# pid <session>: its backend's.
pid() {
    ask "$1" "SELECT pg_backend_pid();"
}

# ---- What is seen of the others ----

region() {
    echo "/dev/shm/shmipc.$prefix-$1"
}

region_exists() {
    [[ -e $(region "$1") ]]
}

region_is_gone() {
    ! region_exists "$1"
}

no_region() {
    ! compgen -G "$(region '*')" >/dev/null
}

# fifo <pid>: that of a backend's descriptor.
fifo() {
    find "/proc/$1/fd" -lname '/dev/shm/shmipc-*-ready-0' -printf '%l\n'
}

# One whose parent has not asked for its status has ended, too.
backend_ended() {
    ! readlink "/proc/$1/exe" >/dev/null
}

guest_says() {
    grep -qx "$1" "$work/guest.txt"
}

kill_guest() {
    kill -KILL "$guest"
    wait "$guest" 2>/dev/null || true
}

restart_guest() {
    kill_guest
    start_guest
}

begin_server() {
    start_server "$@"
    wait_until server_is_ready
}

watch() {
    watched=${EPOCHREALTIME/./}
}

# ended_soon <what>: within 5 s since `watch`, where a call takes a minute.
ended_soon() {
    local took=$((${EPOCHREALTIME/./} - watched))
    echo "$1: after $((took / 1000)) ms"
    ((took < 5000000)) || fail "$1: after $took us"
}

# begin_sleep <session> <milliseconds>: each number is used once.
begin_sleep() {
    say "$1" "SELECT 'slept', go_sleep($2);"
    wait_until guest_says "$2 ms: asleep"
}

handler_was_told() {
    wait_until guest_says "$1 ms: nobody waits"
}

# ---- The parts ----

exports_nothing_else() {
    local exported
    exported=$(nm -D --defined-only "$built" | awk '{ print $3 }' | grep -vE '^(pg_finfo_)?(go|socket)_[a-z]+$' | sort)
    [[ $exported == "Pg_magic_func"$'\n'"_PG_init" ]] || fail "the module exports $exported"
    if readelf -d "$built" | grep -q 'NEEDED.*shmipc'; then fail "the module needs the shared library"; fi
}

# The library is preloaded here: that makes no region. A backend has one, its number the lowest that is free; it comes
# with the first call and goes with the backend.
regions() {
    local rights=600 found
    open_session a
    open_session b
    expect a "SELECT 'there';" there
    no_region || fail "a region before the first call"
    expect a "SELECT go_upper('hello'), socket_upper('hello');" "HELLO|HELLO"
    region_exists 0 || fail "no region 0"
    if [[ -n $group ]]; then rights=660; fi
    found="$(stat -c '%a %U %g' "$(region 0)" "$(fifo "$(pid a)")" | uniq)"
    [[ $found == "$rights $server_user $(guest_group)" ]] || fail "region and FIFO: $found"
    expect b "SELECT go_upper('hello');" HELLO
    region_exists 1 || fail "no region 1"
    close_session a
    wait_until region_is_gone 0
    open_session a
    expect a "SELECT go_upper('hello');" HELLO
    region_exists 0 || fail "region 0 is not used again"
    close_session a
    close_session b
    wait_until no_region
}

guest_group() {
    if [[ -n $group ]]; then id -g "$guest_user"; else id -g "$server_user"; fi
}

# What stands in the place of a region, a file of another user or no file, concerns that name alone.
name_is_taken() {
    install -m 600 "$example/functions.sql" "$(region 0)"
    mkdir "$(region 1)"
    open_session a
    expect a "SELECT go_upper('hello');" HELLO
    if [[ -n $group ]]; then region_exists 2 || fail "no region 2"; fi # else the file is this user's, and replaced
    close_session a
    rm -rf "$(region 0)" "$(region 1)"
}

# In a table, in a parallel plan too; letters of one to three bytes that both sides know.
many_rows() {
    open_session a
    ask a "CREATE TABLE rows AS SELECT n, md5(n::text) || chr(97 + n % 26) || chr(224 + n % 22) || chr(945 + n % 16)
           || chr(1072 + n % 32) || chr(7681 + 2 * (n % 70)) AS t FROM generate_series(1, 100000) n; ANALYZE rows;"
    expect a "SELECT count(*), sum((go_upper(t) = upper(t))::int), sum((go_upper(t) = t)::int) FROM rows;" \
        "100000|100000|0"
    expect a "SELECT sum((socket_upper(t) = upper(t))::int) FROM rows WHERE n <= 1000;" 1000
    ask a "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;"
    expect a "EXPLAIN (ANALYZE, COSTS OFF) SELECT sum((go_upper(t) = upper(t))::int) FROM rows;" \
        "*Workers Launched: [1-9]*"
    expect a "SELECT count(*), sum((go_upper(t) = upper(t))::int) FROM rows;" "100000|100000"
    close_session a
    wait_until no_region
}

values() {
    open_session a
    expect a "SELECT go_upper(NULL) IS NULL, go_upper('') = '', length(go_upper(repeat('x', 65536)));" "t|t|65536"
    expect a "SELECT go_upper(repeat('x', 1000000));" "ERROR:  54000: *1000000 bytes*"
    expect a "SELECT go_upper(repeat(chr(592), 32768));" "ERROR:  54000: *" # three bytes for two
    expect a "SELECT go_sleep(-1);" "ERROR:  38000: *nobody can sleep backwards"
    expect a "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0;" ""
    ask a "\\c latin"
    make_functions "$example" latin
    expect a "SELECT go_upper('a' || chr(233)) = 'A' || chr(201);" t
    expect a "SELECT go_upper(chr(255));" "ERROR:  22P05: *" # what Latin-1 does not have
    expect a "SELECT go_upper('next');" NEXT
    close_session a
}

# A statement's time-out and a cancellation end a call; the backend goes on, and the handler is told.
cancel() {
    local backend
    open_session a
    backend=$(pid a)
    ask a "SET statement_timeout = 100;"
    watch
    expect a "SELECT go_sleep(60001);" "ERROR:  57014: canceling statement due to statement timeout"
    ended_soon statement_timeout
    handler_was_told 60001
    ask a "RESET statement_timeout;"
    expect a "SELECT pg_backend_pid(), go_upper('next');" "$backend|NEXT"

    begin_sleep a 60002
    open_session b
    watch
    expect b "SELECT pg_cancel_backend($backend);" t
    wait_until said a "ERROR:  57014: canceling statement due to user request"
    ended_soon pg_cancel_backend
    handler_was_told 60002
    expect a "SELECT pg_backend_pid(), go_upper('next');" "$backend|NEXT"
    close_session b

    ask a "SET shmipc_go.timeout = 100;"
    watch
    expect a "SELECT go_sleep(60003);" "ERROR:  58000: timed out after it was started
HINT:  The function may have run.*"
    ended_soon shmipc_go.timeout
    handler_was_told 60003
    ask a "RESET shmipc_go.timeout;"
    expect a "SELECT pg_backend_pid(), go_upper('next');" "$backend|NEXT"
    close_session a
}

terminate() {
    local backend
    open_session a
    open_session b
    backend=$(pid a)
    begin_sleep a 60004
    watch
    expect b "SELECT pg_terminate_backend($backend);" t
    wait_until ended "${shells[a]}"
    ended_soon pg_terminate_backend
    said a "FATAL:  57P01: terminating connection due to administrator command" || fail "$(<"$work/a.txt")"
    handler_was_told 60004
    wait_until no_region
    close_session a
    close_session b
}

# Between two statements, and in the middle of one; without a guest a call waits for one.
guest_is_killed() {
    local backend
    open_session a
    backend=$(pid a)
    begin_sleep a 60005
    watch
    kill_guest
    wait_until said a "ERROR:  58000: the other side died, or left, after its handler had started.*"
    ended_soon "death of the guest"
    said a "HINT:  The function may have run.*" || fail "no hint"
    ask a "SET shmipc_go.timeout = 100;"
    expect a "SELECT go_upper('nobody');" "ERROR:  39000: timed out*
HINT:  The function has not run, and will not.*"
    ask a "RESET shmipc_go.timeout; SET statement_timeout = 100;"
    expect a "SELECT go_upper('nobody');" "ERROR:  57014: *"
    ask a "RESET statement_timeout;"
    say a "SELECT pg_backend_pid(), go_upper('next');"
    start_guest
    wait_until said a "$backend\|NEXT"
    restart_guest
    expect a "SELECT pg_backend_pid(), go_upper('again');" "$backend|AGAIN"
    wait_until socket_answers
    restart_guest
    wait_until socket_answers
    close_session a
}

socket_answers() {
    [[ $(ask a "SELECT socket_upper('hello');") == HELLO ]]
}

# What the answers are, and whether handlers end, is not for the guest alone.
guest_is_bad() {
    local call backend owner=0
    kill_guest
    if [[ -n $group ]]; then owner=$(id -u "$server_user"); fi
    "${as_guest[@]}" "$work/bad_guest" "$prefix-" "$owner" 2>"$work/bad_guest.txt" &
    guest=$!
    open_session a
    backend=$(pid a)
    expect a "SELECT go_upper('c3a9'), go_upper('') = '';" "é|t"
    expect a "SELECT go_upper('ff');" "ERROR:  22021: *"
    expect a "SELECT go_upper('6100');" "ERROR:  22021: *"
    for call in 1 2 3 4; do
        say a "SELECT go_sleep($call);"
        wait_until stays "$call"
        open_session b
        expect b "SELECT pg_cancel_backend($backend);" t
        close_session b
    done
    watch
    expect a "SET statement_timeout = 100; SELECT go_upper('');" "ERROR:  57014: *" # for want of a slot
    ended_soon "statement_timeout without a slot"
    expect a "SET statement_timeout = 0; SET shmipc_go.timeout = 100; SELECT go_upper('');" "ERROR:  39000: timed out*"
    kill -HUP "$guest"
    expect a "RESET shmipc_go.timeout; SELECT go_upper('78');" x
    close_session a
    restart_guest
}

stays() {
    [[ $(grep -c '^stays$' "$work/bad_guest.txt") == "$1" ]]
}

# The host looks for its name while a call takes longer than 100 ms.
says_that_it_is_removed() {
    [[ $(ask "$1" "SELECT go_sleep(250);") == "ERROR:  39000: "*removed* ]]
}

# A cleaner of /dev/shm: one statement says so, and the next has another region.
name_is_removed() {
    open_session a
    expect a "SELECT go_upper('hello');" HELLO
    rm "$(region 0)"
    wait_until says_that_it_is_removed a
    expect a "SELECT go_upper('next');" NEXT
    region_exists 0 || fail "no region 0"
    close_session a
}

# Who may open regions, and where they are, is for superusers. What a user sets before the module is loaded is checked
# when it is.
rights() {
    open_session a
    expect a "CREATE ROLE somebody LOGIN;" ""
    expect a "SET shmipc_go.guest_group = 'no such group'; SELECT go_upper('hello');" "ERROR:  42704: *"
    expect a "SET shmipc_go.guest_group = 'root'; SELECT go_upper('hello');" "ERROR:  42501: *"
    no_region || fail "a region that is not as it was to be"
    expect a "RESET shmipc_go.guest_group; SELECT go_upper('next');" NEXT
    close_session a
    open_session a -U somebody
    expect a "SET shmipc_go.prefix = 'evil.$$'; SELECT go_upper('hello');" "*42501: permission denied*HELLO"
    [[ ! -e /dev/shm/shmipc.evil.$$-0 ]] || fail "a region where a user wants it"
    expect a "SET shmipc_go.guest_group = 'root';" "ERROR:  42501: *"
    close_session a
}

# use <session>...: opens them, each makes a call. Notes their backends.
use() {
    local session
    backends=()
    for session; do
        open_session "$session"
        expect "$session" "SELECT go_upper('hello');" HELLO
        backends+=("$(pid "$session")")
        files+=("$(fifo "${backends[-1]}")")
    done
}

# lost <session>...: all those that `use` has opened.
lost() {
    local backend session
    for backend in "${backends[@]}"; do wait_until backend_ended "$backend"; done
    for session; do close_session "$session"; done
}

# The first call of any backend removes what dead ones have left.
leftovers_go() {
    local file
    region_exists 2 || fail "nothing is left: nothing is shown"
    use a
    region_exists 0 || fail "no region 0"
    [[ $(compgen -G "$(region '*')") == "$(region 0)" ]] || fail "regions are left: $(compgen -G "$(region '*')")"
    for file in "${files[@]:0:${#files[@]}-1}"; do
        [[ ! -e $file ]] || fail "$file is left"
    done
    close_session a
    kill -0 "$guest" || fail "the guest has ended"
}

# The server ends all other backends, and begins anew. The guest goes on.
backend_is_killed() {
    use a b c
    begin_sleep a 60006
    begin_sleep b 60007
    watch
    kill -KILL "${backends[0]}"
    lost a b c
    ended_soon "death of a backend"
    handler_was_told 60006
    handler_was_told 60007
    wait_until server_is_ready
    leftovers_go
}

server_restarts() {
    use a b
    kill -INT "$server"
    wait "$server" || true
    lost a b
    wait_until no_region
    begin_server
    use a
    close_session a

    use a b c
    kill -QUIT "$server"
    wait "$server" || true
    lost a b c
    begin_server
    leftovers_go
}

# Backends in a call end as those between calls do.
server_is_killed() {
    use a
    begin_sleep a 60008
    watch
    kill -KILL "$server"
    wait "$server" 2>/dev/null || true
    lost a
    ended_soon "death of the server"
    handler_was_told 60008
    wait_until no_region
    begin_server
    use a
    close_session a
}

# pgbench <statements> [option]...: from 20 backends at a time.
pgbench() {
    echo "$1" >"$work/bench.sql"
    "$programs/pgbench" -n -c 20 -j 2 -f "$work/bench.sql" "${@:2}" >"$work/bench.txt" 2>&1 ||
        fail "$(<"$work/bench.txt")"
    grep -q '^number of failed transactions: 0 ' "$work/bench.txt" || fail "$(<"$work/bench.txt")"
}

# Each has its region, and keeps it until all have.
twenty_regions() {
    open_session a
    ask a "SELECT pg_advisory_lock(1);" >/dev/null
    pgbench "SELECT go_upper('hello');
SELECT pg_advisory_lock_shared(1);" -t 1 &
    local pid=$!
    wait_until region_exists 19
    ask a "SELECT pg_advisory_unlock(1);" >/dev/null
    wait "$pid" || fail "pgbench has failed"
    close_session a
    wait_until no_region
}

# bench <function> <rows> <statement>
bench() {
    pgbench "\\set n random(1, 99900)
$3" -M prepared -T 1
    awk -v name="$1, rows each: $2" '/^latency average/ { ms = $4 } /^tps/ { tps = $3 }
        END { printf "%-36s %8.0f statements a second, %8.3f ms each\n", name, tps, ms }' "$work/bench.txt"
}

beside_a_socket() {
    local function
    for function in go_upper socket_upper; do
        bench "$function" 1 "SELECT $function('row ' || :n);"
    done
    for function in go_upper socket_upper; do
        bench "$function" 100 "SELECT sum(length($function('row ' || n))) FROM generate_series(:n, :n + 99) n;"
    done
}

leaves_nothing() {
    local file
    kill -INT "$server"
    wait "$server" || true
    no_region || fail "left: $(compgen -G "$(region '*')")"
    for file in "${files[@]}"; do
        [[ ! -e $file ]] || fail "$file is left"
    done
}

step exports_nothing_else && exports_nothing_else
build_program "$example/guest" "$work/program"
build_program "$source/tests/examples/bad_guest" "$work/bad_guest"
make_cluster "$built"
mv "$work/program" "$work/guest/program"
begin_server "shared_preload_libraries=$work/shmipc_go"
start_guest
make_functions "$example" postgres
for part in regions name_is_taken many_rows values cancel terminate guest_is_killed guest_is_bad name_is_removed \
    backend_is_killed server_restarts server_is_killed rights twenty_regions \
    beside_a_socket leaves_nothing; do
    step "$part"
    "$part"
done
