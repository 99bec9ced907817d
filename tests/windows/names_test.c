/*
 * Conflicts of names on Windows: other objects of the name, objects that another process made under
 * a name that only we can know, live and dead hosts; and permissions.
 */
#include "support/fixture.h"

#include "peer/peer.h"
#include "platform/win32/object.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

#include <aclapi.h>
#include <sddl.h>

static uint64_t next_nonce; /* 0: a random one */

/* Named for the linker, which puts ours in place of the library's. */
uint64_t real_nonce(void) __asm__("__real_shmi_random_nonce");
uint64_t chosen_nonce(void) __asm__("__wrap_shmi_random_nonce");

uint64_t chosen_nonce(void) {
    return next_nonce != 0 ? next_nonce : real_nonce();
}

enum { NONCE = 0x1234abcd };

struct directory_bytes {
    char magic[8];
    uint64_t nonce;
    uint64_t started;
    uint32_t pid;
};

static HANDLE make_section_of(const char *name, const char *sddl, DWORD kind, DWORD size) {
    SECURITY_ATTRIBUTES attributes = {.nLength = sizeof attributes};
    must(ConvertStringSecurityDescriptorToSecurityDescriptorA(
        sddl, SDDL_REVISION_1, &attributes.lpSecurityDescriptor, NULL));
    HANDLE section =
        CreateFileMappingA(INVALID_HANDLE_VALUE, &attributes, PAGE_READWRITE | kind, 0, size, name);
    must(section != NULL);
    LocalFree(attributes.lpSecurityDescriptor);
    return section;
}

static HANDLE make_section(const char *name, const char *sddl, const void *bytes, size_t length) {
    HANDLE section = make_section_of(name, sddl, SEC_COMMIT, 4096);
    void *view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
    must(view != NULL);
    memcpy(view, bytes, length);
    UnmapViewOfFile(view);
    return section;
}

static HANDLE plant_directory(const char *region, const void *bytes, size_t length) {
    char name[128];
    (void)snprintf(name, sizeof name, "Local\\shmipc.%s", region);
    return make_section(name, "D:(A;;GA;;;WD)", bytes, length);
}

static int create(const char *region) {
    const shmipc_host_config config = test_host_config();
    shmipc_peer *host;
    int error = shmipc_host_create(region, &config, &host);
    shmipc_free(host);
    return error;
}

static int attach(const char *region) {
    shmipc_peer *guest;
    int error = shmipc_guest_attach(region, NULL, 0, &guest);
    shmipc_free(guest);
    return error;
}

