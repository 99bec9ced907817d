/*
 * Serving (docs/protocol.md, Waiting; docs/design.md, Waiting): workers of one peer, callers with a
 * slot each, and the eventcount between them. Checked by run.sh for every order of their steps and for every
 * decision of the policy: whether a worker polls, for how long, and what it expects of a handler is
 * chosen at random. So nothing that is shown here rests on what the library learns.
 *
 * A sleep ends by a wake only, and a handler may last until every other call is answered, as long as
 * one worker is left. So a request that waits while a worker sleeps that nobody wakes is a deadlock:
 * spin finds an invalid end state. The ticks, by which a sleeper looks without being notified, are
 * left out, but where WITH_... names one.
 *
 *   WORKERS, CALLERS, REQUESTS  how many; slot 1's caller sends REQUESTS, each other one a single one
 *   CALLERS_WAIT                a caller whose request is not taken notifies once more; else it only sends
 *   SURPRISES                   a handler that was expected to be short may be long
 *   HOMES                       who comes out of a long handler leaves requests to the keepers of slots
 *   WITH_SENTRY                 a parked worker takes a poller's place, at any moment
 *   WITH_IDLE_TICK              a sleeper looks, if somebody polls
 *   ONE_POLLS                   worker 1 polls until it finds a request, nobody else polls, each handler
 *                               is long, and at first the others sleep: less, so that three workers and
 *                               three callers can be searched
 *   NOBODY_POLLS                less, for homes with more requests
 *
 * MUTANT_... leaves one step out, or has it at the wrong place. (What MUTANT_SUPERSEDING_IS_NOT_HEEDED
 * breaks is 69 steps away, with three workers: run.sh does not look that far.)
 */

#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef CALLERS
#define CALLERS 2
#endif
#ifndef REQUESTS
#define REQUESTS 1
#endif

#define FREE 0
#define REQUEST 1
#define WORKING 2

#define NOBODY 0
#define CHANGING 7

byte slot[CALLERS];
byte keepers[CALLERS];
byte done = 0;  /* callers that have all their answers */
byte stuck = 0; /* handlers that wait for that */

/* The eventcount. Of its generation matters only how far it is ahead of what somebody has read: 0, 1, or
   more, which is 2. */
#define MANY 2
#define PLUS(ahead, n) ((ahead) + (n) > MANY -> MANY : (ahead) + (n))
bool sleepers = false;
bool polled = false;
byte ahead[WORKERS + 1];
byte ahead_of_idle = MANY; /* of idle_at */

byte waiters = 0; /* workers behind the sleepers' bit */
byte poller = NOBODY;
byte superseded = 0; /* pollers that were, and have not noticed */
bool sleeps[WORKERS + 1]; /* in the kernel */
#ifdef ONE_POLLS
bool others_sleep = false;
#endif

#if CALLERS == 2
#define A_REQUEST_WAITS (slot[0] == REQUEST || slot[1] == REQUEST)
#else
#define A_REQUEST_WAITS (slot[0] == REQUEST || slot[1] == REQUEST || slot[2] == REQUEST)
#endif

/* ---- The eventcount ---- */

inline move_eventcount(n) {
    ahead_of_idle = PLUS(ahead_of_idle, n);
    ahead[1] = PLUS(ahead[1], n);
    ahead[2] = PLUS(ahead[2], n);
#if WORKERS == 3
    ahead[3] = PLUS(ahead[3], n);
#endif
}

/* One step: between the eventcount's change and the wake nobody can fall asleep on its old value. */
inline notify(n) {
    atomic {
        move_eventcount(n);
        if
        :: sleeps[1] -> sleeps[1] = false
        :: sleeps[2] -> sleeps[2] = false
#if WORKERS == 3
        :: sleeps[3] -> sleeps[3] = false
        :: !sleeps[1] && !sleeps[2] && !sleeps[3]
#else
        :: !sleeps[1] && !sleeps[2]
#endif
        fi
    }
}

inline notify_all() {
    d_step {
        move_eventcount(1);
        sleeps[1] = false;
        sleeps[2] = false;
#if WORKERS == 3
        sleeps[3] = false
#endif
    }
}

#ifdef MUTANT_PASSED_ON_COUNTS_ONE
#define PASSED_ON 1
#else
#define PASSED_ON 2
#endif

/* The look at all slots is one step: a request that comes while it lasts is the same as one that comes
   after it, and one that is taken meanwhile the same as one that was never there. */
inline pass_on() {
    if
    :: sleepers ->
        if
        :: A_REQUEST_WAITS -> notify(PASSED_ON)
        :: else
        fi
    :: else
    fi
}

