#define _GNU_SOURCE
#include "sender.h"

#include "latency.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SENDERS = 4 };

#ifdef _WIN32
#define READ_FLAGS (O_RDONLY | O_BINARY | O_NOINHERIT)
#else
#define READ_FLAGS (O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
#endif

struct sending {
    shmipc_peer *host;
    struct tree *tree;
    uint64_t deadline;
    atomic_size_t next;
    atomic_bool failed;
};

/* ---- One file -------------------------------------------------------------------------------- */

/* A message is built where it will be read: in the buffer of a slot this thread keeps. */
struct sender {
    struct sending *sending;
    shmipc_slot slot;
    shmipc_response answer;
};

static size_t room_for_bytes(shmipc_slot slot) {
    size_t capacity;
    return shmipc_slot_buffer(slot, &capacity) ? capacity - sizeof(struct file_header) : 0;
}

static int send_message(struct sender *s, enum message_type type, size_t id, size_t bytes) {
    struct file_header header = {.id = id};
    void *buffer = shmipc_slot_buffer(s->slot, NULL);
    if (!buffer)
        return SHMIPC_E_STALE;
    memcpy(buffer, &header, sizeof header);
    int error = shmipc_slot_send(s->slot, type, sizeof header + bytes, 0);
    return error ? error : shmipc_slot_receive(s->slot, SHMIPC_TIMEOUT_DEFAULT, &s->answer);
}

/* Reads the file's next bytes into the slot's buffer, as many as it takes; -1 if that fails. */
static ssize_t read_into_slot(struct sender *s, int descriptor) {
    size_t room = room_for_bytes(s->slot), got = 0;
    char *buffer = shmipc_slot_buffer(s->slot, NULL);
    while (got < room) {
        ssize_t n =
            read(descriptor, buffer + sizeof(struct file_header) + got, (unsigned)(room - got));
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static int keep_digest(struct sender *s, struct file *file) {
    if (s->answer.length != sizeof file->digest)
        return SHMIPC_E_TOO_LARGE;
    memcpy(&file->digest, s->answer.data, sizeof file->digest);
    file->status = FILE_ANSWERED;
    return 0;
}

static int send_whole(struct sender *s, struct file *file, size_t id, int descriptor) {
    ssize_t n = read_into_slot(s, descriptor);
    if (n < 0) {
        file->status = FILE_UNREADABLE;
        return 0;
    }
    file->bytes = (uint64_t)n;
    int error = send_message(s, MESSAGE_FILE, id, (size_t)n);
    return error ? error : keep_digest(s, file);
}

static int send_pieces(struct sender *s, struct file *file, size_t id, int descriptor) {
    int error = send_message(s, MESSAGE_BEGIN, id, 0);
    ssize_t n = 0;
    while (!error && (n = read_into_slot(s, descriptor)) > 0) {
        file->bytes += (uint64_t)n;
        error = send_message(s, MESSAGE_PIECE, id, (size_t)n);
    }
    if (!error && n < 0) {
        file->status = FILE_UNREADABLE;
        return 0;
    }
    if (!error)
        error = send_message(s, MESSAGE_END, id, 0);
    return error ? error : keep_digest(s, file);
}

static int send_file(struct sender *s, struct file *file, size_t id) {
    int descriptor = open(file->path, READ_FLAGS);
    if (descriptor < 0) {
        file->status = FILE_UNREADABLE;
        return 0;
    }
    int error = 0;
    if (fstat(descriptor, &file->opened) != 0)
        file->status = FILE_UNREADABLE;
    else if ((uint64_t)file->opened.st_size <= room_for_bytes(s->slot))
        error = send_whole(s, file, id, descriptor);
    else
        error = send_pieces(s, file, id, descriptor);
    close(descriptor);
    return error;
}

/* ---- All files ------------------------------------------------------------------------------- */

static void *run_sender(void *context) {
    struct sending *all = context;
    struct tree *tree = all->tree;
    struct sender s = {.sending = all};
    size_t id = 0;
    int error = shmipc_slot_claim(all->host, SHMIPC_TIMEOUT_DEFAULT, &s.slot);
    while (!error && !all->failed && now_ns() < all->deadline && (id = all->next++) < tree->count)
        error = send_file(&s, &tree->files[id], id);
    if (error) {
        const char *path = id < tree->count ? tree->files[id].path : "";
        fprintf(stderr, "demo: %s: %s\n", path, shmipc_strerror(error));
        fprintf(stderr, "demo: %s\n", shmipc_last_error());
        all->failed = true;
    }
    shmipc_slot_release(s.slot); /* refused if the call that failed released it */
    return NULL;
}

static void run_senders(struct sending *all) {
    pthread_t threads[SENDERS];
    int started = 0;
    while (started < SENDERS && pthread_create(&threads[started], NULL, run_sender, all) == 0)
        started++;
    if (started == 0)
        run_sender(all);
    while (started > 0)
        pthread_join(threads[--started], NULL);
}

/* ---- Progress -------------------------------------------------------------------------------- */

struct listener {
    shmipc_peer *host;
    struct reports *reports;
};

/* Guests may overtake each other's reports: the largest is the latest. */
static int hear(void *context, const shmipc_request *request, shmipc_response *response) {
    struct reports *reports = context;
    struct progress progress;
    if (request->type != MESSAGE_PROGRESS || request->length != sizeof progress)
        return shmipc_fail(response, "type %u is no report of progress", request->type);
    memcpy(&progress, request->data, sizeof progress);
    reports->calls++;
    if (progress.files > reports->latest.files)
        reports->latest = progress;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%llu files ", (unsigned long long)reports->latest.files);
    return 0;
}

static void *listen(void *context) {
    struct listener *l = context;
    shmipc_serve(l->host, hear, l->reports);
    return NULL;
}

static bool is_told_all(const struct tree *tree, const struct progress *told) {
    struct progress sent = {0};
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->files[i].status != FILE_ANSWERED)
            continue;
        sent.files++;
        sent.bytes += tree->files[i].bytes;
    }
    if (sent.files == told->files && sent.bytes == told->bytes)
        return true;
    fprintf(stderr, "demo: sent %llu files, but the guest reported %llu\n",
            (unsigned long long)sent.files, (unsigned long long)told->files);
    return false;
}

bool send_files(shmipc_peer *host, struct tree *tree, int seconds, struct reports *reports) {
    struct sending all = {.host = host, .tree = tree};
    struct listener listener = {host, reports};
    pthread_t thread;
    if (pthread_create(&thread, NULL, listen, &listener) != 0) {
        fprintf(stderr, "demo: cannot start a thread\n");
        return false;
    }
    all.deadline = now_ns() + (uint64_t)seconds * NS_PER_S;
    run_senders(&all);
    shmipc_wake(host);
    pthread_join(thread, NULL);
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
    return !all.failed && is_told_all(tree, &reports->latest);
}
