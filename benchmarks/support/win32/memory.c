#include "memory.h"

#include "support/child.h"

#include <stdio.h>
#include <string.h>

enum { SECTIONS = 256, NAME = 64 };

static struct section {
    void *memory;
    char name[NAME];
} sections[SECTIONS];
static unsigned count;

static void *map(HANDLE section, const char *name) {
    void *memory = section ? MapViewOfFile(section, FILE_MAP_ALL_ACCESS, 0, 0, 0) : NULL;
    if (!memory || count == SECTIONS)
        die("shared memory");
    sections[count].memory = memory;
    (void)snprintf(sections[count++].name, NAME, "%s", name);
    return memory;
}

void *memory_open(const char *name) {
    return map(OpenFileMappingA(FILE_MAP_ALL_ACCESS, FALSE, name), name);
}

/* Its pages come with the first touch. */
void *shared_memory(size_t bytes) {
    char name[NAME];
    (void)snprintf(name, sizeof name, "bench_memory.%lu.%u", (unsigned long)GetCurrentProcessId(),
                   count);
    HANDLE section =
        CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE,
                           (DWORD)((unsigned long long)bytes >> 32), (DWORD)bytes, name);
    return memset(map(section, name), 0, bytes);
}

const char *memory_name(const void *memory) {
    for (unsigned i = 0; i < count; i++) {
        if (sections[i].memory == memory)
            return sections[i].name;
    }
    die("no shared memory");
}

HANDLE memory_event(const void *memory, const char *name) {
    char full[2 * NAME];
    (void)snprintf(full, sizeof full, "%s.%s", memory_name(memory), name);
    HANDLE event = CreateEventA(NULL, FALSE, FALSE, full);
    if (!event)
        die("event");
    return event;
}
