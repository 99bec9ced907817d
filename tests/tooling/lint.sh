#!/usr/bin/env bash
# lint.sh <build directory>: clang-format, clang-tidy and shellcheck over the whole project; the rooms of src;
# what the documents name; the reference pages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

build=$1

step() {
    echo "== $1"
    "$1"
}

format() {
    bash tests/tooling/files.sh '*.c' '*.h' '*.cpp' '*.hpp' | xargs -r clang-format --dry-run -Werror
}

# The formatter leaves comments as they are written.
width() {
    bash tests/tooling/files.sh '*.c' '*.h' '*.cpp' '*.hpp' |
        xargs -r awk 'length > 100 { print FILENAME ":" FNR ": more than 100 columns"; long = 1 }
                      END { exit long }'
}

# The compiled files are those that can be analysed as they are built.
tidy() {
    sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$build/compile_commands.json" | sort -u |
        xargs -r -P "$(nproc)" -n 1 clang-tidy --quiet -p "$build"
}

scripts() {
    {
        printf '%s\n' taskw .ci/run
        bash tests/tooling/files.sh '*.sh'
    } | xargs shellcheck
}

step format
step width
step tidy
step scripts
bash tests/tooling/rooms_test.sh
bash tests/tooling/platform_test.sh
bash tests/tooling/hazards.sh
bash tests/tooling/reference_test.sh