/* ---- The callers ---- */

/* One load has both sets. Where they are two loads, pollers first, notifications are not fewer. */
#ifdef MUTANT_NOTIFIES_WITHOUT_A_LOOK
#define NOTIFICATION_IS_WANTED false
#else
#define NOTIFICATION_IS_WANTED (sleepers && !polled)
#endif

proctype Caller(byte mine) {
#if REQUESTS > 1
    byte sent = 0;
#endif
#ifdef ONE_POLLS
    others_sleep;
#endif
next:
#ifdef MUTANT_LOOK_BEFORE_PUBLISHING
    if
    :: NOTIFICATION_IS_WANTED -> slot[mine] = REQUEST; notify(1)
    :: else -> slot[mine] = REQUEST
    fi;
#else
    slot[mine] = REQUEST;
    if
    :: NOTIFICATION_IS_WANTED -> notify(1)
    :: else
    fi;
#endif
#ifdef CALLERS_WAIT
    if
    :: slot[mine] == REQUEST ->
        if
        :: sleepers -> notify(1)
        :: else
        fi
    :: else
    fi;
#endif
    atomic {
        slot[mine] == FREE;
#if REQUESTS > 1
        sent++;
        if
        :: mine == 1 && sent < REQUESTS -> goto next
        :: else -> sent = 0
        fi;
#endif
        done++
    }
}

/* ---- The poller ---- */

/* Callers may not have notified while it polled. */
#ifdef MUTANT_SUPERSEDING_IS_NOT_HEEDED
#define SOLE_NO_MORE skip
#else
#define SOLE_NO_MORE sole_request = false
#endif

/* A worker may be superseded just after it looked whether it still polls. So a superseded worker may
   notice that, and need not. */
#define MAY_PARK true
#define MAY_BE_SHORT true
#define MAY_BE_LONG true
#ifdef NOBODY_POLLS
#define IS_FREE false
#elif defined ONE_POLLS
#undef MAY_PARK
#define MAY_PARK (me != 1)
#ifdef SURPRISES
#undef MAY_BE_SHORT
#undef MAY_BE_LONG
#define MAY_BE_SHORT (me == 1)
#define MAY_BE_LONG (me != 1)
#endif
#define IS_FREE (poller == NOBODY && me == 1)
#else
#define IS_FREE (poller == NOBODY)
#endif
#ifdef MUTANT_SETS_THE_BIT_LATE
#define BEGIN_POLLING IS_FREE -> poller = me
#else
#define BEGIN_POLLING IS_FREE -> poller = CHANGING
#endif

inline stop_polling() {
    atomic {
        polls = false;
        if
        :: poller == me -> poller = CHANGING
        :: else -> superseded--; was_superseded = true
        fi
    }
    if
    :: was_superseded -> was_superseded = false
    :: else -> polled = false; poller = NOBODY
    fi
}

inline notice_superseded() { atomic { polls = false; superseded-- } }

inline supersede() {
    atomic {
        if
        :: poller != NOBODY && poller != CHANGING -> other = poller; superseded++
        :: else
        fi
    }
    if
    :: other != NOBODY ->
        atomic {
            if
            :: poller == other -> poller = CHANGING
            :: else -> superseded--; other = NOBODY
            fi
        }
        if
        :: other != NOBODY -> polled = false; atomic { poller = NOBODY; other = NOBODY; SOLE_NO_MORE }
        :: else
        fi
    :: else
    fi
}

/* What was left to it at home it takes first. */
inline set_bit() {
    polled = true;
#ifdef MUTANT_SETS_THE_BIT_LATE
    atomic { polls = true; keeps_home = false };
#else
    atomic { poller = me; polls = true; keeps_home = false };
#endif
#if defined HOMES && !defined MUTANT_POLLS_ANYWHERE_FIRST
    atomic {
        if
        :: slot[home] == REQUEST -> home_first = true
        :: else
        fi
    }
#endif
}

inline hand_over() {
#ifdef MUTANT_PASSES_ON_BEFORE_LEAVING
    pass_on();
    stop_polling()
#else
    stop_polling();
#ifndef MUTANT_HANDS_OVER_SILENTLY
    pass_on()
#endif
#endif
}

/* ---- A worker ---- */

#ifdef MUTANT_LEAVES_TO_WHO_WAS_SUPERSEDED
#define NOBODY_IS_STUCK true
#else
#define NOBODY_IS_STUCK (superseded == 0)
#endif
#define LEAVES(n) (keeps_home && (n) != home && keepers[n] > 0 && NOBODY_IS_STUCK)

