#!/usr/bin/env bash
# measure.sh [calls]: what a call takes to a guest of this machine, and through the bridge to a worker of this machine,
# beside a bare request over NATS. The hosts come from SHMIPC_BUILD.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
latency=${SHMIPC_BUILD:-$here/../../../build/release}/docs/examples/nats_bridge_latency
calls=${1:-20000}
port=${PORT:-14222}
servers=nats://127.0.0.1:$port
name=nats_bridge.$$
children=()

clean_up() {
    if ((${#children[@]})); then kill "${children[@]}" 2>/dev/null || true; fi
    wait
    rm -rf "$work" "/dev/shm/shmipc.$name"
}

[[ -x $latency ]] || {
    echo "measure: $latency is not there: set SHMIPC_BUILD to a build with examples" >&2
    exit 1
}
work=$(mktemp -d)
trap clean_up EXIT

(cd "$here" && go build -o "$work/" ./bridge ./worker ./local ./test/bare github.com/nats-io/nats-server/v2)

start() {
    "$work/$1" "${@:2}" 2>"$work/$1.log" &
    children+=($!)
}

# show <what> <nanoseconds>
show() {
    awk -v what="$1" -v ns="$2" 'BEGIN { printf "%-44s %8.1f us\n", what, ns / 1000 }'
}

# guest "<calls> [job]" <what> <program> [arguments]: the round trip to this guest
guest() {
    start "${@:3}" "$name"
    # shellcheck disable=SC2086 # one word or two
    show "$2" "$("$latency" "$name" $1)"
    kill "${children[-1]}" 2>/dev/null || true
    wait "${children[-1]}" || true
    unset 'children[-1]'
}

guest $((calls * 50)) "a guest of this machine" local
start nats-server -a 127.0.0.1 -p "$port" -js -sd "$work/store"
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.05; done
start worker -servers "$servers"
show "a bare request over NATS" "$("$work/bare" -servers "$servers" -calls "$calls")"
guest "$calls" "the bridge, one trip" bridge -servers "$servers"
guest "$calls" "the bridge, exact" bridge -servers "$servers" -exact
guest "$((calls / 10)) job" "the bridge, a job stored on one server" bridge -servers "$servers" -jobs JOBS
