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

# once: of the entries of a compilation database on standard input the first for each file. A file is
# built for several libraries and tests, and clang-tidy would analyse it as often.
once() {
    echo "["
    awk '$1 == "{" { entry = "" }
         { entry = entry $0 "\n" }
         $1 == "\"file\":" { file = $2 }
         $1 ~ /^}/ && !seen[file]++ { sub(/},?\n$/, "}", entry); printf "%s%s", comma, entry; comma = ",\n" }'
    echo "]"
}

# with <clang-tidy's arguments>: analyses the files named on standard input.
with() {
    xargs -r -P "$(nproc)" -n 1 clang-tidy --quiet -p "$build/tidy" "$@"
}

# The compiled files are those that can be analysed as they are built. In C++ the analyzer follows each
# call into the standard library: half the time, for headers and tests that run under the sanitizers.
tidy() {
    local files
    mkdir -p "$build/tidy"
    once <"$build/compile_commands.json" >"$build/tidy/compile_commands.json"
    files=$(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$build/tidy/compile_commands.json")
    grep '\.c$' <<<"$files" | with
    grep '\.cpp$' <<<"$files" | with --checks='-clang-analyzer-*'
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
