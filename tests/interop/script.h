/*
 * What the interop tests ask of a guest, in whatever language it is written: the message type says
 * what to do. go_guest/main.go does the same as c_guest.c, number for number.
 */
#ifndef SHMIPC_TESTS_SCRIPT_H
#define SHMIPC_TESTS_SCRIPT_H

#include "shmipc/shmipc.h"

enum script {
    SCRIPT_ECHO = SHMIPC_TYPE_APPLICATION, /* answers the same bytes, with the same type */
    SCRIPT_PATTERN,                        /* u32 length: answers so many bytes i * 7 + length */
    SCRIPT_AT_END,                         /* the same, written at the end of the response buffer */
    SCRIPT_FAIL,                           /* fails, with the request as its message */
    SCRIPT_WRONG_TYPE,                     /* answers with a type that is the library's */
    SCRIPT_CALL_HOST, /* calls the host with the request, type HOST_ECHO; answers the answer */
    SCRIPT_PROVOKE,   /* u32 enum provocation: calls the host so; answers the error, an i32 */
    SCRIPT_PING,      /* pings the host: answers the round-trip time, an i64 of nanoseconds */
    SCRIPT_HANG,      /* never answers */
    SCRIPT_AWAIT_ABANDONED, /* returns when its caller has given up */
};

/* What a guest does wrong when it calls the host. */
enum provocation {
    PROVOKE_NOTHING,
    PROVOKE_TYPE,      /* a reserved type */
    PROVOKE_TOO_LARGE, /* one byte more than the capacity */
    PROVOKE_HANDLER,   /* calls HOST_FAIL */
    PROVOKE_ANSWER,    /* calls HOST_TOO_MUCH */
    PROVOKE_TIMEOUT,   /* calls HOST_HANG with 20 ms */
    PROVOKE_STALE,     /* releases a slot twice */
    PROVOKE_STATE,     /* receives from a slot that nothing was sent in */
    PROVOKE_CANCELLED, /* claims a slot, sends HOST_HANG, cancels, receives */
};

/* What the host does for a guest. */
enum host_script {
    HOST_ECHO = SHMIPC_TYPE_APPLICATION,
    HOST_FAIL,
    HOST_TOO_MUCH, /* answers one byte more than the capacity */
    HOST_HANG,     /* returns when its caller has given up */
    HOST_COUNT,    /* crowd_test.c's: u32 number of the caller; answers a byte, 1: it may stop */
};

#endif
