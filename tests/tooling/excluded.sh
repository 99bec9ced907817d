# shellcheck shell=bash
# excluded.sh, to be sourced: tests that are not run somewhere. A list names one a line, with its
# reason: "<test>: <reason>".

# excluded <list> <pattern>: of the tests in the list those that match.
excluded() {
    sed -n 's/^\([^#:]*\):.*/\1/p' "$1" | grep -E "$2" || true
}

# One pattern for all that come in. The names of ctest's tests are patterns without anything special
# in them, and so are Go's.
any_of() {
    paste -sd '|' | sed 's/.*/^(&)$/'
}

# excluded_say <list>: as stages.sh repeats it.
excluded_say() {
    sed -n 's/^\([^#:]*\): \(.*\)/not run: \1: \2/p' "$1"
}

# excluded_check <list>: a test that is no more would go on being excused.
excluded_check() {
    local known name missing=0
    known=$(printf '%s\n' tests/*/*_test.c | sed 's/^tests\///; s/_test\.c$//')
    known+=$'\n'$(sed -n 's/^func \(Test[A-Za-z0-9_]*\)(.*/\1/p' go/*_test.go go/internal/*/*_test.go)
    while read -r name; do
        if ! grep -qx "$name" <<<"$known"; then
            echo "$1 names $name, which no test is called" >&2
            missing=1
        fi
    done < <(excluded "$1" .)
    return "$missing"
}
