#!/usr/bin/env bash
# minimal_guest_mutants.sh <source directory> <compiler> <directory of tests>: builds docs/examples/minimal_guest
# with one thing wrong at a time, and the test of it (hazard_minimal_guest*_test) must fail each time.
set -euo pipefail

source=$1/docs/examples/minimal_guest/minimal_guest.c
compiler=$2
directory=$3
limit=20                          # seconds in which a mutant must fail
export MINIMAL_GUEST_PATIENCE=4 # and in which what must happen does
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Program and test.
messages='minimal_guest *_messages_of_every_kind_*'
wakes='minimal_guest_wakes no_wake_is_missing_*'
passes_on='minimal_guest_wakes woken_minimal_guest_wakes_*'
comes='minimal_guest *_comes_and_leaves_*'
host_dies='minimal_guest_deaths *_host_that_was_killed'
dies='minimal_guest_deaths *_may_be_killed_*'
gives_up='minimal_guest *_gives_up_*'
corrupt='minimal_guest *_word_is_impossible'

# A mutant a line: name, the program and the tests that must notice, what is replaced in one line, by what.
mutants() {
    cat <<END
offset-of-length|$messages|LENGTH = 8|LENGTH = 4
offset-of-inline-payload|$messages|INLINE = 16|INLINE = 24
offset-of-the-response-buffer|$messages|begin = fits ? INLINE : header\\[buffer\\]|begin = fits ? INLINE : BUFFER
end-of-short-messages|$messages|length <= 48 ? 64 : BUFFER|BUFFER
no-wake-of-the-parked-host|$wakes|wake(field(slot_at(number), WORD), ALL);|;
no-notification-of-a-request|$wakes|notify(at(GUEST_REQUEST, 0), 1, 1);|;
no-bit-before-the-sleep|$wakes|atomic_fetch_or(eventcount + 1, 1u << me);|;
no-parked-before-the-sleep|$wakes|parked = \\*word . PARKED|parked = *word
no-notification-of-another-request|$passes_on|notify(at(HOST_REQUEST, 0), 2, 1);|;
no-reclaiming|$dies|n < 3 \\* slots|n < 0 * slots
no-word-of-having-left|$comes|atomic_store(at(me, LEFT), atomic_load(at(me, EPOCH)));|;
no-giving-up|$gives_up|if (stop && swap|if (false \&\& swap
no-check-of-a-length|$corrupt|length <= header\\[buffer + 1\\], CORRUPT|true, CORRUPT
no-check-of-a-word|$corrupt|!found .. !is_for_me(word) .. possible, CORRUPT|true, CORRUPT
no-look-for-the-host|$host_dies|dead = lock(fd, F_OFD_GETLK, HOST) .. |dead = 
END
}

build() { # <name> <what> <by what>
    sed "s^$2^$3^" "$source" >"$work/$1.c"
    if [[ $(diff "$source" "$work/$1.c" | grep -c '^>') -ne 1 ]]; then
        echo "$1: not one line of minimal_guest.c has $2"
        return 1
    fi
    "$compiler" -std=c11 -O1 -w -o "$work/$1" "$work/$1.c"
}

program() { # <name>
    echo "$directory/hazard_$1_test"
}

try() { # <name> <program and tests> <what> <by what>: says whether the tests notice
    local status=0
    build "$1" "$3" "$4" || return
    # shellcheck disable=SC2016 # the inner shell has its own
    MINIMAL_GUEST=$work/$1 timeout "$limit" bash -c 'echo $$ >"$1"; exec "$2" "$3"' - "$work/$1.pid" "$(program "${2%% *}")" "${2#* }" \
        >"$work/$1.out" 2>&1 || status=$?
    rm -f /dev/shm/shmipc.test-"$(cat "$work/$1.pid")"-* # the region of a test that was aborted
    case $status in
    0) echo "$1: nobody noticed" ;;
    124) echo "$1: not noticed within $limit s" ;;
    *) echo "$1: noticed: $(grep -om 1 -E '(not true: | is -?[0-9]+,).*' "$work/$1.out" | cut -c 1-70)" ;;
    esac
}

# Without a mutation the tests pass: they do not fail for another reason.
"$compiler" -std=c11 -O1 -w -o "$work/right" "$source"
for name in minimal_guest minimal_guest_wakes minimal_guest_deaths; do
    MINIMAL_GUEST=$work/right "$(program "$name")" >"$work/right.out" 2>&1 || {
        cat "$work/right.out"
        exit 1
    }
done
while IFS='|' read -r name tests what by; do
    try "$name" "$tests" "$what" "$by" >"$work/$name.verdict" 2>"$work/$name.aborted" &
done < <(mutants)
wait
cat "$work"/*.verdict
count=$(mutants | wc -l)
noticed=$(cat "$work"/*.verdict | grep -c ': noticed: ')
echo "$noticed of $count mutants were noticed"
[[ $noticed -eq $count ]]
