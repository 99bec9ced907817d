#include "platform/platform.h"

#include <malloc.h>
#include <string.h>

void *shmi_memory_allocate(size_t size) {
    void *memory = _aligned_malloc(size, 2 * (size_t)CACHE_LINE);
    if (memory != NULL)
        memset(memory, 0, size);
    return memory;
}

void shmi_memory_free(void *memory) {
    _aligned_free(memory);
}
