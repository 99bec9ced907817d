#!/usr/bin/env bash
# loops.sh <source directory> <build directory>: the hosts in loops of libuv and asio: calls in flight while the
# guest calls back, a guest that is killed and one that comes, Ctrl-C, also without a guest, and a region that loses its
# name.
set -euo pipefail

source=$1
build=$2
# shellcheck source=tests/examples/common.sh
. "$source/tests/examples/common.sh"

start_host() {
    said=$work/$1.txt
    : >"$said" # what the one before has said
    "$build/docs/examples/$1" "$name" >>"$said" 2>&1 &
    host=$!
    wait_until says 1 'press Ctrl-C to end'
}

start_guest() {
    "$work/guest" "$name" &
    guest=$!
}

# says <number of lines at least> <line>
says() {
    [[ $(grep -cxE "$2" "$said") -ge $1 ]]
}

count() {
    grep -cE ' answers$' "$said" || true
}

# Each is for 100 answers.
is_answered() {
    local before
    before=$(count)
    wait_until says $((before + 3)) '[0-9]+ answers'
}

# interrupt <pattern of the summary>: the host leaves nothing behind.
interrupt() {
    kill -INT "$host"
    wait_until ended "$host"
    wait "$host" || fail "the host failed, status $?"
    tail -n 1 "$said"
    says 1 "$1" || fail "the host said otherwise"
    [[ ! -e /dev/shm/shmipc.$name ]] || fail "the region is left"
}

# A call that is not answered before the next tick is late: all would be if the loop waited for its ticks alone.
is_punctual() {
    local answered late
    read -r answered late < <(sed -nE 's/^interrupted: ([0-9]+) .*, ([0-9]+) of them late.*/\1 \2/p' "$said")
    ((late * 3 < answered)) || fail "$late of $answered answers are late"
}

# A descriptor would be readable for ever then.
name_is_removed() {
    local status=0
    start_host "$1"
    rm "/dev/shm/shmipc.$name"
    wait_until ended "$host"
    wait "$host" || status=$?
    [[ $status == 1 ]] || fail "the host ended with $status"
    says 1 "somebody else has removed the region's name" || fail "the host said otherwise"
    if says 1 'interrupted.*'; then fail "nobody has interrupted the host"; fi
}

play() {
    name=$1.$$
    step "$1"
    start_host "$1"
    start_guest
    wait_until says 1 'guest 1 is there'
    is_answered
    kill -KILL "$guest"
    wait_until says 1 'guest 1 has died'
    start_guest
    wait_until says 2 'guest 1 is there'
    is_answered
    interrupt 'interrupted: [0-9]+ calls answered, [0-9]+ of them late, [0-8] failed, 0 wrong; [0-9]{3,} served'
    is_punctual
    kill -INT "$guest"
    wait "$guest"

    start_host "$1"
    interrupt 'interrupted: 0 calls answered, 0 of them late, 0 failed, 0 wrong; 0 served'
    name_is_removed "$1"
}

build_program "$source/docs/examples/libuv/guest" "$work/guest"
play libuv_host
play asio_host_cpp
