/*
 * Binding threads to processors: shmipc.h, Processors.
 */
#include "platform/platform.h"

#include "shmipc/shmipc.h"

int shmipc_pin_thread(uint32_t cpu) {
    return shmi_cpu_pin(cpu);
}
