/*
 * The directory section of a name exists as long as one of its hosts, or a guest that reads it, has
 * it open. Only the holder of the takeover lock writes to it.
 */
#include "platform/win32/directory.h"

#include "base/error.h"
#include "platform/win32/failure.h"
#include "platform/win32/lock.h"
#include "platform/win32/object.h"
#include "platform/win32/process.h"

#define DIRECTORY_MAGIC UINT64_C(0x0a444350494d4853) /* "SHMIPCD\n" in memory */

enum { DIRECTORY_SIZE = 4096, TAKEOVER_TRIES = 200 };

struct directory {
    atomic_u64 magic;   /* 0: just made */
    atomic_u64 nonce;   /* of the current region; 0: none */
    atomic_u64 started; /* when the host's process was created */
    atomic_u32 pid;     /* of the host */
};

static int check(const struct directory *directory, const struct object_name *name) {
    uint64_t size = shmi_view_size(directory);
    if (size < sizeof *directory)
        return shmi_fail(SHMIPC_E_NOT_A_REGION, "%s has %llu bytes of memory, a directory has %d",
                         shmi_label(name).text, (unsigned long long)size, DIRECTORY_SIZE);
    uint64_t magic = load_acquire64(&directory->magic);
    if (magic == DIRECTORY_MAGIC || magic == 0)
        return SHMIPC_OK;
    return shmi_fail(SHMIPC_E_NOT_A_REGION, "%s begins with 0x%016llx, a directory with 0x%016llx",
                     shmi_label(name).text, (unsigned long long)magic,
                     (unsigned long long)DIRECTORY_MAGIC);
}

static int map(HANDLE section, const struct object_name *name, DWORD access,
               struct directory **directory) {
    *directory = MapViewOfFile(section, access, 0, 0, sizeof **directory);
    if (*directory == NULL)
        return shmi_fail_windows("mapping", name, GetLastError());
    int error = check(*directory, name);
    if (error)
        UnmapViewOfFile((void *)*directory);
    return error;
}

/* ---- Reading ---- */

static int read_nonce(HANDLE section, const struct object_name *name, uint64_t *nonce) {
    struct directory *directory;
    int error = map(section, name, FILE_MAP_READ, &directory);
    if (error)
        return error;
    /* Acquire: pairs with the release of the host that has published. */
    *nonce = load_acquire64(&directory->nonce);
    UnmapViewOfFile((void *)directory);
    if (*nonce == 0)
        return shmi_fail(SHMIPC_E_NOT_FOUND, "%s names no region", shmi_label(name).text);
    return SHMIPC_OK;
}

int shmi_directory_read(const struct object *o, uint64_t *nonce) {
    struct object_name name = shmi_name_directory(&o->names);
    HANDLE section = OpenFileMappingW(FILE_MAP_READ | READ_CONTROL, FALSE, name.text);
    if (section == NULL)
        return shmi_fail_windows("opening", &name, GetLastError());
    int error = shmi_security_check_owner(section, &name, o->owner);
    if (error == SHMIPC_OK)
        error = read_nonce(section, &name, nonce);
    CloseHandle(section);
    return error;
}

/* A host has the directory open, so it stays, and only a host that finds our lock free writes to
   it. In a guest, failing to read it does not prove that the name is gone. */
bool shmi_object_has_name(struct object *o) {
    if (o->directory != NULL)
        return true;
    uint64_t nonce = 0;
    int error = shmi_directory_read(o, &nonce);
    return error == SHMIPC_OK ? nonce == o->names.nonce : error != SHMIPC_E_NOT_FOUND;
}

/* ---- Writing ---- */

static int take_over(struct object *o, HANDLE *lock) {
    struct object_name name = shmi_name_takeover(&o->names);
    enum lock_verdict verdict = LOCK_HELD;
    for (int i = 0; i < TAKEOVER_TRIES && verdict == LOCK_HELD; i++) {
        *lock = shmi_existence_take(&name, &o->events_security, &verdict);
        if (verdict == LOCK_HELD)
            Sleep(1); /* another takeover, which is soon over */
    }
    if (verdict == LOCK_TAKEN)
        return SHMIPC_OK;
    if (verdict == LOCK_HELD)
        return shmi_fail(SHMIPC_E_NAME_IN_USE, "%s is being taken over", o->names.user);
    return shmi_fail_windows("locking", &name, GetLastError());
}

static int open_to_write(struct object *o, struct directory **directory) {
    struct object_name name = shmi_name_directory(&o->names);
    HANDLE section = CreateFileMappingW(INVALID_HANDLE_VALUE, &o->security.attributes,
                                        PAGE_READWRITE, 0, DIRECTORY_SIZE, name.text);
    DWORD os_error = GetLastError();
    if (section == NULL)
        return shmi_fail_windows("creating", &name, os_error);
    int error = SHMIPC_OK;
    if (os_error == ERROR_ALREADY_EXISTS)
        error = shmi_security_check_owner(section, &name, shmi_security_owner(&o->security));
    if (error == SHMIPC_OK)
        error = map(section, &name, FILE_MAP_READ | FILE_MAP_WRITE, directory);
    if (error)
        CloseHandle(section);
    else
        o->directory = section;
    return error;
}

/* A region has a host as long as the host's lock is held and its process lives: any process could
   have made the lock's event, and a live process may have closed the region. */
static bool belongs_to_a_host(const struct object *o, const struct directory *directory) {
    struct object_names names = o->names;
    names.nonce = load_acquire64(&directory->nonce);
    struct object_name lock = shmi_name_lock(&names, HOST);
    return names.nonce != 0 && shmi_existence_is_held(&lock) &&
           shmi_process_id_runs(load_relaxed32(&directory->pid),
                                load_relaxed64(&directory->started));
}

static int write_entry(const struct object *o, struct directory *directory) {
    if (belongs_to_a_host(o, directory))
        return shmi_fail(SHMIPC_E_NAME_IN_USE, "%s belongs to a live host", o->names.user);
    store_relaxed32(&directory->pid, shmi_process_id());
    store_relaxed64(&directory->started, shmi_process_origin());
    store_release64(&directory->magic, DIRECTORY_MAGIC);
    store_release64(&directory->nonce, o->names.nonce); /* pairs with shmi_directory_read */
    return SHMIPC_OK;
}

int shmi_object_publish(struct object *o) {
    HANDLE lock = NULL;
    struct directory *directory = NULL;
    int error = take_over(o, &lock);
    if (error)
        return error;
    error = open_to_write(o, &directory);
    if (error == SHMIPC_OK) {
        error = write_entry(o, directory);
        UnmapViewOfFile((void *)directory);
    }
    CloseHandle(lock);
    return error;
}

static void erase_entry(const struct object *o) {
    struct directory *directory =
        MapViewOfFile(o->directory, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, sizeof *directory);
    uint64_t ours = o->names.nonce;
    if (directory == NULL)
        return;
    (void)cas_seq_cst64(&directory->nonce, &ours, 0);
    UnmapViewOfFile((void *)directory);
}

int shmi_object_unpublish(struct object *o) {
    if (o->directory == NULL)
        return SHMIPC_OK;
    erase_entry(o);
    CloseHandle(o->directory);
    o->directory = NULL;
    return SHMIPC_OK;
}
