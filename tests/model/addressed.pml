/*
 * A way to take requests that the library does not use (experiments/taking). The caller addresses a
 * request to one worker; that one marks its start in a line of its own and looks at the word again,
 * instead of changing the word. A caller that gives up changes the word, then reads the mark. One slot;
 * guests with one worker each, the first of which may be killed at any step; a caller that may give up
 * at any moment, or waits. The worker's stores are held back as long as a processor likes, unless a
 * barrier comes. Checked for every order of their steps by run.sh:
 *
 *   - a request whose caller was told that it never started does not run, and did not;
 *   - one that was answered ran once, any other once at most;
 *   - the slot is not used again while a live process may still write to it;
 *   - the caller gets through all its requests.
 *
 * A caller may be told that a request has started which the worker has only marked, and draws back from.
 * So only a caller may take a request away like this, not another worker that is to run it: it could not
 * know whether it must.
 * MUTANT_... breaks one rule each.
 */

#ifndef REQUESTS
#define REQUESTS 3
#endif

#define FREE 0
#define REQUEST 1
#define RESPONSE 2
#define CANCELLED 3

#define STATE(w) ((w) & 3)
#define SEQUENCE(w) ((w) >> 2)
#define WORD(state, sequence) ((state) | (sequence) << 2)

byte word = 0;
byte mark[3];     /* by guest: the sequence of the request that it starts */
byte buffered[3]; /* the store of it that nobody else sees yet; 0: none */
byte alive = 1;   /* the guest that requests are addressed to; 0: the first one is dead */
bool killed = false;
bool running[3]; /* a handler of a live process */
byte runs[REQUESTS + 1];
bool never_started[REQUESTS + 1];
bool finished = false;

/* What was stored is seen in the end, also of a process that was killed. */
active proctype StoreBuffer() {
end_empty:
    do
    :: atomic { buffered[1] != 0 -> mark[1] = buffered[1]; buffered[1] = 0 }
    :: atomic { buffered[2] != 0 -> mark[2] = buffered[2]; buffered[2] = 0 }
    od
}

/* A handler runs behind the barrier, so what the dead may have held back is of no importance. */
#define IS_DEAD(g) (g == 1 && killed)

inline look_again() {
    if
    :: word == seen
    :: word != seen ->
        /* A caller that has seen the mark waits for the slot. */
#ifndef MUTANT_DRAWS_BACK_AND_KEEPS_THE_SLOT
        atomic {
            if
            :: word == WORD(CANCELLED, SEQUENCE(seen)) -> word = WORD(FREE, SEQUENCE(seen))
            :: else
            fi
        }
#endif
        goto serve
    fi
}

proctype Worker(byte me) {
    byte seen;
    {
        seen = 0;
serve:
        atomic {
            seen = 0;
            if
            :: STATE(word) == REQUEST && alive == me -> seen = word
            :: finished -> goto leave
            fi
        }
#ifdef MUTANT_LOOKS_BEFORE_MARKING
        look_again();
        buffered[me] = SEQUENCE(seen);
        buffered[me] == 0;
#else
        buffered[me] = SEQUENCE(seen);
#ifndef MUTANT_NO_BARRIER
        buffered[me] == 0;
#endif
        look_again();
#endif
        atomic {
            assert(!never_started[SEQUENCE(seen)] && !running[1] && !running[2] && runs[SEQUENCE(seen)] == 0);
            running[me] = true;
            runs[SEQUENCE(seen)]++
        }
        buffered[me] == 0; /* the CAS that answers is a barrier */
        atomic {
            running[me] = false;
            if
            :: word == seen -> word = WORD(RESPONSE, SEQUENCE(seen))
            :: else ->
                assert(word == WORD(CANCELLED, SEQUENCE(seen)));
                word = WORD(FREE, SEQUENCE(seen))
            fi
        }
        goto serve;
leave:
        skip
    } unless {
        atomic { me == 1 && killed -> seen = 0 }
    }
}

active proctype Killer() {
    if
    :: atomic { !finished -> killed = true; running[1] = false }
    :: true
    fi
}

active proctype Caller() {
    byte number = 0;
    byte to;
    bool started;
    bool patient;

    if
    :: patient = true
    :: patient = false
    fi;

next:
    atomic {
        started = false;
        assert(!running[1] && !running[2]);
        if
        :: number == REQUESTS -> finished = true; goto end_of_calls
        :: else -> number++
        fi;
        to = alive;
        word = WORD(REQUEST, number)
    }
    if
    :: atomic { word == WORD(RESPONSE, number) -> assert(runs[number] == 1) } goto next
    :: !patient
    :: IS_DEAD(to)
    fi;
    atomic {
        if
        :: word == WORD(RESPONSE, number) -> assert(runs[number] == 1); goto next
        :: else -> assert(word == WORD(REQUEST, number)); word = WORD(CANCELLED, number)
        fi
    }
    atomic {
        started = mark[to] == number;
        if
        :: !started -> never_started[number] = true; assert(runs[number] == 0)
        :: else
        fi
    }
    if
    :: !started ->
        atomic {
            if
            :: word == WORD(CANCELLED, number) -> word = WORD(FREE, number)
            :: else -> assert(word == WORD(FREE, number))
            fi
        }
    :: started ->
        atomic {
            if
            :: word == WORD(FREE, number)
            :: IS_DEAD(to) && word == WORD(CANCELLED, number) -> word = WORD(FREE, number)
            fi
        }
    fi;
    /* After a death the next guest serves. */
    atomic {
        if
        :: IS_DEAD(to) -> alive = 2
        :: else
        fi
    }
    goto next;

end_of_calls:
    skip
}

init {
    atomic {
        run Worker(1);
        run Worker(2)
    }
}
