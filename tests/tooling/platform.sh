#!/usr/bin/env bash
# platform.sh [source directory]: docs/porting.md names every file of src/platform, and for each system the file that
# defines each function of platform.h, and no other; and every file in go/internal that is for one system.
set -euo pipefail
root=${1:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
cd "$root"

findings=0
finding() {
    echo "platform.sh: $*" >&2
    findings=$((findings + 1))
}

# rows <pattern of systems>: file and function, of each function in a row; the file alone, if there is none.
rows() {
    sed -nE "s/^\| \`(($1)\/[a-z_]+\.[ch])\` \|([^|]*)\|.*/\1 \3/p" docs/porting.md | tr -d '`,'
}

# defines <file> <function>: the definition begins a line and does not end it by a semicolon.
defines() {
    grep -E "^[a-z].*\b$2\(" "src/platform/$1" | grep -qv ';$'
}

# Rows without a header, or with one that has no source.
named=$(rows '[a-z0-9]+' | cut -d ' ' -f 1)
for file in src/platform/*/*.[ch]; do
    unit=${file#src/platform/}
    [[ -e ${file%.h}.c ]] && unit=${unit%.?}.c
    grep -qxF "$unit" <<<"$named" || finding "docs/porting.md does not name $unit"
done
for file in $named; do
    [[ -e src/platform/$file ]] || finding "docs/porting.md names $file, which is not there"
done

functions=$(grep -oE '\bshmi_[a-z_]+\(' src/platform/platform.h | tr -d '(' | sort -u)
for system in 'posix|linux' win32; do
    while read -r file words; do
        for function in $words; do
            [[ -e src/platform/$file ]] || continue
            defines "$file" "$function" || finding "docs/porting.md says that $file defines $function"
        done
    done < <(rows "$system")
    listed=$(rows "$system" | cut -s -d ' ' -f 2- | tr ' ' '\n' | grep . | sort)
    for function in $functions; do
        [[ $(grep -cxF "$function" <<<"$listed") == 1 ]] ||
            finding "docs/porting.md does not say once where $function is, of $system"
    done
done
# In Go the end of a file's name says for which system it is; usurper is for tests.
named_go=$(sed -nE 's/^\| \x60((base|wire|park|osregion)\/[a-z_]+\.go)\x60 \|.*/\1/p' docs/porting.md)
for file in go/internal/*/*_{linux,windows,other}.go; do
    unit=${file#go/internal/}
    [[ $unit == usurper/* ]] || grep -qxF "$unit" <<<"$named_go" || finding "docs/porting.md does not name $unit"
done
for file in $named_go; do
    [[ -e go/internal/$file ]] || finding "docs/porting.md names $file, which is not there"
done
((findings == 0)) || exit 1
echo "docs/porting.md names $(wc -l <<<"$named") files and $(wc -l <<<"$functions") functions of the platform," \
    "and $(wc -l <<<"$named_go") files of Go"
