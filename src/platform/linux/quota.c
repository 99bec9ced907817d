/*
 * The processor quota of the control groups (cgroups) that this process is in. A group is limited
 * by its own quota and by that of every ancestor. Versions 1 and 2 of the interface may both
 * be mounted, but only one of them has the cpu controller.
 *
 * /proc/self/cgroup names the group from the top of the hierarchy; /proc/self/mountinfo says which
 * group is at the mount point, and where that is. In a container without a cgroup namespace it is
 * the container's own group.
 */
#define _GNU_SOURCE
#include "platform/linux/quota.h"

#include "platform/posix/descriptor.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Paths longer than this are not followed: then no limit is known. */
enum { PATH_SIZE = 1024 };

/* On the heap, since a thread's stack may be small. */
struct search {
    const char *root;
    bool version2;
    char group[PATH_SIZE];       /* of this process */
    char mount_group[PATH_SIZE]; /* the group at the mount point */
    char mount_point[PATH_SIZE];
    char path[PATH_SIZE];
};

static FILE *open_below(struct search *s, const char *directory, const char *name) {
    int length = snprintf(s->path, sizeof s->path, "%s%s/%s", s->root, directory, name);
    return length >= 0 && (size_t)length < sizeof s->path ? shmi_descriptor_read(s->path) : NULL;
}

/* True if `item` is one of the words of a list with commas between them. */
static bool list_has(const char *list, const char *item) {
    size_t length = strlen(item);
    for (const char *word = list; word != NULL; word = strchr(word, ',')) {
        word += *word == ',';
        if (strncmp(word, item, length) == 0 && (word[length] == ',' || word[length] == '\0'))
            return true;
    }
    return false;
}

static bool copy_path(char *to, const char *from) {
    return (size_t)snprintf(to, PATH_SIZE, "%s", from) < PATH_SIZE;
}

/* The line "hierarchy:controllers:path"; version 2 has hierarchy 0 and no controllers. */
static bool take_group(struct search *s, char *line) {
    char *controllers = strchr(line, ':');
    char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (group == NULL)
        return false;
    *controllers++ = '\0';
    *group++ = '\0';
    bool wanted = s->version2 ? strcmp(line, "0") == 0 : list_has(controllers, "cpu");
    return wanted && copy_path(s->group, group);
}

/* Blanks in a path are written as octal numbers, such as \040. */
static void unescape(char *path) {
    char *to = path;
    for (const char *from = path; *from != '\0'; to++) {
        unsigned value = 0;
        if (*from == '\\' && sscanf(from, "\\%3o", &value) == 1 && strlen(from) >= 4) {
            *to = (char)value;
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* The line "id parent device group point options [tags...] - type source options". */
static bool take_mount(struct search *s, char *line) {
    char *tail = strstr(line, " - ");
    char type[16];
    char options[256];
    if (tail == NULL || sscanf(tail, " - %15s %*s %255s", type, options) != 2 ||
        strcmp(type, s->version2 ? "cgroup2" : "cgroup") != 0)
        return false;
    if (!s->version2 && !list_has(options, "cpu"))
        return false;
    if (sscanf(line, "%*s %*s %*s %1023s %1023s", s->mount_group, s->mount_point) != 2)
        return false;
    unescape(s->mount_group);
    unescape(s->mount_point);
    return true;
}

/* True if `take` accepted one of the file's lines. */
static bool find_line(struct search *s, const char *name,
                      bool (*take)(struct search *s, char *line)) {
    FILE *file = open_below(s, "/proc/self", name);
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    if (file == NULL)
        return false;
    while (!found && getline(&line, &size, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        found = take(s, line);
    }
    free(line);
    (void)fclose(file);
    return found;
}

static bool read_numbers(struct search *s, const char *directory, const char *name,
                         const char *format, long long *first, long long *second) {
    FILE *file = open_below(s, directory, name);
    if (file == NULL)
        return false;
    int wanted = second == NULL ? 1 : 2;
    bool found = fscanf(file, format, first, second) == wanted; // NOLINT(cert-err34-c): or no limit
    (void)fclose(file);
    return found;
}

/* In version 2 "max 100000" or "150000 100000", in microseconds; in version 1 a file for each of
   the two numbers, and -1 where version 2 says max. */
static uint32_t quota_of(struct search *s, const char *directory) {
    long long quota = -1;
    long long period = 0;
    bool found = s->version2
                     ? read_numbers(s, directory, "cpu.max", "%lld %lld", &quota, &period)
                     : read_numbers(s, directory, "cpu.cfs_quota_us", "%lld", &quota, NULL) &&
                           read_numbers(s, directory, "cpu.cfs_period_us", "%lld", &period, NULL);
    if (!found || quota <= 0 || period <= 0)
        return UINT32_MAX;
    long long count = quota / period;
    return count < 1 ? 1 : count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

/* Makes mount_point the directory of this process's group, and returns the length of its prefix
   that is the mount point itself. A group outside of the mounted tree is not visible: then the
   mount point's limit applies. */
static size_t enter_group(struct search *s) {
    size_t top = strlen(s->mount_point);
    size_t outside = strcmp(s->mount_group, "/") == 0 ? 0 : strlen(s->mount_group);
    const char *inside = s->group + outside;
    if (strncmp(s->group, s->mount_group, outside) == 0 && *inside == '/' && inside[1] != '\0' &&
        strstr(inside, "/..") == NULL && top + strlen(inside) < PATH_SIZE)
        memcpy(s->mount_point + top, inside, strlen(inside) + 1);
    return top;
}

/* The least quota from the group of this process up to the mount point. */
static uint32_t least_quota(struct search *s) {
    size_t top = enter_group(s);
    uint32_t least = quota_of(s, s->mount_point);
    while (strlen(s->mount_point) > top) {
        *strrchr(s->mount_point, '/') = '\0';
        uint32_t quota = quota_of(s, s->mount_point);
        least = quota < least ? quota : least;
    }
    return least;
}

static uint32_t quota_in(struct search *s, bool version2) {
    s->version2 = version2;
    if (!find_line(s, "cgroup", take_group) || !find_line(s, "mountinfo", take_mount))
        return UINT32_MAX;
    return least_quota(s);
}

uint32_t shmi_quota_read(const char *root) {
    struct search *s = malloc(sizeof *s);
    if (s == NULL)
        return UINT32_MAX;
    s->root = root;
    uint32_t one = quota_in(s, false);
    uint32_t two = quota_in(s, true);
    free(s);
    return one < two ? one : two;
}
