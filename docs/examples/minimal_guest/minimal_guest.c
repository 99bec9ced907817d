/*
 * A guest of libshmipc without libshmipc: one file, written from docs/protocol.md alone, as a model
 * for guests in other languages. Names in [brackets] are sections of that document.
 *
 * It has one thread and never spins: with nothing to do it sleeps. Every atomic access is seq_cst;
 * the document says where a weaker order would do. Shared memory is input from other processes,
 * which may be faulty: this reads each word once, into a local variable, and checks it before use.
 * If a check fails, the guest ends at once. Its lock is then free, so others reclaim what it held.
 */
#define _GNU_SOURCE /* F_OFD_SETLK, MADV_DONTFORK */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* [Layout] The header, in u32 words. REQUESTS, RESPONSES: a buffer's offset, its capacity next. */
enum {
    TOTAL = 2,
    NONCE = 4,
    VERSION = 6,
    HOST_SLOTS,
    GUEST_SLOTS,
    STRIDE,
    REQUESTS,
    RESPONSES = 12
};
enum { RESERVED = 14, READY, HEADER_WORDS, LINES_AT = 64, SERVICES_AT = 1408, SLOTS_AT = 1536 };
/* Lines of 64 bytes: 16 peers, of which 0 is the host; then the eventcounts. */
enum { EPOCH = 0, STATUS = 4, PROCESS = 8, LEFT = 12, COUNTERS = 16, ANSWERS = 56, HOST = 0 };
enum status { VACANT, ATTACHED, LEAVING, CALLS_ONLY };
enum {
    HOST_REQUEST = 16,
    GUEST_REQUEST,
    HOST_FREE,
    GUEST_FREE,
    MEMBERS,
    LINES,
    SLEEPERS = 4,
    ARMED = 8
};
enum { WORD = 0, LENGTH = 8, TYPE = 12, INLINE = 16, INLINE_MOST = 112, BUFFER = 128 }; /* slot */
enum state { FREE, BUSY, REQUEST, WORKING, RESPONSE, CANCELLED }; /* [State machine] */
enum { STATE = 0xf, PARKED = 0x10, ERROR = 0x20, RECLAIMED = 0x40, ALIGN_END = 0x80, FLAGS = 0xf0 };
#define OWNER UINT64_C(0x0000ffff00000000)
#define SEQUENCE UINT64_C(0xffff0000ffffff00)
enum { NORMAL, HEARTBEAT, HEARTBEAT_REPLY, FLATBUFFER = 10, GUEST_CALL, APPLICATION = 128 };
enum { TOO_LARGE = 18, WRONG_TYPE = 19, SHUTDOWN = 28, FAILED = 29 }; /* [Messages] of errors */
/* This program's own: exit statuses, the type of requests that its handler refuses, limits. */
enum { NO_REGION = 2, HOST_LEFT, HOST_DIED, CORRUPT, REFUSED = 200, TRIES = 16, NOTHING = 16 };

typedef _Atomic uint32_t word32;
typedef _Atomic uint64_t word64;            /* a state word, at the beginning of its slot */
#define swap atomic_compare_exchange_strong /* in vain: it updates the expected word */

struct message {
    uint32_t type, error; /* error: ERROR or 0 */
    uint64_t length;
    const void *data;
};
static uint32_t header[HEADER_WORDS]; /* a private copy: checked once, it stays as it is */
static uint8_t *region;
static int file;      /* asks for the host's lock; the mapping holds this guest's own */
static uint32_t me;   /* this guest's index */
static uint64_t mark; /* this guest in the owner bits of a state word */
static volatile sig_atomic_t stop;

static void need(bool holds, int status, const char *otherwise) {
    if (!holds)
        errx(status, "%s", otherwise);
}
static word32 *at(uint32_t line, uint32_t offset) {
    return (void *)(region + LINES_AT + 64 * (size_t)line + offset);
}
static word64 *slot_at(uint32_t number) { /* host slots come first */
    return (void *)(region + SLOTS_AT + (size_t)header[STRIDE] * number);
}
static word32 *field(word64 *slot, uint32_t offset) { /* WORD: the low half of the state word */
    return (void *)((uint8_t *)slot + offset);
}