#ifdef MUTANT_LEAVES_WHILE_SOMEBODY_POLLS
#define IS_LEFT(n) LEAVES(n)
#else
#define IS_LEFT(n) (!somebody_polls && LEAVES(n))
#endif

#define TAKE(n) slot[n] == REQUEST -> slot[n] = WORKING; taken = n

/* Who polls hands over after this, and passes on then. */
inline go_out() {
#ifdef MUTANT_STAYS_KEEPER
    skip
#else
#ifndef MUTANT_LOOKS_BEFORE_GOING_OUT
    atomic { keepers[home]--; is_out = true }
#endif
#ifndef MUTANT_GOES_OUT_SILENTLY
    if
    :: !polls && slot[home] == REQUEST -> pass_on()
    :: else
    fi
#endif
#ifdef MUTANT_LOOKS_BEFORE_GOING_OUT
    ;
    atomic { keepers[home]--; is_out = true }
#endif
#endif
}

/* A wake-up may have been for another request than the one that is found. */
inline on_wakeup() {
    atomic {
        if
        :: just_woken && !sole_request && A_REQUEST_WAITS -> passes_on = true
        :: else
        fi;
        just_woken = false;
        sole_request = false
    }
#ifdef MUTANT_NOTIFICATION_IS_NOT_PASSED_ON
    passes_on = false
#endif
    if
    :: passes_on -> passes_on = false; pass_on()
    :: else
    fi
}

#ifdef SURPRISES
#define MAY_SURPRISE true
#else
#define MAY_SURPRISE false
#endif

/* Until every other caller is done, or has a handler that waits like this one. With two callers of one
   request each it is enough that slot 0's handler is, and slot 1's is not: if a request is never served,
   the other one is answered, so say it is slot 1's, or its handler is stuck, so say it is slot 0's. */
#if CALLERS == 2 && REQUESTS == 1
#define MAY_BE_STUCK (taken == 0)
#define MAY_RETURN (taken == 1 || done == 1)
#else
#define MAY_BE_STUCK (stuck < WORKERS - 1)
#ifdef ONE_POLLS
#define MAY_RETURN (stuck == WORKERS - 1 || done + stuck >= CALLERS - 1)
#else
#define MAY_RETURN true
#endif
#endif
inline be_stuck(may) {
    atomic { may && MAY_BE_STUCK -> stuck++ }
    atomic { done + stuck >= CALLERS -> stuck-- }
}

inline run_short() {
#ifdef HOMES
    if
    :: !polls && taken != home -> go_out()
    :: else
    fi;
#endif
    if
    :: MAY_RETURN
    :: be_stuck(MAY_SURPRISE)
    fi
}

inline run_long() {
#ifdef HOMES
    if
    :: taken != home -> go_out()
    :: else
    fi;
#endif
    if
    :: polls -> hand_over()
    :: else
    fi;
#ifdef HOMES
    keeps_home = true;
#endif
    if
    :: MAY_RETURN
    :: be_stuck(true)
    fi
}

inline serve() {
    on_wakeup();
    if
    :: MAY_BE_SHORT && (MAY_RETURN || MAY_SURPRISE) -> run_short()
    :: MAY_BE_LONG -> run_long()
    fi;
#ifdef HOMES
    atomic {
        if
        :: is_out -> keepers[home]++; is_out = false
        :: else
        fi
    }
#endif
    atomic { slot[taken] = FREE; taken = 0 }
}

/* Where it finds a request, the worker is patient, which may end at any moment: whether the poller takes
   it by then is chosen at random. Who polls is read before who was superseded and who keeps a slot. */
inline look_before_sleep(n) {
    if
    :: atomic { needed || slot[n] != REQUEST -> skip }
    :: atomic { !needed && slot[n] == REQUEST -> somebody_polls = poller != NOBODY }
        if
        :: atomic { IS_LEFT(n) -> left_request = true; somebody_polls = false }
        :: atomic { !IS_LEFT(n) -> needed = true; somebody_polls = false }
        :: atomic { !IS_LEFT(n) && poller != NOBODY -> is_patient = true; somebody_polls = false }
            if
            :: atomic { slot[n] != REQUEST -> is_patient = false }
            :: atomic { is_patient = false; needed = true }
            fi
        fi
    fi
}

inline look_at_all() {
    look_before_sleep(0);
    look_before_sleep(1);
#if CALLERS == 3
    look_before_sleep(2);
#endif
}

inline prepare() {
    atomic { waiters++; ahead[me] = 0 }
    sleepers = true
}

