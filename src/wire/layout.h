/*
 * The region's bytes: every structure, offset and constant of docs/protocol.md, section Layout.
 * Pure: no state, no system call.
 */
#ifndef SHMIPC_LAYOUT_H
#define SHMIPC_LAYOUT_H

#include "base/atomic.h"

#include <stddef.h>

/* A 32-bit off_t would truncate the locks' offsets: a guest with one would hold no lock, and be
   taken for dead. */
_Static_assert(sizeof(void *) == 8, "libshmipc needs a 64-bit system");

enum {
    PROTOCOL_VERSION = 6,
    CACHE_LINE = 64,
    PEERS = 16,      /* the host and 15 guests */
    NO_PEER = PEERS, /* no peer's index */
    HOST = 0,
    INLINE_SIZE = 112,
    FIRST_LINE_SIZE = 48, /* of INLINE_SIZE, in the line of the state word */
    SLOTS_OFFSET = 1536,
    REQUEST_OFFSET = 128,
    READY = 1,
};

/* Where a message lies: in the slot's first line, in both of its lines, or in a buffer. */
enum reach { REACHES_FIRST_LINE, REACHES_SECOND_LINE, REACHES_BUFFER };

static inline enum reach reach_of(size_t length) {
    return (enum reach)((length > FIRST_LINE_SIZE) + (length > INLINE_SIZE));
}

/* The time that the other side needs for a message in a buffer depends on the message: a wait
   learns nothing for the next message, and does not hold off. */
static inline bool reach_is_foreseeable(enum reach reach) {
    return reach != REACHES_BUFFER;
}

#define MAGIC UINT64_C(0x0a0d4350494d4853) /* "SHMIPC\r\n" in memory */

struct header {
    uint64_t magic;
    uint64_t total_size;
    uint64_t nonce;
    uint32_t version;
    uint32_t host_slots;
    uint32_t guest_slots;
    uint32_t slot_stride;
    uint32_t request_offset;
    uint32_t request_capacity;
    uint32_t response_offset;
    uint32_t response_capacity;
    uint32_t reserved;
    atomic_u32 ready;
};

/* PEER_CALLS_ONLY: a guest that is attached, and does not serve. */
enum peer_status { PEER_VACANT = 0, PEER_ATTACHED = 1, PEER_LEAVING = 2, PEER_CALLS_ONLY = 3 };

/* An eventcount: the generation, on which threads sleep; and the set of the peers that sleep. The
   upper half has those that poll; in an eventcount for answers, where nobody polls, those whose
   descriptor is armed. */
enum { POLLERS_SHIFT = 16, ARMED_SHIFT = 16, ALL_PEERS = (1 << PEERS) - 1 };
_Static_assert((int)POLLERS_SHIFT == (int)PEERS && (int)ARMED_SHIFT == (int)PEERS,
               "a set has a bit for each peer");

struct eventcount {
    atomic_u32 generation;
    atomic_u32 sleepers;
};

struct peer_record {
    atomic_u32 epoch; /* counts the attaches; see epoch_in_word */
    atomic_u32 status;
    atomic_u32 pid;
    atomic_u32 left; /* the last epoch that left gracefully */
    atomic_u64 served;
    atomic_u64 discarded;
    atomic_u64 calls;
    atomic_u64 failed;
    atomic_u64 origin; /* shmi_process_origin of its process */
    struct eventcount answers;
};

enum eventcount_name {
    EVENTCOUNT_HOST_REQUEST = 0,
    EVENTCOUNT_GUEST_REQUEST = 1,
    EVENTCOUNT_HOST_FREE = 2,
    EVENTCOUNT_GUEST_FREE = 3,
    EVENTCOUNT_MEMBERS = 4,
    EVENTCOUNTS = 5,
};

struct eventcount_line {
    struct eventcount eventcount;
    atomic_u32 armed; /* the set of the peers whose descriptor is to be signalled */
    uint8_t reserved[52];
};