/* [Exchange header] What is wrong with a file of this size and header; NULL: nothing. */
static const char *judge(const uint32_t h[HEADER_WORDS], uint64_t size) {
    const uint64_t slots = (uint64_t)h[HOST_SLOTS] + h[GUEST_SLOTS], most = 1 << 30;
    const uint64_t requests = h[REQUESTS + 1], responses = h[RESPONSES + 1];
    const uint64_t total = h[TOTAL] | (uint64_t)h[TOTAL + 1] << 32;
    const bool begins = size >= 64 && memcmp(h, "SHMIPC\r\n", 8) == 0;
    const bool agrees = requests > 0 && requests % 64 == 0 && requests <= most && responses > 0 &&
                        responses % 64 == 0 && responses <= most && h[HOST_SLOTS] <= 4096 &&
                        h[GUEST_SLOTS] <= 4096 && slots > 0 && h[REQUESTS] == BUFFER &&
                        h[RESPONSES] == BUFFER + requests &&
                        h[STRIDE] == (BUFFER + requests + responses + 127) / 128 * 128 &&
                        total == SLOTS_AT + slots * h[STRIDE] && h[RESERVED] == 0;
    return !begins || h[READY] != 1 ? "it is no region, or not complete"
           : h[VERSION] != 6        ? "its protocol version is not 6"
           : !agrees                ? "its header contradicts itself"
           : size < total           ? "it is shorter than its header says"
                                    : NULL;
}

/* ---- [State machine]: each transition is one compare-and-swap of the whole word ---- */
static enum state state(uint64_t word) {
    return word & STATE;
}
static uint32_t next_epoch(uint32_t epoch) {
    return epoch == UINT32_MAX ? 1 : epoch + 1;
}
static uint64_t owner(uint32_t index, uint32_t epoch) {
    return (uint64_t)((epoch - 1) % 4095 + 1) << 36 | (uint64_t)index << 32;
}
/* The word after a transition. `sets`: flags, and an owner where there was none. The sequence lies
   on both sides of the owner; with all owner bits set, its carry passes through them. */
static uint64_t next(uint64_t word, enum state to, uint64_t sets) {
    const uint64_t counted = to == BUSY || to == REQUEST ? (word | OWNER) + 0x100 : word;
    return (counted & SEQUENCE) | (to == FREE ? 0 : word & OWNER) | sets | to;
}
/* Returns the slot's new state, and PARKED if the caller must be woken. The caller may park or give
   up meanwhile, so this tries again. A CANCELLED word belongs to the responder alone. */
static uint64_t respond(word64 *slot, uint64_t taken, uint64_t flags) {
    uint64_t word = taken;
    for (int i = 0; i < TRIES && (word | PARKED) == (taken | PARKED); i++) {
        if (swap(slot, &word, next(taken, RESPONSE, flags)))
            return RESPONSE | (word & PARKED);
    }
    need(word == next(taken, CANCELLED, 0), CORRUPT, "the word of a running request is impossible");
    atomic_exchange(slot, next(taken, FREE, 0));
    return FREE;
}
/* [Reclaiming] The same for a word whose owner is dead: in a guest slot, in a host slot. */
static uint64_t reclaim(word64 *slot, uint64_t word, bool host_slot) {
    static const enum state settled[2][6] = {{FREE, FREE, FREE, CANCELLED, FREE, CANCELLED},
                                             {FREE, BUSY, REQUEST, RESPONSE, RESPONSE, FREE}};
    const enum state from = state(word), to = from > CANCELLED ? from : settled[host_slot][from];
    if (from == to || !swap(slot, &word, next(word, to, to == RESPONSE ? RECLAIMED : 0)))
        return NOTHING; /* nothing to do, or the word has changed */
    return to == RESPONSE ? RESPONSE | (word & PARKED) : to;
}

/* ---- [Waiting] ---- */
enum { FUTEX_WAKE = 1, FUTEX_WAIT_BITSET = 9, ALL = INT32_MAX, TICK_NS = 100000000 };
/* Sleeps while the word has this value, 100 ms at most. The kernel compares and sleeps in one step:
   a peer that changes the word, then wakes, either finds this thread asleep or keeps it awake. */
