#!/usr/bin/env bash
# deprecated.sh <source directory>: what is marked by SHMIPC_DEPRECATED gives a warning where it is used, with
# the version and what to use instead, in C and C++, with gcc, clang, and clang as Microsoft's compiler;
# with SHMIPC_NO_DEPRECATED it gives none.
set -euo pipefail

source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A function, a type and a member, and for each a use.
cat >"$work/marked.h" <<'END'
#include <shmipc/shmipc.h>
#ifdef __cplusplus
extern "C" {
#endif
SHMIPC_DEPRECATED("1.2", "use shmipc_call")
SHMIPC_API int shmipc_old(void);
SHMIPC_DEPRECATED("1.3", "use shmipc_info")
typedef struct shmipc_older {
    int value;
} shmipc_older;
typedef struct shmipc_partly {
    SHMIPC_DEPRECATED("1.4", "it has no effect") int unused;
    int used;
} shmipc_partly;
#ifdef __cplusplus
}
#endif
END
cat >"$work/idle.c" <<'END'
#include "marked.h"
int use(const shmipc_partly *partly);
int use(const shmipc_partly *partly) { return partly->used; }
END
cat >"$work/function.c" <<'END'
#include "marked.h"
int use(void);
int use(void) { return shmipc_old(); }
END
cat >"$work/type.c" <<'END'
#include "marked.h"
int use(const shmipc_older *older);
int use(const shmipc_older *older) { return older->value; }
END
cat >"$work/member.c" <<'END'
#include "marked.h"
int use(const shmipc_partly *partly);
int use(const shmipc_partly *partly) { return partly->unused; }
END

fail() {
    echo "deprecated.sh: $*" >&2
    exit 1
}

# compile <compiler> <file> [flags...]: every warning is an error.
compile() {
    local words
    read -ra words <<<"$1"
    "${words[@]}" -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$source/include" "${@:3}" "$work/$2.c" 2>&1
}

compilers=('gcc -std=c11' 'clang -std=c11' 'g++ -std=c++17 -x c++' 'clang++ -std=c++17 -x c++'
    'clang --target=x86_64-pc-windows-msvc -ffreestanding -std=c11'
    'clang++ --target=x86_64-pc-windows-msvc -ffreestanding -std=c++17 -x c++')
for compiler in "${compilers[@]}"; do
    said=$(compile "$compiler" idle) || fail "$compiler: what is not used gives a warning: $said"
    for use in 'function:since 1.2: use shmipc_call' 'type:since 1.3: use shmipc_info' \
        'member:since 1.4: it has no effect'; do
        if said=$(compile "$compiler" "${use%%:*}"); then fail "$compiler: no warning for a ${use%%:*}"; fi
        [[ $said == *"${use#*:}"* ]] || fail "$compiler: a ${use%%:*}: $said"
        said=$(compile "$compiler" "${use%%:*}" -DSHMIPC_NO_DEPRECATED) ||
            fail "$compiler: a warning in spite of SHMIPC_NO_DEPRECATED: $said"
    done
done
echo "${#compilers[@]} compilers warn and are silent"
