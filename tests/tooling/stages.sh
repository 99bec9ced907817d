#!/bin/sh
# stages.sh <task>...: runs the tasks in order, one line each, until one fails; shows the output of
# that one only, and of the others the tests that they leave out.
set -eu
cd "$(dirname "$0")/../.."

logs=build/log
mkdir -p "$logs"
begin=$(date +%s)

elapsed() {
    echo $(($(date +%s) - $1))
}

for stage; do
    log=$logs/$(echo "$stage" | tr : -).log
    stage_begin=$(date +%s)
    printf '%-14s ' "$stage"
    status=0
    ./taskw "$stage" >"$log" 2>&1 </dev/null || status=$?
    if [ "$status" -ne 0 ]; then
        printf 'FAILED %4d s\n\n' "$(elapsed "$stage_begin")"
        cat "$log"
        printf '\ntest: FAILED in %s after %d s\n' "$stage" "$(elapsed "$begin")"
        exit "$status"
    fi
    printf 'ok     %4d s\n' "$(elapsed "$stage_begin")"
    sed -n 's/^not run: /    &/p' "$log"
done
printf 'test: all stages passed in %d s\n' "$(elapsed "$begin")"
printf 'stages: %d passed, 0 failed\n' "$#"
