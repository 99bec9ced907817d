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

# The example of an add-in: in $work/example there is nothing of the source tree around it.
addin_warnings="-Wall -Wextra -Wpedantic -Wconversion -Wold-style-cast -Wshadow -Werror"

copy_addin_example() {
    cp -R "$source/docs/examples/addin" "$work/example"
}

# build_addin_guest: with nothing but what its go.mod names, once its modules are there.
build_addin_guest() {
    (
        cd "$source/docs/examples/addin/guest"
        export CGO_ENABLED=0 GOFLAGS=-buildvcs=false
        go mod download
        GOPROXY=off go build -o "$work/addin_guest" .
    )
}

# run_addin_example <application> <add-in>: with each other and with the guest.
run_addin_example() {
    local name=addin.$$ guest
    timeout 60 ${runner:+"$runner"} "$work/addin_guest" "$name" >"$work/guest.txt" &
    guest=$!
    timeout 60 ${runner:+"$runner"} "$1" "$2" "$name" >"$work/application.txt" || {
        cat "$work/application.txt"
        kill "$guest"
        fail "the application failed"
    }
    wait "$guest" || fail "the guest failed"
    { sed 's/^/application: /' "$work/application.txt" && sed 's/^/guest: /' "$work/guest.txt"; } |
        tr -d '\r' | diff "$work/example/expected.txt" - || fail "expected (<) and printed (>) differ"
}