/* A slot's first 128 bytes. A call with small messages touches only the first line, a call with
   inline messages only these two. */
struct slot {
    _Alignas(CACHE_LINE) atomic_u64 word;
    atomic_u32 length;
    atomic_u32 type;
    _Alignas(16) uint8_t payload[INLINE_SIZE];
};

struct region_layout {
    struct header header;
    struct peer_record peers[PEERS];
    struct eventcount_line eventcounts[EVENTCOUNTS];
    atomic_u64 services[PEERS]; /* what each guest says that it serves; 0: nothing */
};

_Static_assert(sizeof(struct header) == 64, "header");
_Static_assert(offsetof(struct header, total_size) == 8, "header.total_size");
_Static_assert(offsetof(struct header, nonce) == 16, "header.nonce");
_Static_assert(offsetof(struct header, version) == 24, "header.version");
_Static_assert(offsetof(struct header, host_slots) == 28, "header.host_slots");
_Static_assert(offsetof(struct header, guest_slots) == 32, "header.guest_slots");
_Static_assert(offsetof(struct header, slot_stride) == 36, "header.slot_stride");
_Static_assert(offsetof(struct header, request_offset) == 40, "header.request_offset");
_Static_assert(offsetof(struct header, request_capacity) == 44, "header.request_capacity");
_Static_assert(offsetof(struct header, response_offset) == 48, "header.response_offset");
_Static_assert(offsetof(struct header, response_capacity) == 52, "header.response_capacity");
_Static_assert(offsetof(struct header, ready) == 60, "header.ready");
_Static_assert(sizeof(struct peer_record) == CACHE_LINE, "peer_record");
_Static_assert(offsetof(struct peer_record, served) == 16, "peer_record.served");
_Static_assert(offsetof(struct peer_record, failed) == 40, "peer_record.failed");
_Static_assert(offsetof(struct peer_record, answers) == 56, "peer_record.answers");
_Static_assert(sizeof(struct eventcount_line) == CACHE_LINE, "eventcount_line");
_Static_assert(offsetof(struct eventcount_line, armed) == 8, "eventcount_line.armed");
_Static_assert(offsetof(struct slot, length) == 8, "slot.length");
_Static_assert(offsetof(struct slot, type) == 12, "slot.type");
_Static_assert(offsetof(struct slot, payload) == 16, "slot.payload");
_Static_assert(sizeof(struct slot) == REQUEST_OFFSET, "slot");
_Static_assert(offsetof(struct region_layout, peers) == 64, "peers");
_Static_assert(offsetof(struct region_layout, eventcounts) == 1088, "eventcounts");
_Static_assert(offsetof(struct region_layout, services) == 1408, "services");
_Static_assert(sizeof(struct region_layout) == SLOTS_OFFSET, "slots");

/* A region's four settings, the sizes that follow from them, and its nonce. A private copy is made
   and checked once, at attach; the shared header is not read again. */
struct geometry {
    uint32_t host_slots;
    uint32_t guest_slots;
    uint32_t request_capacity;
    uint32_t response_capacity;
    uint32_t response_offset;
    uint32_t slot_stride;
    uint64_t total_size;
    uint64_t nonce; /* random: tells the region, and what is named after it, from all others */
};

/* Rounds the capacities up to whole lines, so that both ends of each buffer lie on line boundaries,
   and computes the other sizes from the four settings. False if a setting is outside its range. */
bool shmi_geometry_compute(struct geometry *geometry);

/* Writes everything but `ready`. */
void shmi_header_write(struct header *header, const struct geometry *geometry);

enum header_verdict {
    HEADER_GOOD,
    HEADER_NOT_A_REGION,
    HEADER_BYTE_ORDER,
    HEADER_NOT_READY,
    HEADER_VERSION,
    HEADER_CORRUPT,
};

/* Checks a private copy of a header, into which the caller has read `ready`, and stores its
   geometry. */
enum header_verdict shmi_header_read(const struct header *copy, struct geometry *geometry);

#endif
