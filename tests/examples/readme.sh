#!/usr/bin/env bash
# readme.sh <source directory> <build directory>: the quick starts of README.md, taken from it as
# they stand, must build without a warning, run as a pair and print what they claim.
set -euo pipefail

source=$1
build=$2
readme=$source/README.md
work=$(mktemp -d)
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOPROXY=off
guest=

clean_up() {
    if [[ $guest ]]; then kill "$guest" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap clean_up EXIT

fail() {
    echo "$*" >&2
    exit 1
}

# Prints the code block that follows the comment <!-- example: NAME -->.
block() {
    awk -v marker="<!-- example: $1 -->" '
        /^```/ && inside { exit }
        inside { print }
        /^```/ && marked { inside = 1 }
        $0 == marker { marked = 1 }' "$readme"
}

# The region's name becomes one that no other run of this test uses.
extract() {
    block "$1" | sed "s/\"quickstart\"/\"quickstart.$$\"/" >"$work/$1"
    [[ -s $work/$1 ]] || fail "README.md has no example $1"
    grep -q "quickstart.$$" "$work/$1" || fail "$1 of README.md has another region than quickstart"
}

extract host.c
extract guest.go

cc -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -I"$source/include" \
    -o "$work/host" "$work/host.c" -L"$build" -Wl,-rpath,"$build" -lshmipc

mkdir "$work/guest"
mv "$work/guest.go" "$work/guest/main.go"
(
    cd "$work/guest"
    go mod init example.com/quickstart 2>/dev/null
    go mod edit -go=1.21 -require=github.com/libshmipc/libshmipc/go@v0.0.0 \
        -replace="github.com/libshmipc/libshmipc/go=$source/go"
    [[ -z $(gofmt -l .) ]] || fail "gofmt would change guest.go of README.md"
    go vet .
    go build -o guest .
)

timeout 60 "$work/guest/guest" &
guest=$!
answer=$(timeout 60 "$work/host") || fail "the host of README.md failed"
wait "$guest" || fail "the guest of README.md failed"
guest=

# The host says in a comment what it prints.
expected=$(sed -n 's|.*printf(.*/\* \(.*\) \*/$|\1|p' "$work/host.c")
[[ $expected ]] || fail "host.c of README.md does not say what it prints"
[[ $answer == "$expected" ]] || fail "the host printed \"$answer\", README.md says \"$expected\""
