#!/usr/bin/env bash
# against.sh REVISION [--times COUNT] [arguments of bench...]: measures rows of this tree and of another
# revision in turn, each with its own library and its own benchmarks, and prints what has become slower
# or faster. The rows are those named, or all of bench:quick. --times 0 only builds; otherwise each
# row is measured so often, both ways.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

usage() {
    echo "usage: against.sh REVISION [--times COUNT] [arguments of bench...]" >&2
    exit 2
}

# ---- What is asked for ----

times=8
options=(--quick)
rows=()

read_arguments() {
    while (($# > 0)); do
        case $1 in
        --times) times=${2?$(usage)} && shift ;;
        --guest | --only | --threads | --rounds) options+=("$1" "${2?$(usage)}") && shift ;;
        --*) options+=("$1") ;;
        *) rows+=("$1") ;;
        esac
        shift
    done
}

# ---- Building ----

# A copy, and no checkout: nothing of git's refers to it when build/ is gone.
copy_revision() {
    local tree=$1
    [[ -e $tree/CMakeLists.txt ]] && return
    mkdir -p "$tree"
    git archive "$revision" | tar -x -C "$tree"
}

build() {
    local log
    echo "against: building $1" >&2
    if ! log=$(bash benchmarks/build.sh "$1" 2>&1); then
        echo "$log" >&2
        exit 1
    fi
}

# ---- Measuring ----

# measure SIDE ROW: appends to the side's results.
measure() {
    local programs=$here
    [[ $1 == this ]] || programs=$there
    "$programs/bench" --programs "$programs" "${options[@]}" "$2" 2>"$work/log" >>"$work/$1" || {
        cat "$work/log" >&2
        echo "against: $1 revision's bench failed: ${options[*]} $2" >&2
        exit 1
    }
}

# Each time the other one begins.
measure_row() {
    local time
    for ((time = 0; time < times; time++)); do
        echo "against: $1, $((time + 1)) of $times" >&2
        if ((time % 2 == 0)); then
            measure this "$1" && measure that "$1"
        else
            measure that "$1" && measure this "$1"
        fi
    done
}

(($# > 0)) || usage
revision=$(git rev-parse --verify --quiet "$1^{commit}") || {
    echo "against: no revision $1" >&2
    exit 2
}
shift
read_arguments "$@"

tree=$PWD/build/against/$revision
here=$PWD/build/release/benchmarks
there=$tree/build/release/benchmarks
copy_revision "$tree"
build "$PWD"
build "$tree"
((times > 0)) || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
((${#rows[@]} > 0)) || mapfile -t rows < <("$here/bench" --list)
for row in "${rows[@]}"; do
    measure_row "$row"
done
awk -f benchmarks/charts/rows.awk -f benchmarks/against/compare.awk "$work/this" "$work/that"
