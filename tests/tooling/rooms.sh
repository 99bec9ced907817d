#!/usr/bin/env bash
# rooms.sh [source directory]: the rooms of src and their order, as docs/design.md lists them: a file includes files of
# its own room or of one above it in the list, and no two units (a header and its source) include each
# other, in a circle of whatever length. In platform that holds for headers alone: an object has parts whose
# sources need the object.
set -euo pipefail
root=${1:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
cd "$root"

mapfile -t rooms < <(sed -nE 's/^    src\/([a-z]+) .*/\1/p' docs/design.md)
((${#rooms[@]} > 1)) || { echo "rooms.sh: docs/design.md lists no rooms" >&2 && exit 1; }

findings=0
finding() {
    echo "rooms.sh: $*" >&2
    findings=$((findings + 1))
}

declare -A floor
for i in "${!rooms[@]}"; do
    floor[${rooms[i]}]=$i
    [[ -d src/${rooms[i]} ]] || finding "docs/design.md lists src/${rooms[i]}, which is not there"
done
for directory in src/*/; do
    room=$(basename "$directory")
    [[ $room == packaging || ${floor[$room]+known} ]] || finding "docs/design.md does not list src/$room"
done
[[ -z $(find src -maxdepth 1 -name '*.[ch]') ]] || finding "a file of src is in no room"

# includes: file and included file, of all units.
includes() {
    grep -rnoE '^ *# *include "[^"]+"' src --include='*.c' --include='*.h' |
        sed -E 's/^([^:]+):[0-9]+: *# *include "([^"]+)"$/\1 \2/'
}

declare -A seen
units=$(mktemp)
trap 'rm -f "$units"' EXIT
while read -r file included; do
    [[ $included == shmipc/* ]] && continue
    if [[ ! -e src/$included ]]; then
        finding "$file includes \"$included\", which is not named from src"
        continue
    fi
    from=${file#src/}
    if ((${floor[${included%%/*}]:-99} > ${floor[${from%%/*}]:--1})); then
        finding "$file includes \"$included\", of a room below its own"
    fi
    a=${from%.*} b=${included%.*}
    if [[ $a != "$b" && $file != src/platform/*.c && ! ${seen[$a $b]+known} ]]; then
        seen[$a $b]=1
        echo "$a $b" >>"$units"
    fi
done < <(includes)
circle=$(tsort "$units" 2>&1 >/dev/null) || finding "units include each other:" "$circle"
((findings == 0)) || exit 1
echo "${#rooms[@]} rooms, $(wc -l <"$units") includes between units, none upwards, no circle"
