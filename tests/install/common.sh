# What the tests of an installed library share. They set `source`, the source directory, and get
# `work`, a directory of their own.
# shellcheck shell=bash disable=SC2034 # some variables are for those who source this

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
# Outside means outside: nothing in these projects can lean on the source tree around them.
outside=$work/outside
cp -R "${source:?}/tests/install" "$outside"

step() {
    echo "== $*"
}

fail() {
    echo "$*" >&2
    exit 1
}

# The functions that an installed header declares.
declared() {
    tr '\n' ' ' <"$1/include/shmipc/shmipc.h" |
        grep -oE 'SHMIPC_API [^;({]*\bshmipc_[a-z0-9_]+\(' | grep -oE 'shmipc_[a-z0-9_]+\($' |
        tr -d '(' | sort
}

# build <project> <build directory> [cmake arguments...]
build() {
    local project=$1 directory=$2
    shift 2
    cmake -S "$project" -B "$directory" --log-level=WARNING "$@"
    cmake --build "$directory" --parallel 2 >"$directory/log" || {
        cat "$directory/log"
        fail "$project does not build"
    }
}

# install <build directory> <prefix> [arguments of cmake --install...]
install() {
    cmake --install "$1" --prefix "$2" "${@:3}" >/dev/null
}

# Whether a program or a shared object is linked with our shared library.
needs_shared() {
    readelf -d "$1" | grep NEEDED | grep -q libshmipc
}

# run_pair <host> <guest>: runs those of the project flatbuffers, with each other.
run_pair() {
    local name=orders.$$ guest said
    timeout 60 ${runner:+"$runner"} "$2" "$name" &
    guest=$!
    said=$(timeout 60 ${runner:+"$runner"} "$1" "$name" | tr -d '\r') || fail "the host failed"
    wait "$guest" || fail "the guest failed"
    [[ $said == "the sum is 5050" ]] || fail "the host said: $said"
}

# A project like those outside: the example of an add-in.
cp -R "$source/docs/examples/addin" "$outside/addin_example"

# build_addin_guest <program> [variable=value]...: with nothing but what its go.mod names, once its
# modules are there.
build_addin_guest() (
    cd "$source/docs/examples/addin/guest" || exit
    go mod download
    env CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOPROXY=off "${@:2}" go build -o "$1" .
)

# run_addin_example <application> <add-in> <guest>: what they print is what the example says.
run_addin_example() {
    local name=addin.$$ guest
    timeout 60 ${runner:+"$runner"} "$3" "$name" >"$work/guest.txt" &
    guest=$!
    timeout 60 ${runner:+"$runner"} "$1" "$2" "$name" >"$work/application.txt" || {
        cat "$work/application.txt"
        kill "$guest" 2>/dev/null || true
        fail "the application failed"
    }
    wait "$guest" || fail "the guest failed"
    { sed 's/^/application: /' "$work/application.txt" && sed 's/^/guest: /' "$work/guest.txt"; } |
        tr -d '\r' | diff "$source/docs/examples/addin/expected.txt" - ||
        fail "expected (<) and printed (>) differ"
}
