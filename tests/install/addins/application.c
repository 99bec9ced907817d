/*
 * application <region> <add-in>...: loads add-ins that know nothing of each other, and would let
 * each see the other's symbols, and shows that the library in one is not the library in another.
 */
#include "addin.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef WITH_LIBRARY
#include <shmipc/shmipc.h>
#endif

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static const struct addin *load(const char *path) {
    const struct addin *(*start)(void);
    void *addin = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    if (addin == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    *(void **)&start = dlsym(addin, "addin_start");
    CHECK(start != NULL);
    return start();
}

static void have_libraries_of_their_own(const struct addin *one, const struct addin *other) {
    CHECK(one->version != other->version);
    CHECK(one->version() != other->version());
}

static void fail_apart(const struct addin *one, const struct addin *other) {
    CHECK(one->host("no/name") != 0);
    CHECK(strlen(one->failure()) > 0);
    CHECK(strcmp(one->failure(), other->failure()) != 0);
}

static void meet_in_a_region_only(const struct addin *one, const struct addin *other,
                                  const char *region) {
    CHECK(one->host(region) == 0);
    CHECK(other->guest(region) == 0);
    other->leave();
    one->leave();
}

int main(int count, char **arguments) {
    CHECK(count == 4);
    const struct addin *one = load(arguments[2]);
    const struct addin *other = load(arguments[3]);
    have_libraries_of_their_own(one, other);
#ifdef WITH_LIBRARY
    CHECK(one->version != shmipc_version && other->version != shmipc_version);
#endif
    fail_apart(one, other);
    meet_in_a_region_only(one, other, arguments[1]);
    return 0;
}
