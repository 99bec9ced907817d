/*
 * A host application unloads an add-in whenever it likes.
 */
#include "hazard/plugin.h"
#include "support/fixture.h"

#include <dlfcn.h>
#include <string.h>

enum { ROUNDS = 20 };

static plugin_start *find_start(void *library) {
    plugin_start *(*find)(void);
    void *symbol = dlsym(library, "plugin");
    must(symbol != NULL);
    memcpy(&find, &symbol, sizeof find); /* C has no cast for this */
    return find();
}

static void an_add_in_is_unloaded_while_its_slot_is_held_and_its_handler_runs(void **state) {
    (void)state;
    shmipc_guest_config config = test_guest_config();
    for (int i = 0; i < ROUNDS; i++) {
        struct region_name name = new_name();
        struct call_thread call;
        shmipc_peer *guest;
        void *library = dlopen(PLUGIN, RTLD_NOW | RTLD_LOCAL);
        assert_non_null(library);
        assert_int_equal(find_start(library)(name.text), SHMIPC_OK);
        assert_int_equal(shmipc_guest_attach(name.text, &config, SECOND, &guest), SHMIPC_OK);
        call_start(&call, guest, SHMIPC_FOREVER);
        for (int n = 0; n < i; n++)
            pause_briefly();
        assert_int_equal(dlclose(library), 0);
        assert_null(dlopen(PLUGIN, RTLD_NOW | RTLD_NOLOAD));
        int result = call_join(&call);
        assert_true(result == SHMIPC_E_PEER_DIED || result == SHMIPC_E_SHUTDOWN ||
                    result == SHMIPC_E_NO_PEER);
        shmipc_free(guest);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(an_add_in_is_unloaded_while_its_slot_is_held_and_its_handler_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
