/*
 * One guest slot of docs/protocol.md and one guest index, whose epoch in words comes round after two
 * attaches: guests that attach one after the other, claim the slot, send, give it back, and are killed
 * at any step; and a reclaimer that may be paused for as long as it likes between its proof that a
 * word's owner is dead and its change of the word. Checked for every order of their steps by run.sh:
 * a live guest's slot is never freed by another. MUTANT_... breaks one rule of the protocol each.
 */

#ifndef ATTACHES
#define ATTACHES 4
#endif
#define EPOCHS 2

/* The word: state, the owner's epoch (0: none), the sequence. */
#define FREE 0
#define BUSY 1
#define REQUEST 2

#define STATE(w) ((w) & 3)
#define OWNER(w) (((w) >> 2) & 3)
#define SEQUENCE(w) ((w) >> 4)
#define WORD(state, owner, sequence) ((state) | (owner) << 2 | (sequence) << 4)

short word = 0;
byte line = 0;   /* the epoch that the peer record shows, as words have it */
byte live = 0;   /* the attach that holds the index's lock; 0: none */
byte holder = 0; /* the attach that has the slot; 0: none */
bool finished = false;

#ifdef MUTANT_CLAIM_KEEPS_SEQUENCE
#define CLAIMED(w) SEQUENCE(w)
#else
#define CLAIMED(w) (SEQUENCE(w) + 1)
#endif

active proctype Reclaimer() {
    short seen;
    do
    :: atomic { OWNER(word) != 0 && (line != OWNER(word) || live == 0) -> seen = word }
        atomic {
            if
            :: word == seen ->
                assert(live == 0 || holder != live);
                word = WORD(FREE, 0, SEQUENCE(word));
                holder = 0
            :: else
            fi;
            seen = 0
        }
    :: finished -> break
    od
}

/* One guest after the other. Each step may be the last before it is killed. */
active proctype Guests() {
    byte attach = 0;
    short seen;

next:
    atomic {
        seen = 0;
        if
        :: attach == ATTACHES -> finished = true; goto end
        :: else -> attach++; live = attach
        fi
    }
    seen = word;
    atomic {
        if
        :: OWNER(seen) != 0 && word == seen -> word = WORD(FREE, 0, SEQUENCE(word)); holder = 0
        :: else
        fi
    }
    line = (attach - 1) % EPOCHS + 1;

call:
    if
    :: goto killed
    :: seen = word
    fi;
    atomic {
        if
        :: STATE(seen) == FREE && word == seen ->
            word = WORD(BUSY, line, CLAIMED(seen));
            seen = word;
            holder = attach
        :: else -> goto killed
        fi
    }
    if
    :: goto killed
    :: atomic {
            assert(word == seen);
            word = WORD(REQUEST, line, SEQUENCE(seen) + 1);
            seen = word
        }
    :: true
    fi;
    if
    :: goto killed
    :: atomic {
            assert(word == seen);
            word = WORD(FREE, 0, SEQUENCE(seen));
            holder = 0
        }
    fi;

killed:
    live = 0;
    goto next;

end:
    skip
}
