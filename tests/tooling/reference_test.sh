#!/usr/bin/env bash
# reference_test.sh: reference.sh finds a function, a type, a macro, a member and an enumerator without a
# comment, and a comment that names what does not exist.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# changed <sed command>: runs reference.sh in a copy whose header the command has changed.
changed() {
    rm -rf "$work/copy"
    mkdir -p "$work/copy/src"
    cp -R include go "$work/copy"
    cp -R src/packaging "$work/copy/src"
    sed -i "$1" "$work/copy/include/shmipc/shmipc.h"
    bash tests/tooling/reference.sh "$work/copy" "$work/out" >"$work/log" 2>&1
}

# finds <what> <sed command>: in such a copy reference.sh fails and says so.
finds() {
    if changed "$2" || ! grep -q "$1" "$work/log"; then
        echo "reference_test.sh: reference.sh does not find \"$1\" after: $2" >&2
        cat "$work/log" >&2
        exit 1
    fi
}

bash tests/tooling/reference.sh
finds 'shmipc_strerror.* is not documented' '/^\/\* .* for an error code/d'
finds 'shmipc_event_kind .* is not documented' '/^\/\* What happened to another peer/d'
finds 'SHMIPC_SLOTS_MAX .* is not documented' 's/\(SHMIPC_SLOTS_MAX 4096\) .*/\1/'
finds 'Member serving .* is not documented' 's/\(uint32_t serving;\) .*/\1/'
finds 'SHMIPC_E_TYPE_has_no_comment' 's/\(SHMIPC_E_TYPE = -19,\) .*/\1/'
finds "'shmipc_serf' could not be resolved" 's/^\( \* As shmipc_serve\),/ * As shmipc_serf,/'
finds 'line longer than 80 bytes' 's/for an error code;/that says at length and to everybody what went wrong here;/'

changed 's/^SHMIPC_API int shmipc_get_stats/SHMIPC_DEPRECATED("1.2", "use shmipc_call")\n&/' || {
    cat "$work/log" >&2
    exit 1
}
if ! grep -qF 'Deprecated since 1.2: use \fBshmipc_call\fR(3).' "$work/out/man/man3/shmipc_get_stats.3" ||
    ! grep -q 'since 1.2: use <a .*>shmipc_call<' "$work/out/c/group__counters.html"; then
    echo "reference_test.sh: the pages do not say what is deprecated" >&2
    exit 1
fi
echo "every declaration has a comment, every name in a comment exists"
