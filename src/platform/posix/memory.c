#include "platform/platform.h"

#include <stdlib.h>
#include <string.h>

void *shmi_memory_allocate(size_t size) {
    size_t lines = 2 * (size_t)CACHE_LINE;
    void *memory = aligned_alloc(lines, (size + lines - 1) / lines * lines);
    if (memory != NULL)
        memset(memory, 0, size);
    return memory;
}

void shmi_memory_free(void *memory) {
    free(memory);
}