static void sleep_while(word32 *word, uint32_t value) {
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (until.tv_nsec + TICK_NS) / 1000000000;
    until.tv_nsec = (until.tv_nsec + TICK_NS) % 1000000000;
    (void)syscall(SYS_futex, word, FUTEX_WAIT_BITSET, value, &until, NULL, 1u << me);
}
static void wake(word32 *word, int sleepers) {
    (void)syscall(SYS_futex, word, FUTEX_WAKE, sleepers, NULL, NULL, 0);
}
/* [Descriptors] Peers that watch a descriptor instead of sleeping. The peer that clears
   a bit makes that descriptor readable. */
static void signal_armed(word32 *armed, uint32_t shift) {
    char path[64];
    struct stat is;
    for (uint32_t peer = 0; peer < 16; peer++) {
        const uint32_t bit = 1u << (peer + shift);
        if ((atomic_load(armed) & bit) == 0 || (atomic_fetch_and(armed, ~bit) & bit) == 0)
            continue;
        (void)snprintf(path, sizeof path, "/dev/shm/shmipc-%08x%08x-ready-%u", header[NONCE + 1],
                       header[NONCE], peer);
        const int fd = open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, &is) == 0 && S_ISFIFO(is.st_mode) && is.st_nlink == 1)
            (void)!write(fd, "", 1); /* if it is full, it is readable already */
        (void)close(fd);
    }
}
/* Sleepers set their bit, then look. So this reads the bits after the change that it tells of. */
static void notify(word32 *eventcount, uint32_t by, int sleepers) {
    const bool answers = eventcount == at(HOST, ANSWERS);
    if ((atomic_load(eventcount + 1) & 0xffff) == 0)
        return;
    atomic_fetch_add(eventcount, by);
    signal_armed(eventcount + (answers ? 1 : 2), answers ? 16 : 0);
    wake(eventcount, sleepers);
}
/* Announces a slot's new state. The host sleeps on the word, or for several answers. */
static void tell(uint32_t number, uint64_t became) {
    if (became == (RESPONSE | PARKED)) {
        wake(field(slot_at(number), WORD), ALL);
        notify(at(HOST, ANSWERS), 1, ALL);
    } else if (became == FREE) {
        notify(at(number < header[HOST_SLOTS] ? HOST_FREE : GUEST_FREE, 0), 1, 1);
    }
}
static bool is_named(uint64_t word) {
    return (word >> 32 & 0xf) != 0 && (word >> 36 & 0xfff) != 0;
}
/* A request in a host slot may be addressed to one guest, by the owner bits. */
static bool is_for_me(uint64_t word) {
    return state(word) == REQUEST && ((word & OWNER) == mark || !is_named(word));
}
/* The next slot after *number, in turn: a host slot in REQUEST, or a guest slot in FREE. */
static bool find(int kind, uint32_t *number) {
    const uint32_t first = kind == HOST_SLOTS ? 0 : header[HOST_SLOTS], before = *number;
    for (uint32_t i = 1; i <= header[kind]; i++) {
        *number = first + (before + i) % header[kind];
        const uint64_t word = atomic_load(slot_at(*number));
        if (kind == HOST_SLOTS ? is_for_me(word) : state(word) == FREE)
            return true;
    }
    return false;
}
/* Sleeps until there is one. The order matters: read the eventcount, set the bit, look, sleep. A
   change before the look is seen; a peer that makes a later change sees the bit, and notifies. */
static void sleep_for(int kind) {
    word32 *eventcount = at(kind == HOST_SLOTS ? HOST_REQUEST : GUEST_FREE, 0);
    const uint32_t generation = atomic_load(eventcount);
    atomic_fetch_or(eventcount + 1, 1u << me);
    if (!find(kind, &(uint32_t){0}))
        sleep_while(eventcount, generation);
    atomic_fetch_and(eventcount + 1, ~(1u << me));
}

