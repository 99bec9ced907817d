#define _GNU_SOURCE
#include "platform/linux/epoll.h"

#include "platform/platform.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

int shmi_epoll_create(const void *context) {
    (void)context;
    return epoll_create1(EPOLL_CLOEXEC);
}

int shmi_timer_create(const void *context) {
    (void)context;
    return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
}

bool shmi_epoll_add(int epoll, int fd) {
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool shmi_epoll_knows(int epoll, int fd) {
    struct epoll_event event = {.events = EPOLLIN};
    return epoll >= 0 && fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) == 0;
}

/* A time of 0 would stop the timer; 1 has passed as well. */
static struct itimerspec at(uint64_t time) {
    if (time == CLOCK_NEVER)
        return (struct itimerspec){.it_value = {.tv_sec = 0}};
    time = time == 0 ? 1 : time;
    return (struct itimerspec){.it_value = {.tv_sec = (time_t)(time / 1000000000u),
                                            .tv_nsec = (long)(time % 1000000000u)}};
}

bool shmi_timer_set(int timer, uint64_t until) {
    const struct itimerspec when = at(until);
    return timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL) == 0;
}
