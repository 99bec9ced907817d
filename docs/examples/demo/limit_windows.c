#include "limit_system.h"

#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

static HANDLE handle(intptr_t number) {
    return (HANDLE)number; // NOLINT(performance-no-int-to-ptr)
}

/* Another process of this program, which inherits the page, the bell's other end and our handle. */
static bool start_child(struct limit *limit, HANDLE section, HANDLE bell, HANDLE self) {
    char program[MAX_PATH];
    char line[MAX_PATH + 128];
    STARTUPINFOA startup = {.cb = sizeof startup};
    PROCESS_INFORMATION made;
    if (GetModuleFileNameA(NULL, program, sizeof program) == 0)
        return false;
    (void)snprintf(line, sizeof line, "\"%s\" --limit %lld %lld %lld", program,
                   (long long)(intptr_t)section, (long long)(intptr_t)bell,
                   (long long)(intptr_t)self);
    if (!CreateProcessA(program, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &made))
        return false;
    CloseHandle(made.hThread);
    limit->child = (intptr_t)made.hProcess;
    return true;
}

static HANDLE inheritable_self(void) {
    HANDLE self = GetCurrentProcess();
    HANDLE copy = NULL;
    DuplicateHandle(self, self, self, &copy, SYNCHRONIZE, TRUE, 0);
    return copy;
}

bool limit_start(struct limit *limit) {
    enum { PAGE = 4096 };
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    HANDLE hear = NULL;
    HANDLE ring = NULL;
    HANDLE self = inheritable_self();
    HANDLE section =
        CreateFileMappingA(INVALID_HANDLE_VALUE, &inherited, PAGE_READWRITE, 0, PAGE, NULL);
    *limit =
        (struct limit){.word = section ? MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0) : NULL};
    bool started = limit->word != NULL && self != NULL && CreatePipe(&hear, &ring, &inherited, 0) &&
                   SetHandleInformation(ring, HANDLE_FLAG_INHERIT, 0) &&
                   start_child(limit, section, hear, self);
    if (!started)
        fprintf(stderr, "demo: cannot start the bare limit's other process: error %lu\n",
                (unsigned long)GetLastError());
    limit->bell = (intptr_t)ring;
    CloseHandle(hear);
    CloseHandle(self);
    CloseHandle(section);
    return started;
}

void limit_stop(struct limit *limit) {
    CloseHandle(handle(limit->bell));
    WaitForSingleObject(handle(limit->child), INFINITE);
    CloseHandle(handle(limit->child));
}

bool limit_ring(const struct limit *limit, unsigned char pauses) {
    DWORD written;
    return WriteFile(handle(limit->bell), &pauses, 1, &written, NULL) && written == 1;
}

bool limit_hear(const struct limit_child *child, unsigned char *pauses) {
    DWORD got;
    return ReadFile(handle(child->bell), pauses, 1, &got, NULL) && got == 1;
}

bool limit_is_orphan(const struct limit_child *child) {
    return WaitForSingleObject(handle(child->parent), 0) == WAIT_OBJECT_0;
}

int limit_be_child(char **arguments) {
    HANDLE section = handle((intptr_t)strtoll(arguments[0], NULL, 10));
    const struct limit_child self = {
        .word = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0),
        .bell = (intptr_t)strtoll(arguments[1], NULL, 10),
        .parent = (intptr_t)strtoll(arguments[2], NULL, 10),
    };
    return self.word == NULL ? EXIT_FAILURE : limit_answer_blocks(&self);
}
