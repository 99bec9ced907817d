/* Who may open which object of a region on Windows. */
#include "support/fixture.h"
#include "windows/objects.h"

#include "peer/peer.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

#include <aclapi.h>
#include <sddl.h>

struct part_name {
    char text[64];
};

/* The name of an object of the host's region; "" is the region itself. */
static struct part_name part_of(const shmipc_peer *host, const char *part) {
    struct part_name name;
    (void)snprintf(name.text, sizeof name.text, "Local\\shmipc-%016llx%s",
                   (unsigned long long)host->region.shared->header.nonce, part);
    return name;
}

/* The permissions of the region's section, as text to be freed by LocalFree. */
static char *permissions_of(const shmipc_peer *host) {
    char *text = NULL;
    PSECURITY_DESCRIPTOR descriptor;
    HANDLE section = OpenFileMappingA(READ_CONTROL, FALSE, part_of(host, "").text);
    must(section != NULL);
    must_equal(GetSecurityInfo(section, SE_KERNEL_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL,
                               NULL, NULL, &descriptor),
               0);
    must(ConvertSecurityDescriptorToStringSecurityDescriptorA(
        descriptor, SDDL_REVISION_1, DACL_SECURITY_INFORMATION, &text, NULL));
    LocalFree(descriptor);
    CloseHandle(section);
    return text;
}

static unsigned count_entries(const char *permissions) {
    unsigned count = 0;
    for (const char *c = permissions; *c != 0; c++)
        count += *c == '(';
    return count;
}

static void by_default_the_user_alone_may_open_a_region(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, NULL);
    char *permissions = permissions_of(pair.host);
    char *user = user_sid();
    assert_int_equal(count_entries(permissions), 1);
    assert_non_null(strstr(permissions, user));
    LocalFree(permissions);
    LocalFree(user);
    pair_close(&pair);
}

static void the_hosts_permissions_are_as_asked(void **state) {
    (void)state;
    shmipc_host_config config = test_host_config();
    struct pair pair;
    config.sddl = "D:P(A;;GA;;;WD)(A;;GA;;;SY)";
    pair_open(&pair, &config);
    char *permissions = permissions_of(pair.host);
    assert_int_equal(count_entries(permissions), 2);
    assert_non_null(strstr(permissions, ";WD)"));
    LocalFree(permissions);
    pair_close(&pair);
    config.sddl = "all for everybody";
    assert_int_equal(shmipc_host_create(pair.name.text, &config, &pair.host), SHMIPC_E_INVALID);
    assert_says("sddl");
}

/* The rights in the entries of an event's permissions; returns how many entries there are. */
static DWORD event_rights(const shmipc_peer *host, const char *part, ACCESS_MASK rights[8]) {
    PSECURITY_DESCRIPTOR descriptor;
    PACL list;
    HANDLE event = OpenEventA(READ_CONTROL, FALSE, part_of(host, part).text);
    if (event == NULL)
        fail_msg("there is no %s", part);
    must_equal(GetSecurityInfo(event, SE_KERNEL_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL,
                               &list, NULL, &descriptor),
               0);
    DWORD count = list->AceCount;
    for (DWORD i = 0; i < count && i < 8; i++) {
        void *entry;
        must(GetAce(list, i, &entry));
        rights[i] = ((ACCESS_ALLOWED_ACE *)entry)->Mask;
    }
    LocalFree(descriptor);
    CloseHandle(event);
    return count;
}

/* A process that may read and write the region may sleep and wake there, on the events of either
   side: the events have each entry of the region's permissions. The rights that are asked for are
   those that a section and an event both have under other names, or generic ones. */
