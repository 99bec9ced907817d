#!/usr/bin/env bash
# python.sh <source directory> <build directory>: the example in Python: its structures against the header, and
# what its programs print, with threads, processes, Ctrl-C, and a guest that is killed; calls that end at the worst
# moment.
set -euo pipefail

source=$1
build=$2
# shellcheck source=tests/examples/common.sh
. "$source/tests/examples/common.sh"
set -m # else what runs in the background ignores Ctrl-C

example=$source/docs/examples/python
name=python.$$
export LIBSHMIPC=$build/libshmipc.so PYTHONPATH=$example PYTHONDONTWRITEBYTECODE=1
guest=

start_guest() {
    "$work/guest" "$name" 2>>"$work/guest.txt" &
    guest=$!
}

guest_says() {
    grep -qx "$1" "$work/guest.txt"
}

start() {
    python3 "$example/$1.py" "$name" >"$work/$1.txt" &
    program=$!
}

# Whether a handler had started when its call ended depends on the machine.
finish() {
    wait_until ended "$program"
    wait "$program" || fail "$1.py failed, status $?"
    sed -n "s/^$1: //p" "$example/expected.txt" | diff - <(sed 's/_STARTED$//' "$work/$1.txt") ||
        fail "$1.py: expected (<) and printed (>) differ"
}

layout() {
    python3 "$source/tests/examples/python_layout.py" >"$work/layout.c"
    cc -std=c11 -Wall -Werror -I"$source/include" -include stddef.h -fsyntax-only "$work/layout.c"
}

calls() {
    start calls
    finish calls
}

processes() {
    start processes
    finish processes
}

# Ctrl-C comes while the handler runs, and the handler is told.
cancel() {
    start cancel
    wait_until guest_says "61000 ms: asleep"
    kill -INT "$program"
    wait_until guest_says "61000 ms: nobody waits"
    finish cancel
}

# The guest dies while its handler runs.
loop() {
    start loop
    wait_until guest_says "62000 ms: asleep"
    kill -KILL "$guest"
    start_guest
    finish loop
}

# Without a guest.
faults() {
    timeout 20 python3 "$source/tests/examples/python_faults.py" "$name.alone"
}

nothing_is_left() {
    local left
    left=$(find /dev/shm -name "shmipc.${name}[-.]*")
    [[ -z $left ]] || fail "left behind: $left"
}

step layout && layout
build_program "$example/guest" "$work/guest"
start_guest
for part in calls processes cancel loop faults nothing_is_left; do
    step "$part"
    "$part"
done
