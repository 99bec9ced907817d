#!/usr/bin/env bash
# many_hosts.sh <source directory> <build directory>: 30 hosts of one guest come, go, are killed and are replaced; each
# is served, and soon, or after a guest could not attach at first; the guest holds no more descriptors afterwards than
# before.
set -euo pipefail

source=$1
build=$2
# shellcheck source=tests/examples/common.sh
. "$source/tests/examples/common.sh"

HOSTS=30
LIMIT_MS=2000 # for the first answer
prefix=many.$$.
said=$work/guest.txt
hosts=()

# start_host <number> <calls>
start_host() {
    "$build/docs/examples/many_hosts_host" "$prefix$1" "$2" >"$work/host.$1" 2>&1 &
    hosts[$1]=$!
}

# says <times> <pattern>: a line of the guest's.
says() {
    [[ $(grep -cE "$2" "$said") == "$1" ]]
}

answered() {
    grep -q 'the first answer' "$work/host.$1"
}

ends_well() {
    wait "${hosts[$1]}" || fail "host $1 failed: $(cat "$work/host.$1")"
    grep -qE ": $2 calls answered$" "$work/host.$1" || fail "host $1 says: $(cat "$work/host.$1")"
    slowest "$1"
}

# Each host's first answer came in time.
slowest_ms=0
slowest() {
    local ms
    ms=$(sed -nE 's/.*first answer after ([0-9]+)\..*/\1/p' "$work/host.$1")
    ((ms < LIMIT_MS)) || fail "host $1 waited for $ms ms"
    ((ms <= slowest_ms)) || slowest_ms=$ms
}

descriptors() {
    find "/proc/$guest/fd" -mindepth 1 | wc -l
}

identity() {
    stat -c %i "/dev/shm/shmipc.$prefix$1"
}

# is_replaced <host> <identity of its region before>
is_replaced() {
    [[ $(identity "$1") != "$2" ]]
}

first_free() {
    local fd=0
    while [[ -e /proc/$guest/fd/$fd ]]; do fd=$((fd + 1)); done
    echo "$fd"
}

regions() {
    find /dev/shm -name "shmipc.$prefix*" | wc -l
}

# By which the guest is signalled.
fifos() {
    find "/proc/$guest/fd" -mindepth 1 -printf '%l\n' | grep '^/dev/shm/shmipc-.*-ready-'
}

# is_as_before: the guest has nothing of the hosts that have gone.
is_as_before() {
    [[ $(descriptors) == "$before" ]]
}

step "the first host is there before its guest"
start_host 0 10
wait_until test -e "/dev/shm/shmipc.${prefix}0"
"$build/docs/examples/many_hosts_guest" "$prefix" >"$said" 2>&1 &
guest=$!
wait_until says 1 'press Ctrl-C to end'
ends_well 0 10
wait_until says 1 "^${prefix}0: .*shut"
before=$(descriptors)

step "one host after the other"
for ((i = 1; i <= 3; i++)); do
    start_host $i 1
    ends_well $i 1
    sed 's/^[^:]*: //' "$work/host.$i" | head -n 1
done

step "$HOSTS hosts at once"
for ((i = 1; i <= HOSTS; i++)); do start_host "$i" 1000000; done
for ((i = 1; i <= HOSTS; i++)); do wait_until answered "$i" && slowest "$i"; done
mapfile -t signalled < <(fifos)
((${#signalled[@]} == HOSTS)) || fail "the guest has ${#signalled[@]} FIFOs for $HOSTS hosts"

step "all are killed, and half of them replaced at once"
{
    kill -KILL "${hosts[@]:1}"
    wait "${hosts[@]:1}" || true
} 2>"$work/killed"
for ((i = 1; i <= HOSTS; i += 2)); do start_host "$i" 5; done
for ((i = 1; i <= HOSTS; i += 2)); do ends_well "$i" 5; done

step "the other half comes later"
wait_until is_as_before
for ((i = 2; i <= HOSTS; i += 2)); do start_host "$i" 5; done
for ((i = 2; i <= HOSTS; i += 2)); do ends_well "$i" 5; done
wait_until is_as_before
echo "the slowest first answer took $slowest_ms ms"

# The limit leaves two descriptors: enough for the finder, not for a guest. It is raised when the host was refused.
step "two hosts are refused at first, and one of them is replaced meanwhile"
open_files=$(prlimit --pid "$guest" --nofile --output SOFT --noheadings)
prlimit --pid "$guest" --nofile="$(($(first_free) + 2)):"
refused=$((HOSTS + 2))
start_host $refused 3
wait_until says 1 "^$prefix$refused: .*Too many open files"
region=$(identity $refused)
{
    kill -KILL "${hosts[refused]}"
    wait "${hosts[refused]}" || true
} 2>"$work/killed"
start_host $refused 3
wait_until is_replaced $refused "$region"
start_host $((refused + 1)) 3 # found after it
wait_until says 1 "^$prefix$((refused + 1)): .*Too many open files"
prlimit --pid "$guest" --nofile="$open_files:"
for ((i = refused; i <= refused + 1; i++)); do
    wait "${hosts[i]}" || fail "host $i, refused at first, failed: $(cat "$work/host.$i")"
done
wait_until is_as_before

step "a file that is no region, and the end"
: >"/dev/shm/shmipc.${prefix}none"
start_host $((HOSTS + 1)) 3
ends_well $((HOSTS + 1)) 3
rm "/dev/shm/shmipc.${prefix}none"
kill -INT "$guest"
wait_until ended "$guest"
wait "$guest" || fail "the guest failed: $(cat "$said")"
# Each of 1 to 3 came once more than the others, and all of 1 to 30 twice; three more came once.
says $((1 + 3 + 2 * HOSTS + 3)) ': attached$' || fail "attached $(grep -c ': attached$' "$said") times"
says 0 'none' || fail "the guest attached to no region: $(grep none "$said")"
[[ $(regions) == 0 ]] || fail "regions are left: $(regions)"
for fifo in "${signalled[@]}"; do
    [[ ! -e $fifo ]] || fail "$fifo is left"
done
