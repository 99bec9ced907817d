/* Objects that a test makes under the names that a host or a guest of a region opens. */
#ifndef SHMIPC_TESTS_OBJECTS_H
#define SHMIPC_TESTS_OBJECTS_H

#include "support/fixture.h"

#include <windows.h>

enum { NONCE = 0x1234abcd };

/* What the section of a name holds: where the region of the name is. */
struct directory_bytes {
    char magic[8];
    uint64_t nonce;
    uint64_t started;
    uint32_t pid;
};

HANDLE make_section_of(const char *name, const char *sddl, DWORD kind, DWORD size);
HANDLE make_section(const char *name, const char *sddl, const void *bytes, size_t length);

/* Everybody may open it. */
HANDLE plant_directory(const char *region, const void *bytes, size_t length);

/* Creates a host, or attaches a guest, and frees it; returns the error. */
int create(const char *region);
int attach(const char *region);
void assert_says(const char *text);

/* As text to be freed by LocalFree. */
char *user_sid(void);

#endif
