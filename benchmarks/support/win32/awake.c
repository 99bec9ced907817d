/* On Windows processors are left to go idle as they like. */
#include "support/awake.h"

void awake_start(void) {}

void awake_stop(void) {}

void keep_awake(void) {}

void let_sleep(void) {}
