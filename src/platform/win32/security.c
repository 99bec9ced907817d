#include "platform/win32/security.h"

#include "base/error.h"
#include "platform/win32/failure.h"

#include <aclapi.h>
#include <sddl.h>
#include <stdio.h>

/* One TOKEN_USER or TOKEN_OWNER with the SID behind it. */
struct token_answer {
    union {
        TOKEN_USER user;
        TOKEN_OWNER owner;
        BYTE bytes[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    } as;
};

static bool ask_token(TOKEN_INFORMATION_CLASS what, struct token_answer *answer) {
    HANDLE token;
    DWORD size;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return false;
    bool known = GetTokenInformation(token, what, answer, sizeof *answer, &size) != 0;
    CloseHandle(token);
    return known;
}

static bool user_alone(char *sddl, size_t size) {
    struct token_answer answer;
    char *sid = NULL;
    if (!ask_token(TokenUser, &answer) || !ConvertSidToStringSidA(answer.as.user.User.Sid, &sid))
        return false;
    (void)snprintf(sddl, size, "D:P(A;;GA;;;%s)", sid);
    LocalFree(sid);
    return true;
}

static struct security with_descriptor(PSECURITY_DESCRIPTOR descriptor) {
    return (struct security){.attributes = {.nLength = sizeof(SECURITY_ATTRIBUTES),
                                            .lpSecurityDescriptor = descriptor,
                                            .bInheritHandle = FALSE}};
}

int shmi_security_make(const char *sddl, struct security *security) {
    char own[256];
    PSECURITY_DESCRIPTOR descriptor;
    if (sddl == NULL && !user_alone(own, sizeof own))
        return shmi_fail_os(SHMIPC_E_SYSTEM, (int)GetLastError(),
                            "this process's user cannot be told: error %lu",
                            (unsigned long)GetLastError());
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorA(sddl == NULL ? own : sddl,
                                                              SDDL_REVISION_1, &descriptor, NULL))
        return shmi_fail_os(SHMIPC_E_INVALID, (int)GetLastError(),
                            "config.sddl is no security descriptor: error %lu",
                            (unsigned long)GetLastError());
    *security = with_descriptor(descriptor);
    return SHMIPC_OK;
}

/* ---- The events' permissions ---- */

#ifndef LABEL_SECURITY_INFORMATION
#define LABEL_SECURITY_INFORMATION 0x00000010
#endif

/* Translates a section's rights into an event's: reading becomes sleeping, writing becomes waking.
   The standard rights stay the same. */
static ACCESS_MASK event_rights(ACCESS_MASK section) {
    ACCESS_MASK rights = section & (STANDARD_RIGHTS_ALL | GENERIC_ALL);
    if ((section & (SECTION_MAP_READ | GENERIC_READ)) != 0)
        rights |= SYNCHRONIZE;
    if ((section & (SECTION_MAP_WRITE | GENERIC_WRITE)) != 0)
        rights |= EVENT_MODIFY_STATE;
    return rights;
}

/* Every kind of entry begins with a header, then the rights. */
static void translate(PACL list) {
    for (DWORD i = 0; list != NULL && i < list->AceCount; i++) {
        void *entry;
        if (GetAce(list, i, &entry))
            ((ACCESS_ALLOWED_ACE *)entry)->Mask = event_rights(((ACCESS_ALLOWED_ACE *)entry)->Mask);
    }
}

/* Copies an integrity label only if there is one: an empty list of labels could be taken for a list
   of audits, which needs a privilege. */
static SECURITY_INFORMATION what_to_copy(HANDLE section) {
    PACL labels = NULL;
    PSECURITY_DESCRIPTOR descriptor = NULL;
    DWORD os_error = GetSecurityInfo(section, SE_KERNEL_OBJECT, LABEL_SECURITY_INFORMATION, NULL,
                                     NULL, NULL, &labels, &descriptor);
    bool labelled = os_error == ERROR_SUCCESS && labels != NULL && labels->AceCount > 0;
    LocalFree(descriptor);
    return DACL_SECURITY_INFORMATION | (labelled ? LABEL_SECURITY_INFORMATION : 0);
}

int shmi_security_of_events(HANDLE section, const struct object_name *name,
                            struct security *security) {
    PACL list = NULL;
    PSECURITY_DESCRIPTOR descriptor = NULL;
    DWORD os_error = GetSecurityInfo(section, SE_KERNEL_OBJECT, what_to_copy(section), NULL, NULL,
                                     &list, NULL, &descriptor);
    if (os_error != ERROR_SUCCESS)
        return shmi_fail_windows("asking for the permissions", name, os_error);
    translate(list);
    *security = with_descriptor(descriptor);
    return SHMIPC_OK;
}

void shmi_security_free(struct security *security) {
    LocalFree(security->attributes.lpSecurityDescriptor);
    security->attributes.lpSecurityDescriptor = NULL;
}

/* ---- Owners ---- */

PSID shmi_security_owner(const struct security *security) {
    PSID owner = NULL;
    BOOL defaulted;
    if (!GetSecurityDescriptorOwner(security->attributes.lpSecurityDescriptor, &owner, &defaulted))
        return NULL;
    return owner;
}

int shmi_security_parse_owner(const char *text, PSID *owner) {
    *owner = NULL;
    if (text == NULL || ConvertStringSidToSidA(text, owner))
        return SHMIPC_OK;
    return shmi_fail_os(SHMIPC_E_INVALID, (int)GetLastError(),
                        "config.owner_sid is \"%s\", which is no SID: error %lu", text,
                        (unsigned long)GetLastError());
}

static bool is_ours(PSID owner) {
    struct token_answer user;
    struct token_answer default_owner;
    return (ask_token(TokenUser, &user) && EqualSid(owner, user.as.user.User.Sid)) ||
           (ask_token(TokenOwner, &default_owner) && EqualSid(owner, default_owner.as.owner.Owner));
}

static int refuse_owner(PSID found, const struct object_name *name, bool named) {
    char *text = NULL;
    if (found == NULL || !ConvertSidToStringSidA(found, &text))
        text = NULL;
    int error = shmi_fail(SHMIPC_E_DENIED, "%s is owned by %s, not by %s", shmi_label(name).text,
                          text == NULL ? "nobody" : text,
                          named ? "config.owner_sid" : "this process's user");
    LocalFree(text);
    return error;
}

int shmi_security_check_owner(HANDLE object, const struct object_name *name, PSID owner) {
    PSECURITY_DESCRIPTOR descriptor;
    PSID found = NULL;
    int error = SHMIPC_OK;
    DWORD os_error = GetSecurityInfo(object, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION, &found,
                                     NULL, NULL, NULL, &descriptor);
    if (os_error != ERROR_SUCCESS)
        return shmi_fail_windows("asking for the owner", name, os_error);
    if (found == NULL || !(owner == NULL ? is_ours(found) : EqualSid(found, owner)))
        error = refuse_owner(found, name, owner != NULL);
    LocalFree(descriptor);
    return error;
}
