#include "windows/objects.h"

#include <stdio.h>
#include <string.h>

#include <sddl.h>

HANDLE make_section_of(const char *name, const char *sddl, DWORD kind, DWORD size) {
    SECURITY_ATTRIBUTES attributes = {.nLength = sizeof attributes};
    must(ConvertStringSecurityDescriptorToSecurityDescriptorA(
        sddl, SDDL_REVISION_1, &attributes.lpSecurityDescriptor, NULL));
    HANDLE section =
        CreateFileMappingA(INVALID_HANDLE_VALUE, &attributes, PAGE_READWRITE | kind, 0, size, name);
    must(section != NULL);
    LocalFree(attributes.lpSecurityDescriptor);
    return section;
}

HANDLE make_section(const char *name, const char *sddl, const void *bytes, size_t length) {
    HANDLE section = make_section_of(name, sddl, SEC_COMMIT, 4096);
    void *view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
    must(view != NULL);
    memcpy(view, bytes, length);
    UnmapViewOfFile(view);
    return section;
}

HANDLE plant_directory(const char *region, const void *bytes, size_t length) {
    char name[128];
    (void)snprintf(name, sizeof name, "Local\\shmipc.%s", region);
    return make_section(name, "D:(A;;GA;;;WD)", bytes, length);
}

int create(const char *region) {
    const shmipc_host_config config = test_host_config();
    shmipc_peer *host;
    int error = shmipc_host_create(region, &config, &host);
    shmipc_free(host);
    return error;
}

int attach(const char *region) {
    shmipc_peer *guest;
    int error = shmipc_guest_attach(region, NULL, 0, &guest);
    shmipc_free(guest);
    return error;
}

void assert_says(const char *text) {
    if (strstr(shmipc_last_error(), text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", shmipc_last_error(), text);
}

char *user_sid(void) {
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
