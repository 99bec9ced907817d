#include "security.h"

#include "error.h"
#include "failure.h"

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
    security->attributes = (SECURITY_ATTRIBUTES){.nLength = sizeof(SECURITY_ATTRIBUTES),
                                                 .lpSecurityDescriptor = descriptor,
                                                 .bInheritHandle = FALSE};
    return SHMIPC_OK;
}

void shmi_security_free(struct security *security) {
    LocalFree(security->attributes.lpSecurityDescriptor);
    security->attributes.lpSecurityDescriptor = NULL;
}

static bool is_ours(PSID owner) {
    struct token_answer user;
    struct token_answer default_owner;
    if (owner == NULL)
        return false;
    return (ask_token(TokenUser, &user) && EqualSid(owner, user.as.user.User.Sid)) ||
           (ask_token(TokenOwner, &default_owner) && EqualSid(owner, default_owner.as.owner.Owner));
}

int shmi_security_check_owner(HANDLE object, const struct object_name *name) {
    PSECURITY_DESCRIPTOR descriptor;
    PSID owner;
    DWORD os_error = GetSecurityInfo(object, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION, &owner,
                                     NULL, NULL, NULL, &descriptor);
    if (os_error != ERROR_SUCCESS)
        return shmi_fail_windows("asking for the owner", name, os_error);
    bool ours = is_ours(owner);
    LocalFree(descriptor);
    if (ours)
        return SHMIPC_OK;
    return shmi_fail(SHMIPC_E_DENIED, "%s is owned by another user", shmi_label(name).text);
}
