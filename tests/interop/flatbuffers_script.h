/*
 * What the interop tests ask of a guest that speaks FlatBuffers, go_flatbuffers_guest: the message
 * type says what to do. Its script.go has the same numbers.
 *
 * Messages are those of message.fbs. A message's id says what else is in it:
 *
 *     bits 0 to 31    bytes of the payload, of which byte i is (i * 7 + how many); 0: no payload
 *     bits 32 to 47   blocks; block i has number i and checks id ^ i; 0: no blocks
 *     bits 48 to 55   to what the payload's first byte is aligned, up to 64; 0: to nothing
 *     bit 56          text: the id in decimal; else no text
 *
 * A u64 is little-endian. What cannot be done, or is not as it should be, ends in HANDLER.
 */
#ifndef SHMIPC_TESTS_FLATBUFFERS_SCRIPT_H
#define SHMIPC_TESTS_FLATBUFFERS_SCRIPT_H

#include "shmipc/shmipc.h"

enum flatbuffers_script {
    FB_ECHO = SHMIPC_TYPE_APPLICATION, /* a message: checks it; answers it, built anew in place */
    FB_BUILD,                          /* u64 id: answers that message, built in place */
    FB_CALL_HOST,   /* u64 id: calls the host with that message, built in place, type FB_HOST_ECHO;
                       checks the answer; answers a u64: 1 if the message has spilled, else 0 */
    FB_SIZE,        /* u64 id: answers how long that message is as Go builds it, a u64 */
    FB_CHECK,       /* a message: checks that it is byte for byte as Go builds it elsewhere */
    FB_MISUSE,      /* makes each mistake with a builder and a slot; checks the errors */
    FB_ALLOCATIONS, /* u64 id: calls the host often as FB_CALL_HOST does; answers the allocations of
                       one call, a u64 */
    FB_ALLOCATED,   /* answers the allocations of the process so far, a u64 */
};

/* What the host does for the guest. */
enum flatbuffers_host_script {
    FB_HOST_ECHO = SHMIPC_TYPE_APPLICATION, /* a message: answers one with the same id */
};

#define FB_BLOCKS(count) ((count) * (UINT64_C(1) << 32))
#define FB_ALIGNMENT(bytes) ((bytes) * (UINT64_C(1) << 48))
#define FB_TEXT (UINT64_C(1) << 56)

#endif
