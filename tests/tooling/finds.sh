# shellcheck shell=bash
# finds.sh: for tests of a check, which source it in the top folder. They set `check`, the name of a script beside this
# one, which takes the folder of a tree, and `copied`, the files and folders of the tree that it reads.

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# finds <what> <command>: in a copy that the command has changed, the check fails and says so.
finds() {
    rm -rf "$work/copy"
    mkdir "$work/copy"
    # shellcheck disable=SC2154 # set by the test
    cp -R --parents "${copied[@]}" "$work/copy"
    (cd "$work/copy" && eval "$2")
    # shellcheck disable=SC2154
    if bash "tests/tooling/$check" "$work/copy" >"$work/out" 2>&1 || ! grep -q "$1" "$work/out"; then
        echo "$check does not find \"$1\" after: $2" >&2
        cat "$work/out" >&2
        exit 1
    fi
}
