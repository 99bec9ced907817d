/*
 * What the fixture needs of Windows.
 */
#include "support/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include <sddl.h>

/* ---- The watchdog ---- */

static char watched[200];
static HANDLE timer;

static void CALLBACK bark(void *context, BOOLEAN by_timer) {
    (void)context;
    (void)by_timer;
    (void)fputs(watched, stderr);
    (void)fflush(stderr);
    TerminateProcess(GetCurrentProcess(), 134);
}

void watchdog_start(const char *what, unsigned seconds) {
    watchdog_stop();
    (void)snprintf(watched, sizeof watched, "watchdog: %s took more than %u s\n", what, seconds);
    must(CreateTimerQueueTimer(&timer, NULL, bark, NULL, seconds * 1000, 0, WT_EXECUTEONLYONCE));
}

void watchdog_stop(void) {
    if (timer != NULL)
        (void)DeleteTimerQueueTimer(NULL, timer, INVALID_HANDLE_VALUE);
    timer = NULL;
}

/* ---- Regions ---- */

static HANDLE planted[2];

static void *plant_section(HANDLE *section, const char *name, uint64_t size) {
    SECURITY_ATTRIBUTES attributes = {.nLength = sizeof attributes};
    must(ConvertStringSecurityDescriptorToSecurityDescriptorA(
        "D:(A;;GA;;;WD)", SDDL_REVISION_1, &attributes.lpSecurityDescriptor, NULL));
    *section = CreateFileMappingA(INVALID_HANDLE_VALUE, &attributes, PAGE_READWRITE,
                                  (DWORD)(size >> 32), (DWORD)size, name);
    LocalFree(attributes.lpSecurityDescriptor);
    must(*section != NULL);
    void *view = MapViewOfFile(*section, FILE_MAP_WRITE, 0, 0, 0);
    must(view != NULL);
    return view;
}

/* The size is rounded up to whole pages, which must not hide that the object is too short. */
bool plant_object(const char *name, const uint8_t header[static 64], uint64_t size) {
    const uint64_t page = 4096;
    const uint64_t nonce = 0x123456789abcdef0;
    char directory[128];
    uint64_t said;
    memcpy(&said, header + 8, sizeof said);
    if (size < 64 || (size < said && said <= (size + page - 1) / page * page))
        return false;
    (void)snprintf(directory, sizeof directory, "Local\\shmipc.%s", name);
    void *view = plant_section(&planted[0], directory, page);
    memcpy(view, "SHMIPCD\n", 8);
    memcpy((char *)view + 8, &nonce, sizeof nonce);
    UnmapViewOfFile(view);
    view = plant_section(&planted[1], "Local\\shmipc-123456789abcdef0", size);
    memcpy(view, header, size < 64 ? size : 64);
    UnmapViewOfFile(view);
    return true;
}

void remove_planted(const char *name) {
    (void)name;
    CloseHandle(planted[0]);
    CloseHandle(planted[1]);
}

/* ---- What this process holds ---- */

/* As the system's library has them, which no header declares. */
typedef struct {
    void *object;
    ULONG_PTR process;
    ULONG_PTR value;
    ULONG access;
    USHORT trace;
    USHORT type;
    ULONG attributes;
    ULONG reserved;
} SYSTEM_HANDLE_ENTRY;

typedef struct {
    ULONG_PTR count;
    ULONG_PTR reserved;
    SYSTEM_HANDLE_ENTRY handles[];
} SYSTEM_HANDLE_INFORMATION_EX;

NTSYSAPI LONG NTAPI NtQuerySystemInformation(int what, void *to, ULONG size, ULONG *needed);

/* Not by GetProcessHandleCount, which says 0 in some versions of Wine. */
int count_descriptors(void) {
    static SYSTEM_HANDLE_INFORMATION_EX *table;
    static ULONG size = 1 << 16;
    const int extended_handle_information = 64;
    int count = 0;
    while (table == NULL ||
           NtQuerySystemInformation(extended_handle_information, table, size, NULL) != 0) {
        must(size < 1u << 28);
        size *= 2;
        table = realloc(table, size);
        must(table != NULL);
    }
    for (ULONG_PTR i = 0; i < table->count; i++)
        count += table->handles[i].process == GetCurrentProcessId();
    return count;
}

int count_mappings(void) {
    return 0;
}

/* Whatever has a name is gone with its last user. */
int count_regions(void) {
    return 0;
}
