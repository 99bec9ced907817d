#!/usr/bin/env bash
# Checks the models with spin, and that each of their mutants is found.
set -euo pipefail

models=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

command -v spin >/dev/null || {
    echo "spin is missing: install the package spin" >&2
    exit 1
}

# check <model> <definitions...>: true if no order of steps breaks the model.
check() {
    spin -a "${@:2}" "$1" >spin.log || { cat spin.log >&2; exit 1; }
    cc -O2 -w -DSAFETY -DNOFAIR -DCOLLAPSE -DMEMLIM=1500 -o pan pan.c
    ./pan -m1000000 >pan.log
    if grep -q 'errors: 0$' pan.log; then
        if ! grep -q 'Search not completed' pan.log; then return 0; fi
    elif grep -q 'errors: 1$' pan.log; then
        return 1
    fi
    cat pan.log >&2
    exit 1
}

# check_model <file> <definitions...>
check_model() {
    local model=$models/$1
    if ! check "$model" "${@:2}"; then
        cat pan.log
        spin -t -p -g "${@:2}" "$model" | tail -n 100
        exit 1
    fi
    echo "$1: $(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.log) states, no error"
    while read -r mutant; do
        if check "$model" "${@:2}" "-D$mutant"; then
            echo "$mutant was not found" >&2
            exit 1
        fi
        echo "$mutant: found ($(sed -n 's/^pan:[0-9]*: \(.*\) (at depth.*/\1/p' pan.log | cut -c1-60))"
    done < <(sed -n 's/^#if.*def \(MUTANT_[A-Z_]*\)$/\1/p' "$model" | sort -u)
}

check_model claim.pml -DATTACHES=4
check_model slot.pml -DREQUESTS=2
