/*
 * The shared object of the Windows files. docs/protocol.md, Names and sleeping on Windows.
 */
#ifndef SHMIPC_WIN32_OBJECT_H
#define SHMIPC_WIN32_OBJECT_H

#include "platform/platform.h"
#include "platform/win32/events.h"
#include "platform/win32/names.h"
#include "platform/win32/security.h"
#include "platform/win32/sleep.h"
#include "platform/win32/watch.h"

struct object {
    struct object_names names;
    struct security security;        /* of the sections that a host makes */
    struct security events_security; /* of every event made here */
    PSID owner;                      /* the owner that a guest trusts; NULL: this user */
    HANDLE section;
    HANDLE directory; /* of a host that has published */
    struct region_layout *base;
    uint64_t size;
    struct geometry geometry; /* valid while mapped */
    HANDLE locks[PEERS];      /* those held here */
    uint32_t self;            /* our index: that of the first lock taken; NO_PEER before */
    struct events events;
    struct watch watch;
    struct leader_queue queues[EVENTCOUNTS_TO_SLEEP_ON];
};

/* How many bytes of a view can be touched: 0 if the memory is only reserved. */
uint64_t shmi_view_size(const void *view);

#endif
