#include "platform/platform.h"

#include "base/thread.h"
#include <pthread.h>

struct thread_state *shmi_thread_state(void) {
    static _Thread_local struct thread_state state;
    return &state;
}

int shmi_cancellation_off(void) {
    int before = PTHREAD_CANCEL_ENABLE;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

void shmi_cancellation_restore(int before) {
    (void)pthread_setcancelstate(before, NULL);
}
