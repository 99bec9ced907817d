#include "platform/win32/names.h"

#include <stdarg.h>
#include <stdio.h>

/* The caller has checked that the user's name is well-formed UTF-8; in UTF-16 it has no more units
   than bytes. */
static void append(struct object_name *name, const char *utf8) {
    int used = (int)wcslen(name->text);
    MultiByteToWideChar(CP_UTF8, 0, utf8, -1, name->text + used, OBJECT_NAME_MAX - used);
}

static struct object_name begin(const struct object_names *names) {
    struct object_name name = {{0}};
    append(&name, names->global ? "Global\\" : "Local\\");
    return name;
}

struct object_name shmi_name_directory(const struct object_names *names) {
    struct object_name name = begin(names);
    append(&name, "shmipc.");
    append(&name, names->user);
    return name;
}

struct object_name shmi_name_takeover(const struct object_names *names) {
    struct object_name name = begin(names);
    append(&name, "shmipc!");
    append(&name, names->user);
    return name;
}

static struct object_name part(const struct object_names *names, const char *format, ...) {
    struct object_name name = begin(names);
    char text[64];
    va_list arguments;
    (void)snprintf(text, sizeof text, "shmipc-%016llx", (unsigned long long)names->nonce);
    append(&name, text);
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    append(&name, text);
    return name;
}

struct object_name shmi_name_region(const struct object_names *names) {
    return part(names, "%s", "");
}

struct object_name shmi_name_lock(const struct object_names *names, uint32_t peer) {
    return part(names, "-lock-%u", (unsigned)peer);
}

struct object_name shmi_name_slot(const struct object_names *names, uint32_t slot) {
    return part(names, "-slot-%u", (unsigned)slot);
}

struct object_name shmi_name_eventcount(const struct object_names *names, uint32_t eventcount,
                                        uint32_t peer) {
    return part(names, "-bell-%u-%u", (unsigned)eventcount, (unsigned)peer);
}

struct object_name shmi_name_answers(const struct object_names *names, uint32_t peer) {
    return part(names, "-answers-%u", (unsigned)peer);
}

struct object_name shmi_name_ready(const struct object_names *names, uint32_t peer) {
    return part(names, "-ready-%u", (unsigned)peer);
}
