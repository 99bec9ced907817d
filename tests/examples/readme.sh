#!/usr/bin/env bash
# readme.sh <source directory> <build directory>: the quick starts of README.md, taken from it as
# they stand, must build without a warning, run as a pair and print what they claim.
set -euo pipefail

source=$1
build=$2
readme=$source/README.md
# shellcheck source=tests/examples/common.sh
. "$source/tests/examples/common.sh"
export GOPROXY=off

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

# compile <source> <program> <compiler and its flags>...
compile() {
    "${@:3}" -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -I"$source/include" \
        -o "$work/$2" "$work/$1" -L"$build" -Wl,-rpath,"$build" -lshmipc
}

# run_with_guest <host>: what the host prints is in <host>.txt.
run_with_guest() {
    timeout 60 "$work/guest/guest" &
    local guest=$!
    timeout 60 "$work/$1" >"$work/$1.txt" || fail "the $1 of README.md failed"
    wait "$guest" || fail "the guest of README.md failed"
}

# check <host> <source>: the host says in a comment what it prints.
check() {
    local answer expected
    answer=$(cat "$work/$1.txt")
    expected=$(sed -n 's#.*\(printf(\|std::cout <<\).*/\* \(.*\) \*/$#\2#p' "$work/$2")
    [[ $expected ]] || fail "$2 of README.md does not say what it prints"
    [[ $answer == "$expected" ]] || fail "$2 printed \"$answer\", README.md says \"$expected\""
}

extract host.c
extract host.cpp
extract guest.go
compile host.c host cc -std=c11
compile host.cpp host_cpp c++ -std=c++17 -Wold-style-cast

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

run_with_guest host
check host host.c
run_with_guest host_cpp
check host_cpp host.cpp
