/* Whose objects a guest believes on Windows. */
#include "support/fixture.h"
#include "windows/objects.h"

#include "peer/peer.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

#define STRANGER "S-1-5-21-1-2-3-4"

static void a_directory_of_another_owner_is_not_believed(void **state) {
    (void)state;
    struct region_name name = new_name();
    struct region_name alias = new_name();
    char directory[128];
    shmipc_peer *host;
    must_equal(shmipc_host_create(name.text, NULL, &host), SHMIPC_OK);
    struct directory_bytes bytes = {.nonce = host->region.shared->header.nonce};
    memcpy(bytes.magic, "SHMIPCD\n", 8);
    (void)snprintf(directory, sizeof directory, "Local\\shmipc.%s", alias.text);
    HANDLE planted = make_section(directory, "O:" STRANGER "D:(A;;GA;;;WD)", &bytes, sizeof bytes);
    assert_int_equal(attach(alias.text), SHMIPC_E_DENIED);
    assert_says(STRANGER);
    assert_int_equal(create(alias.text), SHMIPC_E_DENIED);
    CloseHandle(planted);
    planted = plant_directory(alias.text, &bytes, sizeof bytes);
    assert_int_equal(attach(alias.text), SHMIPC_OK);
    CloseHandle(planted);
    shmipc_free(host);
}

/* The directory belongs to this user, and the region that it names does not. */
static void a_region_of_another_owner_is_not_believed(void **state) {
    (void)state;
    struct region_name name = new_name();
    struct directory_bytes bytes = {.magic = "SHMIPCD", .nonce = NONCE};
    shmipc_peer *host;
    char region[128];
    must_equal(shmipc_host_create(new_name().text, NULL, &host), SHMIPC_OK);
    struct header header;
    memcpy(&header, &host->region.shared->header, sizeof header);
    bytes.magic[7] = '\n';
    (void)snprintf(region, sizeof region, "Local\\shmipc-%016llx", (unsigned long long)NONCE);
    HANDLE directory = plant_directory(name.text, &bytes, sizeof bytes);
    HANDLE planted = make_section(region, "O:" STRANGER "D:(A;;GA;;;WD)", &header, sizeof header);
    assert_int_equal(attach(name.text), SHMIPC_E_DENIED);
    assert_says(STRANGER);
    CloseHandle(planted);
    CloseHandle(directory);
    shmipc_free(host);
}

static int attach_to(const char *region, const char *trusted) {
    shmipc_guest_config config = test_guest_config();
    shmipc_peer *guest;
    config.owner_sid = trusted;
    int error = shmipc_guest_attach(region, &config, 0, &guest);
    shmipc_free(guest);
    return error;
}

static void a_guest_trusts_the_owner_that_it_names(void **state) {
    (void)state;
    static const struct {
        const char *sddl, *owner;
    } services[] = {{"O:" STRANGER "D:P(A;;GA;;;WD)", STRANGER},
                    {"O:SYD:P(A;;GA;;;WD)", "SY"},
                    {"O:SYD:P(A;;GA;;;WD)", "S-1-5-18"}};
    for (unsigned i = 0; i < sizeof services / sizeof *services; i++) {
        shmipc_host_config config = test_host_config();
        struct region_name name = new_name();
        shmipc_peer *host;
        config.sddl = services[i].sddl;
        assert_int_equal(shmipc_host_create(name.text, &config, &host), SHMIPC_OK);
        assert_int_equal(attach_to(name.text, NULL), SHMIPC_E_DENIED);
        assert_int_equal(attach_to(name.text, "BA"), SHMIPC_E_DENIED);
        assert_says("config.owner_sid");
        assert_int_equal(attach_to(name.text, services[i].owner), SHMIPC_OK);
        assert_int_equal(attach_to(name.text, "the system"), SHMIPC_E_INVALID);
        assert_says("the system");
        shmipc_free(host);
    }
}

/* This holds also if objects belong to a group of administrators, as they may by default. */
static void a_guest_trusts_what_belongs_to_its_user(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_host_config config = test_host_config();
    shmipc_peer *host;
    char sddl[256];
    char *user = user_sid();
    (void)snprintf(sddl, sizeof sddl, "O:%sD:P(A;;GA;;;WD)", user);
    LocalFree(user);
    config.sddl = sddl;
    assert_int_equal(shmipc_host_create(name.text, &config, &host), SHMIPC_OK);
    assert_int_equal(attach_to(name.text, NULL), SHMIPC_OK);
    shmipc_free(host);
}

/* It does not trust even the user of its own process. */
static void a_guest_that_names_an_owner_trusts_nobody_else(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_peer *host;
    assert_int_equal(shmipc_host_create(name.text, NULL, &host), SHMIPC_OK);
    assert_int_equal(attach_to(name.text, STRANGER), SHMIPC_E_DENIED);
    assert_int_equal(attach_to(name.text, NULL), SHMIPC_OK);
    shmipc_free(host);
}

static void a_guest_has_no_owner_to_name(void **state) {
    (void)state;
    shmipc_guest_config config = test_guest_config();
    shmipc_peer *guest;
    config.owner = 1000;
    assert_int_equal(shmipc_guest_attach("x", &config, 0, &guest), SHMIPC_E_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_directory_of_another_owner_is_not_believed),
        watched_test(a_region_of_another_owner_is_not_believed),
        watched_test(a_guest_trusts_the_owner_that_it_names),
        watched_test(a_guest_trusts_what_belongs_to_its_user),
        watched_test(a_guest_that_names_an_owner_trusts_nobody_else),
        watched_test(a_guest_has_no_owner_to_name),
    };
    return cmocka_run_group_tests_name("owners", tests, NULL, NULL);
}
