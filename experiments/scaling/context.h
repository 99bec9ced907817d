/*
 * Several stacks in one thread of the system, of which one runs at a time.
 */
#ifndef SCALING_CONTEXT_H
#define SCALING_CONTEXT_H

#include <setjmp.h>
#include <stddef.h>

struct context {
    jmp_buf state;
    void (*run)(void *argument); /* does not return */
    void *argument;
};

/* Prepares what the first switch to it begins to run. */
void context_prepare(struct context *context, void *stack, size_t size);

/* Goes on in another one, until somebody switches back. */
void context_switch(struct context *from, struct context *to);

#endif
