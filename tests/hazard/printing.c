#include "hazard/printing.h"

#include "hazard/peers.h"

#include <errno.h>
#include <unistd.h>

struct printing {
    atomic_bool enough;
    unsigned closed;
    void (*use)(unsigned closed);
};

static void *print_all_the_time(void *context) {
    struct printing *printing = context;
    static const char text[] = "what a program prints";
    while (!atomic_load(&printing->enough)) {
        for (int fd = 0; fd < 3; fd++) {
            if (printing->closed >> fd & 1)
                must(write(fd, text, sizeof text) < 0 && errno == EBADF);
        }
    }
    return NULL;
}

static int use_without_standard_descriptors(void *context) {
    struct printing *printing = context;
    for (int fd = 0; fd < 3; fd++) {
        if (printing->closed >> fd & 1)
            must_equal(close(fd), 0);
    }
    pthread_t printer = thread_start(print_all_the_time, printing);
    printing->use(printing->closed);
    atomic_store(&printing->enough, true);
    thread_join(printer);
    return 0;
}

void print_while(void (*use)(unsigned closed)) {
    for (unsigned closed = 0; closed < 8; closed++) {
        struct printing printing = {.closed = closed, .use = use};
        must_equal(child_wait(child_start(use_without_standard_descriptors, &printing)), 0);
    }
}
