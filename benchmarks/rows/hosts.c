/* Many hosts that one process in Go serves: how many calls it answers while all are called at a
   time, what it costs while none is, and how soon it serves a new one. */
#include "crowds.h"

#include "calls/callers.h"
#include "calls/copying.h"
#include "calls/pair.h"
#include "support/child.h"
#include "support/clock.h"
#include "support/statistics.h"
#include "support/wanted.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HOSTS = 100, TRIES = 15, PARTS = 5 };

static const unsigned numbers[] = {1, 10, HOSTS};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static const double allowed = 0.002; /* of the time, to do nothing */

struct crowd {
    struct region_name prefix;
    struct pair pairs[HOSTS + 1];
    unsigned count;
    pid_t guest;
};

static void add_host(struct crowd *crowd) {
    const shmipc_host_config settings = SHMIPC_HOST_CONFIG_INIT;
    struct pair *pair = &crowd->pairs[crowd->count];
    char name[128];
    (void)snprintf(name, sizeof name, "%s-%u", crowd->prefix.text, crowd->count++);
    *pair = (struct pair){.guest = "go"};
    check(shmipc_host_create(name, &settings, &pair->host));
}

static void remove_last(struct crowd *crowd) {
    shmipc_free(crowd->pairs[--crowd->count].host);
}

static void await_guest(const struct crowd *crowd, unsigned i) {
    check(shmipc_wait_guests(crowd->pairs[i].host, 1, SHMIPC_TIMEOUT_DEFAULT));
}

static void start(struct crowd *crowd, unsigned hosts) {
    char *program = program_path("bench_hosts");
    *crowd = (struct crowd){.prefix = pair_name()};
    crowd->guest = child_program((char *[]){program, crowd->prefix.text, NULL});
    while (crowd->count < hosts)
        add_host(crowd);
    for (unsigned i = 0; i < hosts; i++)
        await_guest(crowd, i);
}

static void stop(struct crowd *crowd) {
    while (crowd->count > 0)
        remove_last(crowd);
    child_stop(crowd->guest);
}

/* ---- All are called ---- */

static struct subject callers_of(const struct crowd *crowd, unsigned hosts) {
    struct subject callers[HOSTS];
    for (unsigned i = 0; i < hosts; i++)
        callers[i] = copying_start(&crowd->pairs[i], "hosts", SMALL);
    return callers_start(callers, hosts);
}

static void measure_busy(const struct effort *effort) {
    struct crowd crowd;
    struct subject subjects[NUMBERS];
    start(&crowd, HOSTS);
    for (unsigned i = 0; i < NUMBERS; i++)
        subjects[i] = callers_of(&crowd, numbers[i]);
    emit_crowds(subjects, NUMBERS, effort);
    stop(&crowd);
}

/* ---- None is called ---- */

static unsigned threads_of(pid_t process) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%ld/task", (long)process);
    unsigned threads = 0;
    DIR *tasks = opendir(path);
    if (tasks == NULL)
        die(path);
    for (const struct dirent *task; (task = readdir(tasks)) != NULL;)
        threads += task->d_name[0] != '.';
    (void)closedir(tasks);
    return threads;
}

static struct row cost_of_idleness(struct label label, uint64_t length) {
    struct row row = {.label = label, .limit_ns = allowed * (double)length};
    double ratios[PARTS];
    for (unsigned i = 0; i < PARTS; i++) {
        uint64_t begin = now_ns(), cpu = cpu_ns();
        sleep_until(begin + length / PARTS);
        double used = (double)(cpu_ns() - cpu);
        ratios[i] = used / (allowed * (double)(now_ns() - begin));
        row.cpu_s += used / (double)SECOND;
    }
    row.ratio = row.cpu_s * (double)SECOND / row.limit_ns;
    row.spread = interquartile_range(ratios, PARTS);
    return row;
}

static void call_each(const struct crowd *crowd) {
    for (unsigned i = 0; i < crowd->count; i++)
        check(shmipc_ping(crowd->pairs[i].host, SHMIPC_TIMEOUT_DEFAULT, NULL));
}

static void measure_idleness(unsigned hosts, const struct effort *effort) {
    char variant[32];
    (void)snprintf(variant, sizeof variant, "%u hosts", hosts);
    const struct label idle = {"hosts_idle", "go", 0, 1, 0, variant};
    const struct label threads = {"hosts_threads", "go", 0, 1, 0, variant};
    if (!is_label_wanted(&idle))
        return;
    struct crowd crowd;
    start(&crowd, hosts);
    call_each(&crowd);
    sleep_until(now_ns() + 3 * SECOND / 2); /* what begins by spinning has come to rest */
    struct row row = cost_of_idleness(idle, (effort->quick ? 1 : 10) * SECOND);
    emit(&row);
    row = (struct row){.label = threads, .ratio = threads_of(crowd.guest)};
    emit(&row);
    stop(&crowd);
}

/* ---- A new one ---- */

static double first_answer(struct crowd *crowd) {
    uint64_t begin = now_ns();
    add_host(crowd);
    await_guest(crowd, crowd->count - 1);
    check(shmipc_ping(crowd->pairs[crowd->count - 1].host, SHMIPC_TIMEOUT_DEFAULT, NULL));
    double took = (double)(now_ns() - begin);
    remove_last(crowd);
    return took;
}

/* Returns the median. */
static double emit_first(unsigned others, double alone) {
    char variant[32];
    (void)snprintf(variant, sizeof variant, "beside %u hosts", others);
    struct crowd crowd;
    double ns[TRIES];
    start(&crowd, others);
    for (int i = 0; i < TRIES; i++) {
        sleep_until(now_ns() + 20 * MILLISECOND);
        ns[i] = first_answer(&crowd);
    }
    stop(&crowd);
    double middle = median(ns, TRIES);
    struct row row = {.label = {"hosts_first", "go", 0, 1, 0, variant},
                      .ns_p50 = middle,
                      .ns_max = ns[TRIES - 1],
                      .calls_per_s = (double)SECOND / middle,
                      .limit_ns = alone,
                      .ratio = alone > 0 ? middle / alone : 1,
                      .spread = interquartile_range(ns, TRIES) / middle};
    if (is_label_wanted(&row.label))
        emit(&row);
    return middle;
}

void measure_hosts(const struct effort *effort) {
    measure_busy(effort);
    for (unsigned i = 0; i < NUMBERS; i++)
        measure_idleness(numbers[i], effort);
    (void)emit_first(HOSTS, emit_first(1, 0));
}
