/*
 * The thread state lies in the thread-local storage that the loader allocates for a module and
 * frees with it. GCC on Windows would emulate that by allocations, a destructor, and an index that
 * is never given back. So with GCC the variable is put into the module's template (the linker sorts
 * its parts by name, from .tls to .tls$ZZZ), and its address is computed here.
 */
#include "platform/platform.h"

#include "base/thread.h"
#include "platform/win32/system.h"

#if defined(_MSC_VER)

struct thread_state *shmi_thread_state(void) {
    static __declspec(thread) struct thread_state state;
    return &state;
}

#elif defined(__clang__)

struct thread_state *shmi_thread_state(void) {
    static _Thread_local struct thread_state state;
    return &state;
}

#else

/* Of the C runtime: this module's index, and where its template begins. */
extern ULONG _tls_index;
extern char *_tls_start;

static struct thread_state in_template
    __attribute__((section(".tls$SHMIPC"), used)) = {.affinity = 0};

struct thread_state *shmi_thread_state(void) {
    char **modules; /* of the thread's environment block */
    __asm__("movq %%gs:0x58, %0" : "=r"(modules));
    ptrdiff_t offset = (char *)&in_template - (char *)&_tls_start;
    return (struct thread_state *)(void *)(modules[_tls_index] + offset);
}

#endif

/* Threads are not cancelled here. */
int shmi_cancellation_off(void) {
    return 0;
}

void shmi_cancellation_restore(int before) {
    (void)before;
}
