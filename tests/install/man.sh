#!/usr/bin/env bash
# man.sh <source directory> <build directory>: the manual is installed; it has a page for each function and
# type, which `man` finds and shows without a warning; it is the same with every awk and at every time that
# SOURCE_DATE_EPOCH is the same. Without SHMIPC_MAN there is none.
set -euo pipefail

source=$1
build=$2
# shellcheck source=tests/install/common.sh
. "$source/tests/install/common.sh"

# Types of an installed header.
types() {
    sed -nE 's/^\} (shmipc_[a-z_]+);$/\1/p; s/^typedef struct shmipc_[a-z]+ (shmipc_[a-z]+);$/\1/p
             s/^typedef .*\(\*(shmipc_[a-z_]+)\)\(.*/\1/p' "$prefix/include/shmipc/shmipc.h"
}

manual() {
    MANPATH=$prefix/share/man MANWIDTH=80 LC_ALL=C.UTF-8 man --warnings "$@"
}

install "$build" "$prefix" --component Development

step each function and type has a page
count=0
for name in shmipc $(declared "$prefix") $(types); do
    manual "$name" >"$work/page" 2>"$work/warnings" || fail "man $name: $(cat "$work/warnings")"
    [[ ! -s $work/warnings ]] || fail "man $name: $(cat "$work/warnings")"
    grep -q "^ *$name  *- *[a-z]" "$work/page" || fail "man $name shows" "$(head -n 20 "$work/page")"
    count=$((count + 1))
done
# And each section of the header, of which the first has no title.
sections=$(($(grep -c '^/\* ---- ' "$prefix/include/shmipc/shmipc.h") + 1))
pages=$(find "$prefix/share/man" -type f | wc -l)
[[ $((count + sections)) == "$pages" ]] || fail "$pages pages for $count names and $sections sections"
echo "$pages pages"

step a page shows what the header says
manual shmipc_get_stats >"$work/page"
for words in 'int shmipc_get_stats(shmipc_peer \*peer, shmipc_stats \*stats);' 'ERRORS' 'SHMIPC_E_CLOSED' \
    'shmipc_counters(3)'; do
    grep -q "$words" "$work/page" || fail "man shmipc_get_stats lacks $words"
done
manual shmipc_peers | grep -q 'SHMIPC_GUESTS_MAX 15$' || fail "man shmipc_peers does not show a limit"
manual shmipc_error | grep -A 1 'SHMIPC_E_SYSTEM = -3' | grep -q 'shmipc_last_os_error(3) says why' ||
    fail "man shmipc_error does not explain the codes"

step every page is shown
while read -r page; do
    warnings=$(manual -l "$page" 2>&1 >"$work/page")
    [[ -z $warnings && -s $work/page ]] || fail "$page:" "$warnings"
done < <(find "$prefix/share/man" -type f)

step the same with every awk
for awk in mawk gawk original-awk 'busybox awk'; do
    read -ra words <<<"$awk"
    command -v "${words[0]}" >/dev/null || continue
    echo "$awk"
    rm -rf "$work/man"
    mkdir -p "$work"/man/man{3,7}
    date=$(sed -n 's/^\.TH [A-Z]* 7 \([-0-9]*\) .*/\1/p' "$prefix/share/man/man7/shmipc.7")
    version=$(sed -n 's/^\.TH .*"libshmipc \([0-9.]*\)".*/\1/p' "$prefix/share/man/man7/shmipc.7")
    "${words[@]}" -v man="$work/man" -v version="$version" -v date="$date" -f "$source/src/packaging/man.awk" \
        "$source/include/shmipc/shmipc.h"
    diff -r "$prefix/share/man" "$work/man" || fail "installed (<) and written by $awk (>) differ"
done

step of the date that is asked for
SOURCE_DATE_EPOCH=86400 build "$source" "$work/dated" -DCMAKE_BUILD_TYPE=Debug -DBUILD_SHARED_LIBS=OFF
install "$work/dated" "$work/dated-prefix" --component Development
grep -q '^\.TH SHMIPC 7 1970-01-02 ' "$work/dated-prefix/share/man/man7/shmipc.7" || fail "it has another date"

step no manual
build "$source" "$work/dated" -DSHMIPC_MAN=OFF
install "$work/dated" "$work/none" --component Development
[[ -z $(find "$work/none" -path '*/man/*') ]] || fail "there is one without SHMIPC_MAN"
