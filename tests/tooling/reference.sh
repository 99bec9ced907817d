#!/usr/bin/env bash
# reference.sh [source directory [output directory]]: makes the reference pages from the headers and the Go
# packages. In the output directory, build/reference, are then c/index.html and cpp/index.html, go/*.txt, and
# the manual's pages in man. What has no comment in C, a comment that names what does not exist, and each
# warning of Doxygen or mandoc is an error.
set -euo pipefail
tooling=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${1:-$tooling/../..}"
output=${2:-build/reference}

# pages <language> <headers> [settings...]
pages() {
    mkdir -p "$output"
    {
        printf '%s\n' "@INCLUDE = $tooling/reference/Doxyfile" "OUTPUT_DIRECTORY = $output" \
            "HTML_OUTPUT = $1" "INPUT = $2" "PROJECT_NUMBER = $version" \
            "INPUT_FILTER = \"awk -v language=$1 -f $tooling/reference/comments.awk\""
        printf '%s\n' "${@:3}"
    } | doxygen -
}

# manual: every page is well-formed.
manual() {
    mkdir -p "$output"/man/man{3,7}
    awk -v man="$output/man" -v version="$version" -v date="$(date -u +%F)" -f src/packaging/man.awk \
        include/shmipc/shmipc.h
    find "$output/man" -type f -exec mandoc -T lint {} +
}

# go_pages <directory> <name>
go_pages() {
    mkdir -p "$output/go"
    (cd "$1" && go doc -all .) >"$output/go/$2.txt"
    grep -q '^package ' "$output/go/$2.txt"
}

rm -rf "${output:?}"
version=$(sed -n 's/^#define SHMIPC_VERSION_[MP][A-Z]* \([0-9]*\)$/\1/p' include/shmipc/shmipc.h | paste -sd.)
pages c include/shmipc/shmipc.h 'OPTIMIZE_OUTPUT_FOR_C = YES' \
    'PREDEFINED = SHMIPC_API= "SHMIPC_PRINTF_LIKE(text,first)=" "SHMIPC_DEPRECATED(since,instead)="'
# In C++ a name is often enough: only what a comment says is checked.
pages cpp 'include/shmipc/shmipc.hpp include/shmipc/flatbuffers.hpp include/shmipc/cxx' 'EXTRACT_ALL = YES' \
    'EXCLUDE_SYMBOLS = *::detail* std::*' \
    'PREDEFINED = __cplusplus=201703L __cpp_exceptions SHMIPC_LOCAL='
manual
go_pages go shmipc
go_pages go/flatbuffers flatbuffers
