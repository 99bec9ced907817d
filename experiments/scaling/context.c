#define _GNU_SOURCE
#include "context.h"

#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

static ucontext_t preparer;
static struct context *prepared;

static void begin(void) {
    struct context *self = prepared;
    if (_setjmp(self->state) == 0)
        (void)setcontext(&preparer);
    self->run(self->argument);
    abort();
}

/* The first steps onto a stack are the system's, which take two system calls; later switches take
   none. */
void context_prepare(struct context *context, void *stack, size_t size) {
    ucontext_t first;
    prepared = context;
    if (getcontext(&first) != 0) {
        perror("getcontext");
        exit(1);
    }
    first.uc_stack.ss_sp = stack;
    first.uc_stack.ss_size = size;
    first.uc_link = NULL;
    makecontext(&first, begin, 0);
    if (swapcontext(&preparer, &first) != 0) {
        perror("swapcontext");
        exit(1);
    }
}

void context_switch(struct context *from, struct context *to) {
    if (_setjmp(from->state) == 0)
        _longjmp(to->state, 1);
}
