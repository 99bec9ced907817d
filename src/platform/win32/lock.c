/*
 * Peers' locks: events that exist as long as their holder has them open; no other process keeps
 * them open. The system closes the handle after the process's last thread has ended.
 */
#include "platform/win32/lock.h"

#include "platform/win32/failure.h"
#include "platform/win32/object.h"

/* A process that only tests a lock, or fails to take it, has the event open for an instant. */
enum { TRIES = 5 };

HANDLE shmi_existence_take(const struct object_name *name, const struct security *security,
                           enum lock_verdict *verdict) {
    for (int i = 0; i < TRIES; i++) {
        SECURITY_ATTRIBUTES attributes = security->attributes;
        SetLastError(ERROR_SUCCESS);
        HANDLE event = CreateEventExW(&attributes, name->text, 0, SYNCHRONIZE);
        bool existed = GetLastError() == ERROR_ALREADY_EXISTS;
        *verdict = event == NULL ? LOCK_ERROR : existed ? LOCK_HELD : LOCK_TAKEN;
        if (event == NULL || !existed)
            return event;
        CloseHandle(event);
        shmi_cpu_yield();
    }
    return NULL;
}

/* An error other than "not found" (denied, another kind of object) counts as held. */
bool shmi_existence_is_held(const struct object_name *name) {
    HANDLE event = OpenEventW(SYNCHRONIZE, FALSE, name->text);
    if (event == NULL)
        return GetLastError() != ERROR_FILE_NOT_FOUND;
    CloseHandle(event);
    return true;
}

enum lock_verdict shmi_peer_lock(struct object *o, uint32_t peer) {
    struct object_name name = shmi_name_lock(&o->names, peer);
    enum lock_verdict verdict = LOCK_TAKEN;
    if (o->locks[peer] == NULL)
        o->locks[peer] = shmi_existence_take(&name, &o->events_security, &verdict);
    if (verdict == LOCK_ERROR && GetLastError() == ERROR_ACCESS_DENIED)
        verdict = LOCK_HELD; /* by a process whose lock may not be opened */
    if (verdict == LOCK_TAKEN && o->self == NO_PEER)
        o->self = peer;
    return verdict;
}

int shmi_fail_lock(const struct object *o, uint32_t peer) {
    struct object_name name = shmi_name_lock(&o->names, peer);
    return shmi_fail_windows("CreateEvent", &name, GetLastError());
}

void shmi_peer_unlock(struct object *o, uint32_t peer) {
    if (o->locks[peer] != NULL)
        CloseHandle(o->locks[peer]);
    o->locks[peer] = NULL;
    if (o->self == peer)
        o->self = NO_PEER;
}

/* Locks that this opening itself holds do not count. */
bool shmi_peer_is_locked(struct object *o, uint32_t peer) {
    struct object_name name = shmi_name_lock(&o->names, peer);
    return o->locks[peer] == NULL && shmi_existence_is_held(&name);
}
