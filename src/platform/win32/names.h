/*
 * The names of Windows' objects: docs/protocol.md, Names on Windows.
 */
#ifndef SHMIPC_WIN32_NAMES_H
#define SHMIPC_WIN32_NAMES_H

#include "platform/win32/system.h"
#include "shmipc/shmipc.h"

#include <stdbool.h>
#include <stdint.h>

enum { OBJECT_NAME_MAX = 32 + SHMIPC_NAME_MAX };

struct object_name {
    wchar_t text[OBJECT_NAME_MAX];
};

/* The components of an object's names. */
struct object_names {
    bool global;
    uint64_t nonce;
    char user[SHMIPC_NAME_MAX + 1]; /* the user's name of it */
};

struct object_name shmi_name_directory(const struct object_names *names);
struct object_name shmi_name_takeover(const struct object_names *names);
struct object_name shmi_name_region(const struct object_names *names);
struct object_name shmi_name_lock(const struct object_names *names, uint32_t peer);
struct object_name shmi_name_slot(const struct object_names *names, uint32_t slot);
struct object_name shmi_name_eventcount(const struct object_names *names, uint32_t eventcount,
                                        uint32_t peer);
struct object_name shmi_name_answers(const struct object_names *names, uint32_t peer);
struct object_name shmi_name_ready(const struct object_names *names, uint32_t peer);

#endif