/* The last one clears the bit; another may have armed meanwhile. */
inline cancel() {
    atomic {
        if
        :: ahead_of_idle == 0 -> ahead_of_idle = MANY
        :: else
        fi
    }
    atomic { waiters--; last = waiters == 0; just_woken = true }
    if
    :: last ->
        atomic { sleepers = false; last = false }
#ifndef MUTANT_CLEARS_FOR_OTHERS
        if
        :: waiters != 0 -> sleepers = true; notify_all()
        :: else
        fi
#endif
    :: else
    fi
}

#define TICK sleeps[me] = false; left_request = false; sole_request = false; ahead[me] = MANY

/* Ends when it is woken, or a tick finds that it is needed. */
inline sleep() {
    atomic {
        if
        :: left_request -> ahead_of_idle = MANY
        :: else -> ahead_of_idle = ahead[me]
        fi;
        if
        :: ahead[me] == 0 -> sleeps[me] = true
        :: else
        fi
    }
end_asleep:
    if
    :: atomic {
            !sleeps[me];
            left_request = false;
            sole_request = ahead_of_idle == 1;
            ahead[me] = MANY
        }
#ifdef WITH_SENTRY
    :: atomic { sleeps[me] && poller != NOBODY -> TICK }
        supersede();
        ahead_of_idle = MANY
#endif
#ifdef WITH_IDLE_TICK
    :: atomic { sleeps[me] && polled && A_REQUEST_WAITS -> TICK }
#endif
    fi
}

inline park() {
#ifdef MUTANT_LOOKS_BEFORE_PREPARING
    look_at_all();
    prepare();
#else
    prepare();
    look_at_all();
#endif
    if
    :: atomic { needed ->
            needed = false;
            left_request = false;
            sole_request = false;
            ahead[me] = MANY;
            keeps_home = false
        }
    :: else ->
        sleep();
        atomic {
            sole_request = sole_request && !polled;
            keeps_home = false
        }
    fi;
    cancel()
}

proctype Worker(byte me) {
    byte home = (me - 1) % CALLERS;
    byte taken = 0;
    byte other = NOBODY;
    bool polls = false;
    bool just_woken = false;
    bool sole_request = false;
    bool is_patient = false;
    bool keeps_home = false;
    bool is_out = false;
    bool left_request = false;
    bool needed = false;
    bool last = false;
    bool passes_on = false;
    bool was_superseded = false;
    bool somebody_polls = false;
    bool home_first = false;

#ifdef ONE_POLLS
    if
    :: me == 1 -> atomic { sleeps[2] && sleeps[3] -> others_sleep = true }
    :: else -> park(); goto search
    fi;
#endif

turn:
    if
    :: atomic { !polls && !just_woken && BEGIN_POLLING } set_bit(); goto end_polling
    :: !polls -> goto search
    :: polls && poller != me -> notice_superseded(); goto search
    :: polls -> goto end_polling
    fi;

end_polling:
#ifdef HOMES
    atomic {
        if
        :: home_first && slot[home] == REQUEST -> home_first = false; slot[home] = WORKING; taken = home; goto serve_it
        :: else -> home_first = false
        fi
    }
#endif
    if
    :: MAY_PARK -> stop_polling(); park(); goto search
    :: atomic { TAKE(0) }
    :: atomic { TAKE(1) }
#if CALLERS == 3
    :: atomic { TAKE(2) }
#endif
    fi;
serve_it:
    serve();
    goto turn;

search:
    if
    :: !just_woken
    :: just_woken && !A_REQUEST_WAITS -> goto without_work
    :: just_woken && A_REQUEST_WAITS ->
        if
        :: supersede()
        :: poller != NOBODY -> goto without_work /* it takes what was found */
        fi
    fi;
    if
    :: goto without_work
    :: atomic { !LEAVES(0) && TAKE(0) }
    :: atomic { !LEAVES(1) && TAKE(1) }
#if CALLERS == 3
    :: atomic { !LEAVES(2) && TAKE(2) }
#endif
    fi;
    serve();
    goto turn;

without_work:
    if
    :: atomic { BEGIN_POLLING } set_bit(); goto end_polling
    :: MAY_PARK -> park(); goto search
    fi
}

init {
    atomic {
        ahead[1] = MANY;
        ahead[2] = MANY;
        keepers[0]++;
        keepers[1]++;
#if WORKERS == 3
        ahead[3] = MANY;
        keepers[2 % CALLERS]++;
        run Worker(3);
#endif
        run Worker(1);
        run Worker(2);
        run Caller(0);
        run Caller(1);
#if CALLERS == 3
        run Caller(2)
#endif
    }
}
