#define _GNU_SOURCE
#include "loaded.h"

#include "pair.h"
#include "support/child.h"
#include "support/placement.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is called of the library. */
struct functions {
    int (*host_create)(const char *name, const shmipc_host_config *config, shmipc_peer **host);
    int (*wait_guests)(shmipc_peer *host, uint32_t count, int64_t timeout);
    int (*call)(shmipc_peer *peer, const shmipc_request *request, shmipc_response *response,
                int64_t timeout);
    int (*shutdown)(shmipc_peer *peer, int64_t timeout);
    void (*free)(shmipc_peer *peer);
    const char *(*last_error)(void);
};

struct loaded {
    void *library;
    struct functions f;
    shmipc_peer *host;
    pid_t guest;
};

static void check_loaded(const struct functions *f, int error) {
    if (error) {
        (void)fprintf(stderr, "bench: %s\n", f->last_error());
        exit(EXIT_FAILURE);
    }
}

/* ---- Loading --------------------------------------------------------------------------------- */

/* ISO C has no conversion from an object pointer to a function's. */
static void find(void *library, const char *name, void *function) {
    void *symbol = dlsym(library, name);
    if (!symbol) {
        (void)fprintf(stderr, "bench: %s\n", dlerror());
        exit(EXIT_FAILURE);
    }
    memcpy(function, &symbol, sizeof symbol);
}

static void load(struct loaded *l, const char *name) {
    char *path = program_path(name);
    l->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!l->library) {
        (void)fprintf(stderr, "bench: %s\n", dlerror());
        exit(EXIT_FAILURE);
    }
    free(path);
    find(l->library, "shmipc_host_create", &l->f.host_create);
    find(l->library, "shmipc_wait_guests", &l->f.wait_guests);
    find(l->library, "shmipc_call", &l->f.call);
    find(l->library, "shmipc_shutdown", &l->f.shutdown);
    find(l->library, "shmipc_free", &l->f.free);
    find(l->library, "shmipc_last_error", &l->f.last_error);
}

struct loaded *loaded_start(const char *library, const char *guest) {
    struct loaded *l = calloc(1, sizeof *l);
    const shmipc_host_config config = SHMIPC_HOST_CONFIG_INIT;
    struct region_name name = pair_name();
    char *program = program_path(guest);
    if (!l)
        die("memory");
    load(l, library);
    pin_later();
    check_loaded(&l->f, l->f.host_create(name.text, &config, &l->host));
    l->guest = child_program((char *[]){program, name.text, "0", NULL});
    free(program);
    check_loaded(&l->f, l->f.wait_guests(l->host, 1, SHMIPC_TIMEOUT_DEFAULT));
    pin_again(&l->guest, 1);
    return l;
}

void loaded_stop(struct loaded *l) {
    check_loaded(&l->f, l->f.shutdown(l->host, SHMIPC_TIMEOUT_DEFAULT));
    l->f.free(l->host);
    child_wait(l->guest);
    dlclose(l->library);
    free(l);
}

/* ---- Calling --------------------------------------------------------------------------------- */

struct calls {
    struct loaded *loaded;
    size_t bytes;
    char *there, *back;
};

static void run(void *self, uint64_t calls) {
    const struct calls *c = self;
    const struct functions *f = &c->loaded->f;
    const shmipc_request request = {.data = c->there, .length = c->bytes};
    for (uint64_t i = 0; i < calls; i++) {
        shmipc_response response = {.data = c->back, .capacity = c->bytes};
        check_loaded(f, f->call(c->loaded->host, &request, &response, SHMIPC_TIMEOUT_DEFAULT));
    }
}

static void stop(void *self) {
    struct calls *c = self;
    free(c->there);
    free(c->back);
    free(c);
}

struct subject loaded_calls(struct loaded *loaded, const char *name, const char *guest,
                            size_t bytes) {
    struct calls *c = calloc(1, sizeof *c);
    if (!c)
        die("memory");
    *c = (struct calls){loaded, bytes, calloc(1, bytes + 1), calloc(1, bytes + 1)};
    return (struct subject){.label = {name, guest, bytes, 1, 1, ""},
                            .self = c,
                            .spins = true,
                            .unit = 1,
                            .run = run,
                            .stop = stop};
}