static void permissions_to_sleep_and_wake_follow_the_regions(void **state) {
    (void)state;
    static const char *const parts[] = {"-lock-0", "-lock-1", "-bell-4-0", "-bell-4-1"};
    shmipc_host_config config = test_host_config();
    struct pair pair;
    shmipc_event event;
    config.sddl = "D:P(A;;GA;;;SY)(A;;GRGW;;;WD)(A;;0x20006;;;IU)(A;;GR;;;LS)(A;;0x20002;;;NS)";
    pair_open(&pair, &config);
    while (shmipc_next_event(pair.host, MILLISECOND, &event) != SHMIPC_E_TIMEOUT)
        continue;
    while (shmipc_next_event(pair.guest, MILLISECOND, &event) != SHMIPC_E_TIMEOUT)
        continue;
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
        const ACCESS_MASK both = SYNCHRONIZE | EVENT_MODIFY_STATE;
        ACCESS_MASK rights[8] = {0};
        assert_int_equal(event_rights(pair.host, parts[i], rights), 5);
        assert_true(rights[0] == GENERIC_ALL || rights[0] == EVENT_ALL_ACCESS);
        assert_int_equal(rights[1] & ~(ACCESS_MASK)READ_CONTROL, both);
        assert_int_equal(rights[2], both | READ_CONTROL);
        assert_int_equal(rights[3] & ~(ACCESS_MASK)READ_CONTROL, SYNCHRONIZE);
        assert_int_equal(rights[4], EVENT_MODIFY_STATE | READ_CONTROL);
    }
    pair_close(&pair);
}

/* A process of low integrity may write only to objects with a low label. */
static void integrity_labels_follow_the_regions(void **state) {
    (void)state;
    static const char *const parts[] = {"-lock-0", "-lock-1"};
    shmipc_host_config config = test_host_config();
    struct pair pair;
    config.sddl = "D:P(A;;GA;;;WD)S:(ML;;NW;;;LW)";
    pair_open(&pair, &config);
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
        PSECURITY_DESCRIPTOR descriptor;
        PACL labels;
        HANDLE event = OpenEventA(READ_CONTROL, FALSE, part_of(pair.host, parts[i]).text);
        assert_non_null(event);
        assert_int_equal(GetSecurityInfo(event, SE_KERNEL_OBJECT, LABEL_SECURITY_INFORMATION, NULL,
                                         NULL, NULL, &labels, &descriptor),
                         0);
        assert_non_null(labels);
        assert_int_equal(labels->AceCount, 1);
        LocalFree(descriptor);
        CloseHandle(event);
    }
    pair_close(&pair);
}

static void permissions_that_shut_out_their_own_user_are_refused(void **state) {
    (void)state;
    shmipc_host_config config = test_host_config();
    shmipc_peer *host;
    config.sddl = "D:P(A;;GA;;;SY)";
    assert_int_equal(shmipc_host_create(new_name().text, &config, &host), SHMIPC_E_INVALID);
    assert_says("own user");
    config.sddl = "D:P(A;;GA;;;SY)(A;;GR;;;WD)";
    assert_int_equal(shmipc_host_create(new_name().text, &config, &host), SHMIPC_E_INVALID);
}

/* A lock that may not be opened is held, and no reason to stay out of the region. */
static void a_lock_that_may_not_be_opened_is_held(void **state) {
    (void)state;
    SECURITY_ATTRIBUTES nobody = {.nLength = sizeof nobody};
    struct region_name name = new_name();
    const shmipc_guest_config guest_config = test_guest_config();
    shmipc_peer *guest;
    shmipc_info info;
    shmipc_peer *host;
    must_equal(shmipc_host_create(name.text, NULL, &host), SHMIPC_OK);
    must(ConvertStringSecurityDescriptorToSecurityDescriptorA("D:P(D;;GA;;;WD)", SDDL_REVISION_1,
                                                              &nobody.lpSecurityDescriptor, NULL));
    HANDLE lock = CreateEventA(&nobody, FALSE, FALSE, part_of(host, "-lock-1").text);
    LocalFree(nobody.lpSecurityDescriptor);
    assert_int_equal(shmipc_guest_attach(name.text, &guest_config, 0, &guest), SHMIPC_OK);
    assert_int_equal(shmipc_get_info(guest, &info), SHMIPC_OK);
    assert_int_equal(info.index, 2);
    CloseHandle(lock);
    shmipc_free(guest);
    shmipc_free(host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(by_default_the_user_alone_may_open_a_region),
        watched_test(the_hosts_permissions_are_as_asked),
        watched_test(permissions_to_sleep_and_wake_follow_the_regions),
        watched_test(integrity_labels_follow_the_regions),
        watched_test(permissions_that_shut_out_their_own_user_are_refused),
        watched_test(a_lock_that_may_not_be_opened_is_held),
    };
    return cmocka_run_group_tests_name("permissions", tests, NULL, NULL);
}
