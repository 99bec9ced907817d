/*
 * Named memory: a section whose name carries the region's nonce. A section lives as long as any
 * process has it open; the nonce keeps a section that a dead host's guests still have open from
 * being mistaken for the next host's.
 */
#include "platform/win32/object.h"

#include "base/error.h"
#include "platform/win32/directory.h"
#include "platform/win32/failure.h"

#include <stdlib.h>
#include <string.h>

#define SECTION_ACCESS (FILE_MAP_READ | FILE_MAP_WRITE | READ_CONTROL)

static int object_new(const char *name, uint64_t nonce, const struct object_rules *rules,
                      struct object **object) {
    struct object *o = calloc(1, sizeof *o);
    if (o == NULL)
        return shmi_fail(SHMIPC_E_NO_MEMORY, "no memory for the handle of region %s", name);
    o->self = NO_PEER;
    o->names.global = rules->global;
    o->names.nonce = nonce;
    memcpy(o->names.user, name, strlen(name) + 1);
    *object = o;
    return SHMIPC_OK;
}

uint64_t shmi_view_size(const void *view) {
    MEMORY_BASIC_INFORMATION pages;
    if (VirtualQuery(view, &pages, sizeof pages) == 0 || pages.State != MEM_COMMIT)
        return 0;
    return pages.RegionSize;
}

static int map_section(struct object *o, const struct object_name *name) {
    o->base = MapViewOfFile(o->section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, 0);
    if (o->base == NULL)
        return shmi_fail_windows("mapping", name, GetLastError());
    o->size = shmi_view_size(o->base);
    return shmi_security_of_events(o->section, name, &o->events_security);
}

/* Tries the access that a guest of this user needs. The events have the same permissions, so peers
   that these shut out could not wake each other. */
static int check_access(const struct object_name *name) {
    HANDLE again = OpenFileMappingW(SECTION_ACCESS, FALSE, name->text);
    if (again == NULL)
        return shmi_fail_os(SHMIPC_E_INVALID, (int)GetLastError(),
                            "config.sddl shuts out this process's own user: error %lu",
                            (unsigned long)GetLastError());
    CloseHandle(again);
    return SHMIPC_OK;
}

/* The name is random: a process that has created it already means to be mistaken for us. */
static int create_section(struct object *o, uint64_t size) {
    struct object_name name = shmi_name_region(&o->names);
    o->section = CreateFileMappingW(INVALID_HANDLE_VALUE, &o->security.attributes, PAGE_READWRITE,
                                    (DWORD)(size >> 32), (DWORD)size, name.text);
    DWORD os_error = GetLastError();
    if (o->section == NULL)
        return shmi_fail_windows("creating", &name, os_error);
    if (os_error == ERROR_ALREADY_EXISTS)
        return shmi_fail_os(SHMIPC_E_DENIED, (int)os_error,
                            "%s exists already, but nobody else can know its name",
                            shmi_label(&name).text);
    int error = check_access(&name);
    return error ? error : map_section(o, &name);
}

static int create(struct object *o, const struct geometry *geometry, const char *sddl) {
    int error = shmi_security_make(sddl, &o->security);
    if (error == SHMIPC_OK)
        error = create_section(o, geometry->total_size);
    return error ? error : shmi_object_map(o, geometry);
}

int shmi_object_create(const char *name, const struct geometry *geometry,
                       const struct object_rules *rules, struct object **object) {
    struct object *o = NULL;
    int error = object_new(name, geometry->nonce, rules, &o);
    if (error)
        return error;
    error = create(o, geometry, rules->sddl);
    if (error)
        shmi_object_close(o);
    else
        *object = o;
    return error;
}

static int open_section(struct object *o) {
    int error = shmi_directory_read(o, &o->names.nonce);
    if (error)
        return error;
    struct object_name name = shmi_name_region(&o->names);
    o->section = OpenFileMappingW(SECTION_ACCESS, FALSE, name.text);
    if (o->section == NULL)
        return shmi_fail_windows("opening", &name, GetLastError());
    error = shmi_security_check_owner(o->section, &name, o->owner);
    return error ? error : map_section(o, &name);
}

int shmi_object_open(const char *name, const struct object_rules *rules, struct object **object) {
    struct object *o = NULL;
    if (rules->owner != SHMIPC_OWNER_SELF)
        return shmi_fail(SHMIPC_E_INVALID, "config.owner is %lld, Windows has no such ids",
                         (long long)rules->owner);
    int error = object_new(name, 0, rules, &o);
    if (error)
        return error;
    error = shmi_security_parse_owner(rules->owner_sid, &o->owner);
    if (error == SHMIPC_OK)
        error = open_section(o);
    if (error)
        shmi_object_close(o);
    else
        *object = o;
    return error;
}

/* Opening has mapped the whole section; this compares its size with its header. */
int shmi_object_map(struct object *o, const struct geometry *geometry) {
    if (o->size < geometry->total_size)
        return shmi_fail(SHMIPC_E_TRUNCATED, "region %s has %llu bytes, its header says %llu",
                         o->names.user, (unsigned long long)o->size,
                         (unsigned long long)geometry->total_size);
    o->geometry = *geometry;
    return shmi_events_prepare(o);
}

int shmi_object_read(struct object *o, void *to, size_t size) {
    if (o->size < size)
        return shmi_fail(SHMIPC_E_TRUNCATED, "region %s has %llu bytes, a header has %zu",
                         o->names.user, (unsigned long long)o->size, size);
    memcpy(to, o->base, size);
    return SHMIPC_OK;
}

struct object_identity shmi_object_identity(const struct object *o) {
    return (struct object_identity){.number = o->names.nonce};
}

void *shmi_object_base(const struct object *o) {
    return o->base;
}

/* Windows does not refuse single calls of these to a program. */
int shmi_object_try(struct object *o) {
    (void)o;
    return SHMIPC_OK;
}

/* Handles are not inherited, so only the process itself keeps a lock. */
int shmi_object_settle(struct object *o) {
    (void)o;
    return SHMIPC_OK;
}

/* Does not detect that other code has closed a handle. */
const char *shmi_object_trouble(struct object *o) {
    (void)o;
    return NULL;
}

/* There is no fork. */
void shmi_object_on_fork(struct object *o, void (*hook)(void *context), void *context) {
    (void)o;
    (void)hook;
    (void)context;
}

static void close_handle(HANDLE handle) {
    if (handle != NULL)
        CloseHandle(handle);
}

/* Closes the locks last: a process that finds one free may reuse what the lock guards. */
void shmi_object_close(struct object *o) {
    if (o == NULL)
        return;
    if (o->base != NULL)
        UnmapViewOfFile(o->base);
    close_handle(o->section);
    close_handle(o->directory);
    shmi_events_close(o);
    shmi_watch_close(o);
    for (uint32_t peer = 0; peer < PEERS; peer++)
        close_handle(o->locks[peer]);
    shmi_security_free(&o->security);
    shmi_security_free(&o->events_security);
    LocalFree(o->owner);
    free(o);
}