/* ---- [Liveness] ---- */
static bool lock(int fd, int command, uint32_t index) {
    struct flock lock = {.l_type = F_WRLCK, .l_start = (INT64_C(1) << 62) + index, .l_len = 1};
    return fcntl(fd, command, &lock) == 0 && (command == F_OFD_SETLK || lock.l_type == F_UNLCK);
}
/* False: it leaves, or has left. Called before every sleep, so a death is found within 100 ms. */
static bool host_stays(int fd) {
    struct stat is = {.st_nlink = 1};
    const bool dead = lock(fd, F_OFD_GETLK, HOST) || (fstat(fd, &is), is.st_nlink == 0);
    const uint32_t status = atomic_load(at(HOST, STATUS));
    need(!dead || status == VACANT, HOST_DIED, "the host has died");
    return status == ATTACHED;
}

/* ---- [Messages] ---- */
static void *place(word64 *slot, int buffer, uint64_t length, uint64_t flags) {
    const bool fits = length <= INLINE_MOST;
    const uint64_t begin = fits ? INLINE : header[buffer];
    const uint64_t end = !fits ? begin + header[buffer + 1] : length <= 48 ? 64 : BUFFER;
    return (uint8_t *)slot + ((flags & ALIGN_END) != 0 ? end - length : begin);
}
static bool is_allowed(uint32_t error, uint32_t type) {
    if (error != 0)
        return type == TOO_LARGE || type == WRONG_TYPE || type == SHUTDOWN || type == FAILED;
    return type == NORMAL || type == FLATBUFFER || type == GUEST_CALL || type >= APPLICATION;
}
static struct message failure(uint32_t type, const char *text) {
    return (struct message){type, ERROR, strlen(text), text};
}
/* The data stay where others may change them: a handler that checks them must copy them first. */
static struct message receive(word64 *slot, int buffer, uint64_t word) {
    const uint32_t length = atomic_load(field(slot, LENGTH)), type = atomic_load(field(slot, TYPE));
    need(length <= header[buffer + 1], CORRUPT, "a message exceeds its buffer");
    return (struct message){type, word & ERROR, length, place(slot, buffer, length, word)};
}
/* Writes all but the word, and returns the word's flags. The data may lie in the same slot. */
static uint64_t put(word64 *slot, int buffer, struct message m) {
    const bool at_end = m.length > 0 && m.length <= INLINE_MOST && m.length % 32 == 0;
    const uint64_t flags = m.error | (at_end ? ALIGN_END : 0u);
    memmove(place(slot, buffer, m.length, flags), m.data, m.length);
    atomic_store(field(slot, LENGTH), (uint32_t)m.length);
    atomic_store(field(slot, TYPE), m.type);
    return flags;
}

/* ---- Calling the host: claim, send, sleep, receive, release ---- */
/* Waits for the answer. A guest that is to stop gives up: a FREE request never ran, a CANCELLED one
   may. It notifies of a request that nobody takes, since a peer that polls may be busy or dead. */
static uint64_t await(word64 *slot, uint64_t request, uint64_t *word) {
    for (int vain = 0;;) {
        *word = atomic_load(slot);
        const uint64_t parked = *word | PARKED, strange = (*word ^ request) & (SEQUENCE | OWNER);
        const bool waits = parked == (request | PARKED), runs = state(*word) == WORKING;
        const bool possible = waits || runs || state(*word) == RESPONSE;
        need(possible && strange == 0 && vain < TRIES, CORRUPT, "a call's word is impossible");
        if (state(*word) == RESPONSE)
            return RESPONSE;
        if (stop && swap(slot, word, next(*word, runs ? CANCELLED : FREE, 0)))
            return runs ? CANCELLED : FREE;
        if (stop || !swap(slot, word, parked)) {
            vain++; /* the host was faster, which happens twice at most */
            continue;
        }
        need(host_stays(file) || !lock(file, F_OFD_GETLK, HOST), HOST_DIED, "the host has died");
        if (waits)
            notify(at(GUEST_REQUEST, 0), 1, 1);
        sleep_while(field(slot, WORD), (uint32_t)parked);
    }
}
/* Copies the answer to `into`, which has room for the largest. */
static struct message call(struct message m, void *into) {
    uint32_t number = 0;
    uint64_t word = 0;
    need(into != NULL && m.length <= header[REQUESTS + 1], 1, "the request is too long");
    do {
        if (stop || header[GUEST_SLOTS] == 0 || !host_stays(file))
            return failure(FAILED, "the host takes no calls");
        if (!find(GUEST_SLOTS, &number))
            sleep_for(GUEST_SLOTS);
        word = atomic_load(slot_at(number));
        need(state(word) != FREE || (word & ~SEQUENCE) == 0, CORRUPT, "a free word is impossible");
    } while (state(word) != FREE || !swap(slot_at(number), &word, next(word, BUSY, mark)));
    word64 *slot = slot_at(number);
    word = next(word, BUSY, mark);
    const uint64_t request = next(word, REQUEST, put(slot, REQUESTS, m));
    need(swap(slot, &word, request), CORRUPT, "the word of a claimed slot has changed");
    const uint64_t became = await(slot, request, &word);
    tell(number, became);
    if (became != RESPONSE)
        return failure(FAILED, became == FREE ? "stopped unstarted" : "stopped when started");
    m = word & RECLAIMED ? failure(FAILED, "the host has left") : receive(slot, RESPONSES, word);
    need(is_allowed(m.error, m.type), CORRUPT, "the type of an answer is not allowed");
    m.data = memcpy(into, m.data, m.length);
    need(swap(slot, &word, next(word, FREE, 0)), CORRUPT, "the word of an answer has changed");
    tell(number, FREE);
    return m;
}

