/* A guest of many hosts, in one thread, which waits in an epoll instance and nowhere else: it
   attaches to every host whose name begins with a prefix, and answers each in capitals. */
#include <ctype.h>
#include <errno.h>
#include <shmipc/shmipc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { ROUNDS = 4, EVENTS = 16, RETRY_S = 1 };

/* What the loop watches: a host, or the finder, the timer, or the signal. */
struct watched {
    struct watched *next;
    shmipc_peer *guest; /* NULL: no host */
    char name[SHMIPC_NAME_MAX + 1];
};

static int loop, timer;
static struct watched *hosts, *refused; /* refused: to be tried again when the timer is over */
static struct watched interrupt, finding, retrying;
static shmipc_finder *finder;

static int watch(int fd, struct watched *watched) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watched};
    return epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
}

static int answer(void *context, const shmipc_request *request, shmipc_response *response) {
    const char *from = request->data;
    char *to = response->data;
    (void)context;
    response->length = request->length < response->capacity ? request->length : response->capacity;
    for (size_t i = 0; i < response->length; i++)
        to[i] = (char)toupper((unsigned char)from[i]);
    return 0;
}

/* ---- A host ---- */

/* The loop lets go of the descriptor before the guest is freed. */
static void leave(struct watched *host) {
    shmipc_fd fd;
    struct watched **link = &hosts;
    while (*link != host)
        link = &(*link)->next;
    *link = host->next;
    if (shmipc_get_fd(host->guest, &fd) == SHMIPC_OK)
        epoll_ctl(loop, EPOLL_CTL_DEL, fd, NULL);
    shmipc_free(host->guest);
    free(host);
}

/* Answers what is there, and arms the descriptor for what is not; but not for ever: there are other
   hosts. Then the descriptor is readable, and the loop comes back. */
static void serve(struct watched *host) {
    int there = 1;
    for (int round = 0; there == 1 && round < ROUNDS; round++) {
        there = shmipc_poll(host->guest, answer, NULL);
        if (there >= 0)
            there = shmipc_arm(host->guest, SHMIPC_ARM_REQUESTS, NULL, 0);
    }
    if (there >= 0)
        return;
    printf("%s: %s\n", host->name, shmipc_strerror(there)); /* it has left, or has died */
    leave(host);
}

/* Without waiting: its host has just been seen. */
static int attach(struct watched *host) {
    shmipc_fd fd;
    int error = shmipc_guest_attach(host->name, NULL, 0, &host->guest);
    if (error)
        return error;
    error = shmipc_get_fd(host->guest, &fd);
    if (!error && watch(fd, host) != 0)
        error = SHMIPC_E_SYSTEM;
    if (error)
        shmipc_free(host->guest);
    return error;
}

static void put(struct watched *host, struct watched **list) {
    host->next = *list;
    *list = host;
}

/* 0: never. */
static int set_timer(int seconds) {
    return timerfd_settime(timer, 0, &(struct itimerspec){.it_value.tv_sec = seconds}, NULL);
}

/* Returns what `attach` does. The finder does not tell this host's name again, so what may pass,
   such as FULL, is tried again until the host has gone. */
static int meet(struct watched *host) {
    int error = attach(host);
    if (error == SHMIPC_E_NOT_FOUND) {
        free(host);
    } else if (error) {
        put(host, &refused);
        set_timer(RETRY_S);
    } else {
        put(host, &hosts);
        printf("%s: attached\n", host->name);
        serve(host);
    }
    return error;
}

static int is_refused(const char *name) {
    const struct watched *host = refused;
    while (host != NULL && strcmp(host->name, name) != 0)
        host = host->next;
    return host != NULL;
}

static void meet_new(const char *name) {
    struct watched *host = is_refused(name) ? NULL : calloc(1, sizeof *host);
    if (host == NULL)
        return;
    snprintf(host->name, sizeof host->name, "%s", name);
    if (meet(host))
        fprintf(stderr, "%s: %s\n", name, shmipc_last_error());
}

/* ---- All hosts ---- */

static int find(void) {
    char name[SHMIPC_NAME_MAX + 1];
    int found;
    while ((found = shmipc_finder_next(finder, name, sizeof name)) == 1)
        meet_new(name);
    if (found < 0)
        fprintf(stderr, "%s\n", shmipc_last_error());
    return found == SHMIPC_E_SYSTEM ? found : 0; /* all others may pass: it is tried again */
}

/* New hosts first: one may have the name of one that was refused, and is met once. */
static int retry(void) {
    int error = find();
    struct watched *next, *host = refused;
    refused = NULL;
    set_timer(0);
    for (; host != NULL; host = next) {
        next = host->next;
        meet(host);
    }
    return error;
}

/* Returns 1 if the program was interrupted. */
static int look(struct watched *watched) {
    if (watched == &interrupt)
        return 1;
    if (watched == &finding)
        return find();
    if (watched == &retrying)
        return retry();
    serve(watched);
    return 0;
}

static int run(void) {
    struct epoll_event events[EVENTS];
    int result = 0;
    while (result == 0) {
        int count = epoll_wait(loop, events, EVENTS, -1);
        if (count < 0 && errno != EINTR)
            return SHMIPC_E_SYSTEM;
        for (int i = 0; i < count && result == 0; i++)
            result = look(events[i].data.ptr);
    }
    return result;
}

/* ---- Beginning and end ---- */

static int open_signal(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static int start(const char *prefix) {
    shmipc_fd fd;
    int error = shmipc_finder_create(prefix, &finder);
    if (!error)
        error = shmipc_finder_get_fd(finder, &fd);
    if (error) {
        fprintf(stderr, "%s\n", shmipc_last_error());
        return error;
    }
    loop = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    int signal = open_signal();
    if (loop < 0 || timer < 0 || signal < 0 || watch(signal, &interrupt) != 0 ||
        watch(timer, &retrying) != 0 || watch(fd, &finding) != 0) {
        perror("the loop");
        return SHMIPC_E_SYSTEM;
    }
    printf("press Ctrl-C to end\n");
    return 0;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    int result = start(argc > 1 ? argv[1] : "many_hosts.");
    if (result == 0)
        result = run();
    while (hosts != NULL)
        leave(hosts);
    if (loop > 0)
        close(loop);
    shmipc_finder_free(finder);
    return result == 1 ? 0 : 1;
}
