#include "inprocess.h"

#include "calls/pair.h"
#include "support/child.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As cgo declares it: Go's int is C's long long here. */
typedef long long (*answer)(void *request, long long length, void *response, long long capacity);

struct inprocess {
    answer answer;
    size_t bytes;
    char *there, *back;
};

static void run(void *self, uint64_t calls) {
    const struct inprocess *p = self;
    long long length = (long long)p->bytes;
    for (uint64_t i = 0; i < calls; i++) {
        if (p->answer(p->there, length, p->back, length) != length)
            die("the in-process handler");
    }
}

static void stop(void *self) {
    struct inprocess *p = self;
    free(p->there);
    free(p->back);
    free(p);
}

/* ISO C has no conversion from an object pointer to a function's. */
static answer load(void) {
    char *path = program_path("bench_inprocess.so");
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = library ? dlsym(library, "Answer") : NULL;
    answer function;
    if (!symbol) {
        (void)fprintf(stderr, "bench: %s\n", dlerror());
        exit(EXIT_FAILURE);
    }
    memcpy(&function, &symbol, sizeof function);
    free(path);
    return function;
}

struct subject inprocess_start(size_t bytes) {
    struct inprocess *p = calloc(1, sizeof *p);
    if (!p)
        die("memory");
    *p = (struct inprocess){load(), bytes, calloc(1, bytes + 1), calloc(1, bytes + 1)};
    return (struct subject){
        .label = {"cgo", "go", bytes, 1, 1, ""}, .self = p, .unit = 1, .run = run, .stop = stop};
}