/* ---- Serving ---- */
/* The handler: put your own here. `buffer` has room for the largest answer. */
static struct message handle(struct message m, void *buffer) {
    if (m.type == GUEST_CALL)
        return call(m, buffer);
    m.error = m.type == REFUSED ? ERROR : 0;
    return m; /* an echo */
}
static struct message answer(struct message m, void *buffer) {
    const uint64_t most = header[RESPONSES + 1];
    if (m.type == HEARTBEAT)
        return (struct message){HEARTBEAT_REPLY, 0, 0, ""};
    if (!is_allowed(0, m.type))
        return failure(WRONG_TYPE, "");
    m = handle(m, buffer);
    if (m.error != 0)
        return (struct message){FAILED, ERROR, m.length < most ? m.length : most, m.data};
    if (m.length <= most)
        return m;
    memcpy(buffer, &(uint64_t[2]){m.length, most}, 16);
    return (struct message){TOO_LARGE, ERROR, 16, buffer};
}
/* Serves until a signal, or until the host leaves and no request waits. */
static void serve(void) {
    uint32_t number = 0;
    bool woken = false;
    while (!stop) {
        const bool stays = host_stays(file), found = find(HOST_SLOTS, &number);
        word64 *slot = slot_at(number);
        uint64_t word = atomic_load(slot), strange = word & (ERROR | RECLAIMED);
        const uint64_t taken = next(word, WORKING, mark | (word & FLAGS));
        if (!found && !stays)
            return;
        if (!found)
            sleep_for(HOST_SLOTS);
        const bool possible = strange == 0 && ((word & OWNER) == 0 || is_named(word));
        need(!found || !is_for_me(word) || possible, CORRUPT, "a word is impossible");
        if (found && is_for_me(word) && swap(slot, &word, taken)) {
            if (woken && find(HOST_SLOTS, &(uint32_t){number}))
                notify(at(HOST_REQUEST, 0), 2, 1); /* the wake may have been for that one */
            struct message m = receive(slot, REQUESTS, word);
            m = answer(m, (uint8_t *)slot + header[RESPONSES]);
            tell(number, respond(slot, taken, put(slot, RESPONSES, m)));
            woken = false;
        }
        woken = woken || !found;
    }
}

