#!/usr/bin/env bash
# measure.sh [rows [blocks]]: what a row takes, whole statement, if the function is C inside the extension, Go
# through shared memory, or Go through a Unix socket; in alternating blocks (default: 9 of 10^6 rows), of which
# the median is printed. The extensions come from SHMIPC_BUILD_DIR.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
extensions=${SHMIPC_BUILD_DIR:-$here/../../../build/release}/docs/examples/sqlite
rows=${1:-1000000}
blocks=${2:-9}
work=$(mktemp -d)
export SQLITE_GO=measure.$$ SQLITE_SOCKET=$work/socket
ways=(inside go socket)

clean_up() {
    local running
    mapfile -t running <<<"$(jobs -rp)"
    kill "${running[@]}" 2>/dev/null || true
    wait 2>/dev/null
    rm -rf "$work" "/dev/shm/shmipc.$SQLITE_GO-0"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

build_program() {
    (cd "$here" && CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -o "$2" "$1")
}

# statements <rows>: the first two call none of the functions; the last takes its rows in pages of 1,000.
statements() {
    cat <<END
SELECT sum(length(text)) FROM t;
SELECT avg(n) FROM t;
SELECT sum(go_hash(text) & 255) FROM t;
SELECT go_variance(n) FROM t;
SELECT sum(length(factors)) FROM (SELECT n FROM t LIMIT $1 / 1000), go_factors(1, 1000);
END
}

# time_block <way>: nanoseconds a row, a column for each statement. A socket is given fewer rows.
time_block() {
    local n=$rows
    if [[ $1 == socket ]]; then n=$((rows / 10)); fi
    {
        echo ".load $extensions/$1"
        echo "CREATE TABLE t AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < $n)
              SELECT n, 'row ' || n AS text FROM c;"
        echo "SELECT go_hash('');" # the guest is there
        echo .timer on
        statements "$n"
    } | sqlite3 -init /dev/null :memory: 2>/dev/null |
        awk -v rows="$n" '/^Run Time/ { printf "%.1f ", $4 * 1e9 / rows } END { print "" }' >>"$work/$1.txt"
}

# median <way> <column>
median() {
    awk -v column="$2" '{ print $column }' "$work/$1.txt" | sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# row <name> <column>
row() {
    printf '%-44s %9.0f %9.0f %9.0f\n' "$1" "$(median inside "$2")" "$(median go "$2")" "$(median socket "$2")"
}

build_program ./guest "$work/guest"
build_program ./compare/server "$work/server"
"$work/guest" "$SQLITE_GO" &
"$work/server" "$SQLITE_SOCKET" &
until [[ -S $SQLITE_SOCKET ]]; do sleep 0.01; done

for ((block = 0; block < blocks; block++)); do
    for way in "${ways[@]}"; do time_block "$way"; done
done

printf '%-44s %9s %9s %9s\n' "ns a row, median of $blocks blocks" "C inside" "Go, shm" "Go, socket"
row "no function: sum(length(text))" 1
row "no function: avg(n)" 2
row "one call a row: go_hash(text)" 3
row "one call for 1,000 rows: go_variance(n)" 4
row "one call for 1,000 rows: go_factors(1, 1000)" 5
