/*
 * application <region> linked
 *     works with the add-ins it is linked with, and a library of its own
 * application <region> local|kept|global <add-in> <add-in>
 *     loads them: local is a scope of its own each, and they are unloaded in the end; kept are
 *     those that stay for a reason of their own
 *
 * Each add-in contains a library. When one works, no other's library may be called.
 */
#include "addin.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);           \
            std::exit(1);                                                                          \
        }                                                                                          \
    } while (0)

namespace {

#ifdef _WIN32
using module = HMODULE;

module load(const char *path, bool) {
    return LoadLibraryA(path);
}
addin_start *find(module loaded, const char *name) {
    return reinterpret_cast<addin_start *>(reinterpret_cast<void *>(GetProcAddress(loaded, name)));
}
bool unload(module loaded, const char *path) {
    return FreeLibrary(loaded) && GetModuleHandleA(path) == nullptr;
}
#else
using module = void *;

module load(const char *path, bool global) {
    void *loaded = dlopen(path, RTLD_NOW | (global ? RTLD_GLOBAL : RTLD_LOCAL));
    if (loaded == nullptr)
        std::fprintf(stderr, "%s\n", dlerror());
    return loaded;
}
addin_start *find(module loaded, const char *name) {
    return reinterpret_cast<addin_start *>(dlsym(loaded, name));
}
bool unload(module loaded, const char *path) {
    return dlclose(loaded) == 0 && dlopen(path, RTLD_NOW | RTLD_NOLOAD) == nullptr;
}
#endif

/* One works; the others' libraries are not called, and have no failure. */
void work_apart(const addin *one, const addin *other, const char *region) {
    const unsigned before = one->uses();
    const unsigned others = other->uses();
    const std::string failure = other->failure();
    const unsigned failures = other->uses() - others; /* failure() is one */
    if (const int line = one->work(region)) {
        std::fprintf(stderr, "addin.cpp:%d: not so; \"%s\"\n", line, one->failure());
        std::exit(1);
    }
    std::printf("%u calls of its own library, %u of another\n", one->uses() - before,
                other->uses() - others - failures);
    CHECK(one->uses() >= before + 50);
    CHECK(other->uses() == others + failures);
    CHECK(failure == other->failure());
}

#ifdef LINKED
void linked(const char *region) {
    const addin *all[] = {addin_own(), addin_one(), addin_other()};
    for (const addin *one : all)
        for (const addin *other : all)
            if (one != other)
                work_apart(one, other, region);
}
#endif

void loaded(const char *region, const char *scope, const char *one_path, const char *other_path) {
    const bool global = std::strcmp(scope, "global") == 0;
    const module one = load(one_path, global);
    const module other = load(other_path, global);
    CHECK(one && other);
    const auto start_one = find(one, "addin_one");
    const auto start_other = find(other, "addin_other");
    CHECK(start_one && start_other);
    work_apart(start_one(), start_other(), region);
    work_apart(start_other(), start_one(), region);
    /* In a global scope templates of the standard library, found in the first, keep it. */
    const bool goes = unload(other, other_path);
    CHECK((unload(one, one_path) && goes) || std::strcmp(scope, "local") != 0);
}

} // namespace

int main(int count, char **arguments) {
    CHECK(count >= 3);
#ifdef LINKED
    if (std::strcmp(arguments[2], "linked") == 0) {
        linked(arguments[1]);
        return 0;
    }
#endif
    CHECK(count == 5);
    loaded(arguments[1], arguments[2], arguments[3], arguments[4]);
    return 0;
}