/* ---- [The region's file], [Reclaiming]: attach and leave ---- */
static void announce(enum status status) {
    atomic_store(at(me, STATUS), status);
    atomic_fetch_add(at(MEMBERS, 0), 1); /* sleepers set no bits here */
    signal_armed(at(MEMBERS, ARMED), 0);
    wake(at(MEMBERS, 0), ALL);
}
static void attach(const char *name, enum status status) {
    char path[256];
    struct stat was, is;
    need(strlen(name) <= 200 && strchr(name, '/') == NULL, NO_REGION, "no region has such a name");
    (void)snprintf(path, sizeof path, "/dev/shm/shmipc.%s", name);
    const int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC, first = open(path, flags);
    need(first >= 0 && fstat(first, &was) == 0, NO_REGION, "there is no region of this name");
    need(S_ISREG(was.st_mode) && was.st_uid == geteuid() && (was.st_mode & 07177) == 0, NO_REGION,
         "the region is of another user, or not of mode 0600");
    const bool whole = pread(first, header, sizeof header, 0) == sizeof header;
    const char *wrong = judge(header, whole ? (uint64_t)was.st_size : 0);
    need(wrong == NULL, NO_REGION, wrong);
    const size_t size = header[TOTAL] | (size_t)header[TOTAL + 1] << 32;
    region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, first, 0);
    need(region != MAP_FAILED && madvise(region, size, MADV_DONTFORK) == 0, NO_REGION, "no memory");
    uint32_t tries = 0; /* three rounds: a host takes a dead guest's lock for a moment */
    while (tries < 45 && !lock(first, F_OFD_SETLK, me = tries % 15 + 1))
        tries++;
    need(tries < 45, NO_REGION, "the region has 15 guests already");
    need(host_stays(first), NO_REGION, "the host is leaving");
    file = open(path, flags); /* the mapping keeps the first opening, and so the lock */
    need(fstat(file, &is) == 0 && is.st_dev == was.st_dev && is.st_ino == was.st_ino, NO_REGION,
         "the host is gone");
    (void)close(first);
    const uint32_t slots = header[HOST_SLOTS] + header[GUEST_SLOTS];
    for (uint32_t n = 0; n < 3 * slots; n++) { /* a live host may change a word twice meanwhile */
        const uint64_t word = atomic_load(slot_at(n % slots));
        if ((word >> 32 & 0xf) == me)
            tell(n % slots, reclaim(slot_at(n % slots), word, n % slots < header[HOST_SLOTS]));
    }
    for (uint32_t eventcount = HOST_REQUEST; eventcount < LINES; eventcount++) {
        atomic_fetch_and(at(eventcount, SLEEPERS), ~(0x10001u << me));
        atomic_fetch_and(at(eventcount, ARMED), ~(1u << me));
    }
    atomic_store(at(me, ANSWERS + SLEEPERS), 0);
    notify(at(HOST_REQUEST, 0), 1, ALL); /* the dead may have been woken for a request that waits */
    if (atomic_load(at(me, STATUS)) != VACANT)
        atomic_store(at(me, LEFT), 0); /* the last owner died */
    const uint32_t epoch = next_epoch(atomic_load(at(me, EPOCH)));
    mark = owner(me, epoch);
    atomic_store(at(me, EPOCH), epoch);
    atomic_store(at(me, PROCESS), (uint32_t)getpid());
    for (uint32_t i = COUNTERS; i < ANSWERS; i += 4) /* and the origin: 0, unknown */
        atomic_store(at(me, i), 0);
    atomic_store((word64 *)(void *)(region + SERVICES_AT) + me, 0); /* nothing in particular */
    announce(status);
}

static void on_signal(int number) {
    stop = number; /* at worst a sleep of 100 ms begins before the flag is read again */
}
int main(int argc, char **argv) {
    struct message m = {0};
    need(argc == 2 || argc == 3, 1, "minimal_guest NAME: serves; minimal_guest NAME TEXT: calls");
    (void)sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, NULL);
    attach(argv[1], argc == 2 ? ATTACHED : CALLS_ONLY);
    void *room = malloc(header[RESPONSES + 1]);
    if (argc == 2)
        serve();
    else
        m = call((struct message){NORMAL, 0, strlen(argv[2]), argv[2]}, room);
    announce(LEAVING); /* [Leave]; a request may wait that only this guest was woken for */
    notify(at(HOST_REQUEST, 0), 1, ALL);
    atomic_store(at(me, LEFT), atomic_load(at(me, EPOCH)));
    announce(VACANT);
    need(argc == 3 || stop != 0, HOST_LEFT, "the host has left");
    if (argc == 3)
        printf("%.*s\n", (int)m.length, (const char *)m.data);
    free(room);
    return m.error != 0;
}
