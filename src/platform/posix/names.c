/*
 * Names of regions. A file has no name until its region is complete, and never holds a second
 * region; so a process that opens a name finds a complete region.
 */
#define _GNU_SOURCE
#include "platform/posix/object.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool name_means(const struct object *o) {
    struct stat status;
    return lstat(o->path, &status) == 0 && is_file(&status, &o->file);
}

/* A name that may not be looked up counts as present. */
static bool name_is_gone(const struct object *o) {
    struct stat status;
    return lstat(o->path, &status) == 0 ? !is_file(&status, &o->file) : errno == ENOENT;
}

/* What the region's guests have named after it goes with it. A file that is no region, or of
   another version, has no such names. */
static void remove_parts(const struct object *o) {
    struct header header;
    struct geometry geometry;
    if (pread(o->fd, &header, sizeof header, 0) == (ssize_t)sizeof header &&
        shmi_header_read(&header, &geometry) == HEADER_GOOD)
        shmi_pollable_remove_names(geometry.nonce);
}

/* Only the holder of a dead file's takeover lock unlinks it, so the name cannot come to mean
   another file between the check and the unlink. */
static int unlink_dead(const struct object *o) {
    if (!name_means(o))
        return shmi_fail(SHMIPC_E_NOT_FOUND, "%s was removed by somebody else", o->path);
    if (unlink(o->path) != 0)
        return shmi_fail_call("unlink", o->path);
    remove_parts(o);
    return SHMIPC_OK;
}

int shmi_object_remove_dead(struct object *o) {
    int error = shmi_take_over(o);
    if (error)
        return error;
    error = shmi_peer_is_locked(o, HOST_LOCK)
                ? shmi_fail(SHMIPC_E_NAME_IN_USE, "%s belongs to a live host", o->path)
                : unlink_dead(o);
    /* Unlock explicitly: a child that was made by clone meanwhile has the descriptor too. */
    shmi_peer_unlock(o, TAKEOVER_LOCK);
    return error;
}

static int clear_name(const struct object *o) {
    struct object *squatter = NULL;
    int error = shmi_object_new(o->name, &squatter);
    if (error)
        return error;
    struct stat status;
    error = shmi_object_open_existing(squatter, &status);
    if (error == SHMIPC_OK)
        error = shmi_object_remove_dead(squatter);
    shmi_object_close(squatter);
    return error == SHMIPC_E_NOT_FOUND ? SHMIPC_OK : error;
}

/* Links by the descriptor, which needs a privilege or a recent kernel, or else through /proc. */
static int link_somehow(const struct object *o) {
    char self[64];
    if (linkat(o->fd, "", AT_FDCWD, o->path, AT_EMPTY_PATH) == 0)
        return 0;
    if (errno == EEXIST)
        return -1;
    (void)snprintf(self, sizeof self, "/proc/self/fd/%d", o->fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, o->path, AT_SYMLINK_FOLLOW);
}

static int link_name(const struct object *o) {
    if (link_somehow(o) == 0)
        return SHMIPC_OK;
    if (errno == EEXIST)
        return SHMIPC_E_NAME_IN_USE;
    if (errno == ENOENT)
        return shmi_fail_os(SHMIPC_E_NOT_SUPPORTED, ENOENT,
                            "linkat of %s: without /proc it takes a privilege, or Linux 6.10",
                            o->path);
    return shmi_fail_needed("linkat", o->path);
}

/* Another host may publish under the name as soon as it is free, and die: hence the tries. */
int shmi_object_publish(struct object *o) {
    enum { TRIES = 100 };
    for (int i = 0; i < TRIES; i++) {
        int error = link_name(o);
        if (error != SHMIPC_E_NAME_IN_USE)
            return error;
        error = clear_name(o);
        if (error)
            return error;
    }
    return shmi_fail(SHMIPC_E_NAME_IN_USE, "%s was cleared %d times, and taken again each time",
                     o->path, TRIES);
}

int shmi_object_unpublish(struct object *o) {
    if (name_means(o) && unlink(o->path) != 0 && errno != ENOENT)
        return shmi_fail_call("unlink", o->path);
    return SHMIPC_OK;
}

/* A peer that lost its descriptor and cannot open the file again looks up the name itself. */
bool shmi_object_has_name(struct object *o) {
    struct stat status;
    if (fstat(o->fd, &status) == 0 && is_file(&status, &o->file))
        return status.st_nlink > 0;
    return shmi_opening_regain(o) || !name_is_gone(o);
}
