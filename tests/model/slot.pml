/*
 * One host slot of docs/protocol.md: a host that calls, a guest index with two successive epochs,
 * either of which may be killed at any step, and a host thread that reclaims what the dead leave.
 * Checked for every order of their steps by run.sh:
 *
 *   - a live responder that has taken a request is the only one, and nobody writes the request
 *     meanwhile;
 *   - an answer is that of the request which its caller sent;
 *   - a request that was given up unstarted never runs;
 *   - nobody meets a word that no transition could have produced;
 *   - the caller gets through all its requests: the slot becomes usable again whatever happens, and
 *     no wake-up is lost. A sleep ends by a wake only, so each of these would be a deadlock.
 *
 * The caller may give up at any moment, or (chosen at the start) waits for ever. MUTANT_... breaks
 * one rule of the protocol each; run.sh sees that every one of them is found.
 */

#ifndef REQUESTS
#define REQUESTS 2
#endif

/* The word: state, PARKED, RECLAIMED, the owner's epoch (0: none), the sequence. */
#define FREE 0
#define REQUEST 2
#define WORKING 3
#define RESPONSE 4
#define CANCELLED 5
#define PARKED 8
#define RECLAIMED 16

#define STATE(w) ((w) & 7)
#define OWNER(w) (((w) >> 5) & 3)
#define SEQUENCE(w) ((w) >> 7)
#define WORD(state, owner, sequence) ((state) | (owner) << 5 | (sequence) << 7)

short word = 0;
byte request = 0;  /* the buffers: the number of a request */
byte response = 0;
bool withdrawn[REQUESTS + 1]; /* given up before anybody had taken it */

/* The peer table's line and lock of the one guest index. A killed guest holds no lock. */
byte line = 0;
byte lock = 0;
bool killed[3];
bool working[3]; /* alive, and between taking a request and letting go of it */

/* Eventcount 0, by which the guest is notified, and eventcount 2, by which the host is. Of an eventcount's generation matters
   only whether it has changed since its reader read it. */
bool request_eventcount_changed[3];
bool request_sleeper = false;
bool free_eventcount_changed = false;
bool free_sleeper = false;

/* Who sleeps in the kernel: the caller on the word or on eventcount 2, the guests on eventcount 0. */
bool caller_sleeps = false;
bool claimer_sleeps = false;
bool guest_sleeps[3];

bool finished = false;

#define OWNED (working[1] || working[2])
#define NOBODY (killed[1] && killed[2])

/* The killed wake nobody. A sleeper finds by itself, with its next tick, what they had not told it;
   where nobody was killed, ticks heal nothing. */
#define TICK(condition) ((killed[1] || killed[2]) && (condition))

/* One step: between the eventcount's change and the wake nobody can fall asleep on its old value. */
inline notify_of_request() {
    d_step {
        request_eventcount_changed[1] = true;
        request_eventcount_changed[2] = true;
        guest_sleeps[1] = false;
        guest_sleeps[2] = false
    }
}

inline notify_of_freedom() {
    if
    :: free_sleeper -> d_step { free_eventcount_changed = true; claimer_sleeps = false }
    :: else
    fi
}

/* ---- What a dead owner left ---- */

#ifdef MUTANT_RECLAIM_BY_STATE
#define IS_STILL(seen) (STATE(word) == STATE(seen))
#else
#define IS_STILL(seen) (word == seen)
#endif

inline reclaim(seen, changed) {
    changed = false;
    if
    :: STATE(seen) == WORKING ->
        atomic {
            if
            :: IS_STILL(seen) ->
                word = WORD(RESPONSE, OWNER(word), SEQUENCE(word)) | RECLAIMED;
                changed = true
            :: else
            fi
        }
        if
        :: changed && (seen & PARKED) -> caller_sleeps = false
        :: else
        fi
    :: STATE(seen) == CANCELLED ->
        atomic {
            if
            :: IS_STILL(seen) ->
                word = WORD(FREE, 0, SEQUENCE(word));
                changed = true
            :: else
            fi
        }
        if
        :: changed -> notify_of_freedom()
        :: else
        fi
    :: else
    fi
}

/* A host thread. Between the word with the proof that its owner is dead and the change, anything may
   happen. (Between the word and the proof too; but death lasts, so that adds nothing.) */
active proctype Reclaimer() {
    short seen = 0;
    bool changed;
    do
    :: atomic { OWNER(word) != 0 && (line != OWNER(word) || lock == 0) -> seen = word }
        reclaim(seen, changed);
        d_step { seen = 0; changed = false }
    :: finished -> break
    od
}

/* ---- The caller ---- */

inline publish_request() {
#ifdef MUTANT_UNFENCED_PUBLISH
    asleep = request_sleeper;
#endif
    atomic {
        assert(word == last);
        last = WORD(REQUEST, 0, SEQUENCE(last) + 1);
        word = last
    }
#ifndef MUTANT_UNFENCED_PUBLISH
    asleep = request_sleeper;
#endif
    if
    :: asleep -> notify_of_request()
    :: else
    fi
}