static void assert_says(const char *text) {
    if (strstr(shmipc_last_error(), text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", shmipc_last_error(), text);
}

/* ---- The directory ---- */

static void a_section_that_is_no_directory_is_refused(void **state) {
    (void)state;
    struct region_name name = new_name();
    HANDLE squatter = plant_directory(name.text, "something", 9);
    assert_int_equal(create(name.text), SHMIPC_E_NOT_A_REGION);
    assert_says("begins with");
    assert_int_equal(attach(name.text), SHMIPC_E_NOT_A_REGION);
    CloseHandle(squatter);
    assert_int_equal(create(name.text), SHMIPC_OK);
}

static void an_object_of_another_kind_is_refused(void **state) {
    (void)state;
    struct region_name name = new_name();
    char directory[128];
    (void)snprintf(directory, sizeof directory, "Local\\shmipc.%s", name.text);
    HANDLE squatter = CreateEventA(NULL, FALSE, FALSE, directory);
    assert_int_equal(create(name.text), SHMIPC_E_NOT_A_REGION);
    assert_says("another kind");
    assert_int_equal(shmipc_last_os_error(), ERROR_INVALID_HANDLE);
    assert_int_equal(attach(name.text), SHMIPC_E_NOT_A_REGION);
    CloseHandle(squatter);
    assert_int_equal(create(name.text), SHMIPC_OK);
}

static void a_directory_that_is_not_written_yet_names_nothing(void **state) {
    (void)state;
    struct region_name name = new_name();
    HANDLE fresh = plant_directory(name.text, "", 1);
    assert_int_equal(attach(name.text), SHMIPC_E_NOT_FOUND);
    assert_int_equal(create(name.text), SHMIPC_OK);
    CloseHandle(fresh);
}

static void a_directory_that_may_not_be_opened_is_denied(void **state) {
    (void)state;
    struct region_name name = new_name();
    char directory[128];
    (void)snprintf(directory, sizeof directory, "Local\\shmipc.%s", name.text);
    HANDLE squatter = make_section(directory, "D:P(D;;GA;;;WD)", "", 1);
    assert_int_equal(create(name.text), SHMIPC_E_DENIED);
    assert_int_equal(attach(name.text), SHMIPC_E_DENIED);
    CloseHandle(squatter);
}

static void a_name_that_is_being_taken_over_is_in_use(void **state) {
    (void)state;
    struct region_name name = new_name();
    char lock[128];
    (void)snprintf(lock, sizeof lock, "Local\\shmipc!%s", name.text);
    HANDLE event = CreateEventA(NULL, FALSE, FALSE, lock);
    assert_int_equal(create(name.text), SHMIPC_E_NAME_IN_USE);
    assert_says("taken over");
    CloseHandle(event);
    assert_int_equal(create(name.text), SHMIPC_OK);
}

/* A held lock proves nothing if the directory names another process than the holder. */
static void a_host_is_known_by_its_process_too(void **state) {
    (void)state;
    struct region_name name = new_name();
    struct directory_bytes bytes = {.nonce = NONCE, .pid = GetCurrentProcessId()};
    memcpy(bytes.magic, "SHMIPCD\n", 8);
    bytes.started = shmi_process_origin();
    HANDLE lock = CreateEventA(NULL, FALSE, FALSE, "Local\\shmipc-000000001234abcd-lock-0");
    HANDLE directory = plant_directory(name.text, &bytes, sizeof bytes);
    assert_int_equal(create(name.text), SHMIPC_E_NAME_IN_USE);
    assert_says("live host");
    CloseHandle(directory);
    bytes.started++; /* the id was given to another process since */
    directory = plant_directory(name.text, &bytes, sizeof bytes);
    assert_int_equal(create(name.text), SHMIPC_OK);
    CloseHandle(directory);
    CloseHandle(lock);
}

static void a_second_host_is_refused_and_changes_nothing(void **state) {
    (void)state;
    struct pair pair;
    struct server server;
    pair_open(&pair, NULL);
    server_start(&server, pair.guest, echo_handler, NULL);
    const shmipc_request nothing = {.data = NULL};
    for (int i = 0; i < 100; i++) {
        assert_int_equal(create(pair.name.text), SHMIPC_E_NAME_IN_USE);
        assert_int_equal(shmipc_call(pair.host, &nothing, NULL, 20 * SECOND), SHMIPC_OK);
    }
    assert_int_equal(attach(pair.name.text), SHMIPC_OK);
    assert_int_equal(server_stop(&server), SHMIPC_E_WOKEN);
    pair_close(&pair);
}

/* Memory that is reserved only faults where it is touched. */
static void memory_that_is_reserved_only_is_not_touched(void **state) {
    (void)state;
    const struct directory_bytes bytes = {.magic = "SHMIPCD\n", .nonce = NONCE};
    struct region_name name = new_name();
    char directory[128];
    (void)snprintf(directory, sizeof directory, "Local\\shmipc.%s", name.text);
    HANDLE squatter = make_section_of(directory, "D:(A;;GA;;;WD)", SEC_RESERVE, 4096);
    assert_int_equal(attach(name.text), SHMIPC_E_NOT_A_REGION);
    assert_int_equal(create(name.text), SHMIPC_E_NOT_A_REGION);
    CloseHandle(squatter);
    squatter =
        make_section_of("Local\\shmipc-000000001234abcd", "D:(A;;GA;;;WD)", SEC_RESERVE, 1 << 20);
    HANDLE planted = plant_directory(name.text, &bytes, sizeof bytes);
    assert_int_equal(attach(name.text), SHMIPC_E_TRUNCATED);
    CloseHandle(planted);
    CloseHandle(squatter);
}

/* Only what has been seen is believed: a name that may not be looked at has not gone. */
static void a_name_that_cannot_be_looked_at_is_not_gone(void **state) {
    (void)state;
    struct pair pair;
    char directory[128];
    pair_open(&pair, NULL);
    struct object *object = pair.guest->region.object;
    assert_true(shmi_object_has_name(object));
    (void)shmi_object_unpublish(pair.host->region.object);
    assert_false(shmi_object_has_name(object));
    (void)snprintf(directory, sizeof directory, "Local\\shmipc.%s", pair.name.text);
    HANDLE closed = make_section(directory, "D:P(D;;GA;;;WD)", "", 1);
    assert_true(shmi_object_has_name(object));
    CloseHandle(closed);
    assert_false(shmi_object_has_name(object));
    pair_close(&pair);
}

/* ---- Names that nobody else can know ---- */

static void a_region_that_exists_already_is_not_used(void **state) {
    (void)state;
    struct region_name name = new_name();
    next_nonce = NONCE;
    HANDLE squatter = make_section("Local\\shmipc-000000001234abcd", "D:(A;;GA;;;WD)", "", 1);
    assert_int_equal(create(name.text), SHMIPC_E_DENIED);
    assert_int_equal(shmipc_last_os_error(), ERROR_ALREADY_EXISTS);
    assert_says("nobody else can know");
    CloseHandle(squatter);
    assert_int_equal(create(name.text), SHMIPC_OK);
    next_nonce = 0;
}

static void a_lock_that_exists_already_is_not_used(void **state) {
    (void)state;
    struct region_name name = new_name();
    next_nonce = NONCE;
    HANDLE squatter = CreateEventA(NULL, FALSE, FALSE, "Local\\shmipc-000000001234abcd-lock-0");
    assert_int_equal(create(name.text), SHMIPC_E_DENIED);
    assert_says("holds the lock");
    CloseHandle(squatter);
    assert_int_equal(create(name.text), SHMIPC_OK);
    next_nonce = 0;
}

/* ---- Unicode and sessions ---- */

static void found_one(void *context, const char *name) {
    (void)context;
    fail_msg("%s is said to be left behind", name);
}

static void a_host_leaves_no_name_to_be_removed(void **state) {
    (void)state;
    const shmipc_host_config config = test_host_config();
    struct region_name name = new_name();
    shmipc_peer *host;
    assert_int_equal(shmipc_host_create(name.text, &config, &host), SHMIPC_OK);
    assert_int_equal(shmipc_remove_dead_region(name.text), SHMIPC_E_NAME_IN_USE);
    assert_int_equal(shmipc_dead_regions(NULL, found_one, NULL), 0);
    assert_int_equal(shmipc_remove_dead_regions(NULL), 0);
    assert_int_equal(attach(name.text), SHMIPC_OK);
    shmipc_free(host);
    assert_int_equal(shmipc_remove_dead_region(name.text), SHMIPC_E_NOT_FOUND);
}

static void a_name_beyond_ascii_leads_to_its_region(void **state) {
    (void)state;
    static const char *const endings[] = {"Größe", "区域", "\xf0\x9f\x9a\x80"};
    for (unsigned i = 0; i < sizeof endings / sizeof *endings; i++) {
        char name[128];
        const shmipc_host_config config = test_host_config();
        shmipc_peer *host;
        (void)snprintf(name, sizeof name, "%s-%s", new_name().text, endings[i]);
        assert_int_equal(shmipc_host_create(name, &config, &host), SHMIPC_OK);
        assert_int_equal(attach(name), SHMIPC_OK);
        name[strlen(name) - 1]--;
        assert_int_not_equal(attach(name), SHMIPC_OK);
        shmipc_free(host);
    }
}

static void a_global_name_is_another_name(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_host_config host_config = test_host_config();
    shmipc_guest_config guest_config = test_guest_config();
    shmipc_peer *host;
    shmipc_peer *guest;
    host_config.flags = SHMIPC_GLOBAL;
    assert_int_equal(shmipc_host_create(name.text, &host_config, &host), SHMIPC_OK);
    assert_int_equal(attach(name.text), SHMIPC_E_NOT_FOUND);
    guest_config.flags = SHMIPC_GLOBAL;
    assert_int_equal(shmipc_guest_attach(name.text, &guest_config, 0, &guest), SHMIPC_OK);
    assert_int_equal(create(name.text), SHMIPC_OK); /* the session's own */
    shmipc_free(guest);
    shmipc_free(host);
}

/* ---- Permissions ---- */

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

static char *user_sid(void) {
    BYTE bytes[256];
    DWORD size;
    HANDLE token;
    char *text = NULL;
    must(OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token));
    must(GetTokenInformation(token, TokenUser, bytes, sizeof bytes, &size));
    must(ConvertSidToStringSidA(((TOKEN_USER *)(void *)bytes)->User.Sid, &text));
    CloseHandle(token);
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

/* A process of low integrity may write to what has a low label only. */
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

/* ---- Owners ---- */

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

/* The directory is this user's own, and the region that it names is not. */
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

/* Also where objects belong to a group of administrators, as the default may be. */
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

/* Not even this process's own user. */
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
        watched_test(a_section_that_is_no_directory_is_refused),
        watched_test(an_object_of_another_kind_is_refused),
        watched_test(a_directory_that_is_not_written_yet_names_nothing),
        watched_test(a_directory_that_may_not_be_opened_is_denied),
        watched_test(a_name_that_is_being_taken_over_is_in_use),
        watched_test(a_host_is_known_by_its_process_too),
        watched_test(a_second_host_is_refused_and_changes_nothing),
        watched_test(memory_that_is_reserved_only_is_not_touched),
        watched_test(a_name_that_cannot_be_looked_at_is_not_gone),
        watched_test(a_region_that_exists_already_is_not_used),
        watched_test(a_lock_that_exists_already_is_not_used),
        watched_test(a_host_leaves_no_name_to_be_removed),
        watched_test(a_name_beyond_ascii_leads_to_its_region),
        watched_test(a_global_name_is_another_name),
        watched_test(by_default_the_user_alone_may_open_a_region),
        watched_test(the_hosts_permissions_are_as_asked),
        watched_test(permissions_to_sleep_and_wake_follow_the_regions),
        watched_test(integrity_labels_follow_the_regions),
        watched_test(permissions_that_shut_out_their_own_user_are_refused),
        watched_test(a_lock_that_may_not_be_opened_is_held),
        watched_test(a_directory_of_another_owner_is_not_believed),
        watched_test(a_region_of_another_owner_is_not_believed),
        watched_test(a_guest_trusts_the_owner_that_it_names),
        watched_test(a_guest_trusts_what_belongs_to_its_user),
        watched_test(a_guest_that_names_an_owner_trusts_nobody_else),
        watched_test(a_guest_has_no_owner_to_name),
    };
    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
