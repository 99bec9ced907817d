/* What a loop that spins does between two looks. */
#ifndef BENCHMARKS_PAUSE_H
#define BENCHMARKS_PAUSE_H

static inline void cpu_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

#endif