active proctype Caller() {
    bool patient;
    bool asleep;
    byte number = 0;
    short last = 0;
    short seen;

    if
    :: patient = true
    :: patient = false
    fi;

next:
    atomic {
        seen = 0;
        asleep = false;
        if
        :: number == REQUESTS -> goto end_of_calls
        :: else -> number++
        fi;
        assert(!OWNED);
        request = number
    }
    publish_request();

look:
    atomic {
        seen = word;
        asleep = false;
        if
        :: STATE(seen) == RESPONSE ->
            assert(SEQUENCE(seen) == SEQUENCE(last));
            assert((seen & RECLAIMED) || response == number);
            last = seen;
            goto next
        :: STATE(seen) == REQUEST || STATE(seen) == WORKING ->
            assert(SEQUENCE(seen) == SEQUENCE(last))
        :: else -> assert(false)
        fi;
        if
        :: !patient || NOBODY -> goto give_up
        :: true
        fi
    }
    atomic {
        if
        :: word == seen -> word = seen | PARKED; seen = word
        :: else -> goto look
        fi
    }
    atomic {
        if
        :: patient && word == seen -> caller_sleeps = true
        :: else
        fi
    }
    atomic {
        if
        :: !caller_sleeps
        :: TICK(word != seen) || NOBODY -> caller_sleeps = false
        fi;
        goto look
    }

give_up:
    atomic {
        if
        :: word != seen -> seen = word; goto give_up
        :: word == seen && STATE(seen) == RESPONSE -> goto look
        :: word == seen && STATE(seen) == REQUEST ->
            last = WORD(FREE, 0, SEQUENCE(seen));
            word = last;
            withdrawn[number] = true;
            goto next
        :: word == seen && STATE(seen) == WORKING ->
#ifdef MUTANT_FREE_ON_TIMEOUT
            last = WORD(FREE, 0, SEQUENCE(seen));
            word = last;
            goto next
#else
            word = WORD(CANCELLED, OWNER(seen), SEQUENCE(seen))
#endif
        fi
    }

quarantined:
    free_eventcount_changed = false;
    free_sleeper = true;
    atomic {
        seen = word;
        if
        :: STATE(seen) == FREE ->
            free_sleeper = false;
            last = seen;
            goto next
        :: else
        fi
    }
    atomic {
        if
        :: !free_eventcount_changed -> claimer_sleeps = true
        :: else
        fi
    }
    atomic {
        if
        :: !claimer_sleeps
        :: TICK(STATE(word) == FREE) -> claimer_sleeps = false
        fi;
        free_sleeper = false;
        goto quarantined
    }

end_of_calls:
    finished = true;
    notify_of_request()
}

/* ---- The responder ---- */

/* What is of no use any more would only make more states. */
#define FORGET d_step { seen = 0; taken = 0; got = 0; parked = false; changed = false }

inline attach(e) {
    seen = word;
    if
    :: OWNER(seen) != 0 -> reclaim(seen, changed)
    :: else
    fi;
    request_sleeper = false
}

inline publish_response(e) {
    atomic {
        parked = false;
        if
#ifdef MUTANT_BLIND_PUBLISH
        :: true ->
#else
        :: (word | PARKED) == (taken | PARKED) ->
#endif
            parked = (word & PARKED) != 0;
            word = WORD(RESPONSE, e, SEQUENCE(taken));
            working[e] = false
#ifndef MUTANT_BLIND_PUBLISH
        :: (word | PARKED) != (taken | PARKED) ->
            assert(word == WORD(CANCELLED, e, SEQUENCE(taken)))
#endif
        fi
    }
    if
    :: working[e] ->
        atomic {
            assert(word == WORD(CANCELLED, e, SEQUENCE(taken)));
            word = WORD(FREE, 0, SEQUENCE(taken));
            working[e] = false
        }
        notify_of_freedom()
    :: !working[e] && parked -> caller_sleeps = false
    :: else
    fi
}

proctype Guest(byte e) {
    short seen;
    short taken;
    byte got;
    bool parked;
    bool changed;

    {
        atomic { lock == 0 && (e == 1 || killed[1] || finished) -> lock = e }
#ifndef MUTANT_ATTACH_BEFORE_RECLAIM
        attach(e);
#endif
        line = e;

serve:
        atomic {
            FORGET;
            if
            :: finished -> goto leave
            :: else -> seen = word
            fi;
            if
            :: STATE(seen) != REQUEST -> goto sleep
            :: else
            fi
        }
        atomic {
            if
            :: word == seen ->
                assert(!OWNED && !withdrawn[request]);
                taken = WORD(WORKING, e, SEQUENCE(seen)) | (seen & PARKED);
                word = taken;
                working[e] = true
            :: else -> goto serve
            fi
        }
#ifdef MUTANT_ATTACH_BEFORE_RECLAIM
        attach(e);
#endif
        got = request;
        response = got;
        assert(request == got);
        publish_response(e);
        goto serve;

sleep:
        request_eventcount_changed[e] = false;
        request_sleeper = true;
#ifndef MUTANT_NO_SECOND_LOOK
        seen = word;
#endif
        if
        :: STATE(seen) == REQUEST || finished ->
            request_sleeper = false;
            goto serve
        :: else
        fi;
        atomic {
            if
            :: !request_eventcount_changed[e] -> guest_sleeps[e] = true
            :: else
            fi
        }
        !guest_sleeps[e];
        request_sleeper = false;
        goto serve;

leave:
        atomic { lock = 0; FORGET }
    } unless {
        atomic { killed[e] -> FORGET }
    }
}

/* Kills who is attached, at any moment, and at some moment no more. */
active proctype Killer() {
    do
    :: atomic {
            lock != 0 ->
                killed[lock] = true;
                working[lock] = false;
                guest_sleeps[lock] = false;
                request_eventcount_changed[lock] = false;
                lock = 0
        }
    :: break
    od
}

init {
    atomic {
        run Guest(1);
        run Guest(2)
    }
}
