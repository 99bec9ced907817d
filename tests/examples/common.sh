# What the tests of examples share. It sets `work`, a directory of their own. What they start in the
# background ends with them.
# shellcheck shell=bash

work=$(mktemp -d)
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false

clean_up() {
    local running
    mapfile -t running <<<"$(jobs -rp)"
    kill "${running[@]}" 2>/dev/null || true
    wait 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT

step() {
    echo "== $*"
}

fail() {
    echo "$*" >&2
    exit 1
}

# build_program <package's directory> <program>: with nothing but what its go.mod names, once its modules are there.
build_program() {
    (
        cd "$1" || exit
        [[ ! -e go.mod ]] || go mod download
        GOPROXY=off go build -o "$2" .
    )
}

# wait_until <command>...: until it succeeds, 20 s at most.
wait_until() {
    local end=$((SECONDS + 20))
    until "$@"; do
        ((SECONDS < end)) || fail "in vain: $*"
        sleep 0.02
    done
}

# ended <pid>: whether a child has; its status is for `wait`.
ended() {
    ! kill -0 "$1" 2>/dev/null
}
