#include "platform.h"

struct thread_state *shmi_thread_state(void) {
    static _Thread_local struct thread_state state;
    return &state;
}
