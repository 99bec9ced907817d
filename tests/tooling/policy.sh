#!/usr/bin/env bash
# policy.sh [policy...]: the unit and hazard tests, and those of the Go package, with a library that
# waits and serves by a policy as bad as can be; all of them, or those named: early, late, random. No
# request and no wake-up is lost whatever the policy says. What policy.excluded,
# policy-<policy>.excluded, or policy-go.excluded names is not run, and said not to be, with the reason.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/tooling/excluded.sh
. tests/tooling/excluded.sh

policies=(early late random) # from 1 on: src/wait/policy.h's enum policy

step() {
    echo "== $*"
    "$@"
}

number_of() {
    local i
    for i in "${!policies[@]}"; do
        if [ "${policies[i]}" = "$1" ]; then
            echo $((i + 1))
            return
        fi
    done
    echo "policy.sh: $1 is no policy; there are: ${policies[*]}" >&2
    return 1
}

build() {
    local number
    number=$(number_of "$1")
    SHMIPC_TARGETS="tests_unit tests_hazard" sh tests/tooling/build.sh "policy-$1" \
        -DCMAKE_C_COMPILER=gcc -DCMAKE_CXX_COMPILER=g++ -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_C_FLAGS=-Werror -DCMAKE_CXX_FLAGS=-Werror -DSHMIPC_BUILD_TESTS=ON \
        -DSHMIPC_POLICY="$number"
}

# lists <policy>: of tests that are not run with it.
lists() {
    echo tests/tooling/policy.excluded
    find tests/tooling -name "policy-$1.excluded"
}

excluded_from() {
    lists "$1" | while read -r list; do
        excluded "$list" /
    done
}

# Most tests wait for each other most of the time.
run() {
    ctest --test-dir "build/policy-$1" --output-on-failure --no-tests=error --parallel 4 \
        --tests-regex '^(unit|hazard)/' --exclude-regex "$(excluded_from "$1" | any_of)"
}

# Whatever the cache of tests knows, it does not know the variable.
run_go() {
    SHMIPC_POLICY=$1 go -C go test -count 1 -tags shmipc_policy -short -timeout 300s \
        -skip "$(excluded tests/tooling/policy-go.excluded ^Test | any_of)" .
}

if [ $# -eq 0 ]; then
    set -- "${policies[@]}"
fi
for list in tests/tooling/policy*.excluded; do
    step excluded_check "$list"
    step excluded_say "$list"
done
for policy; do
    step build "$policy"
    step run "$policy"
    step run_go "$policy"
done
