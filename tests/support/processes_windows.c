#include "processes.h"

#include "fixture.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

enum { START_ATTEMPTS = 5 };

/* Never closed: the system closes it when this process ends, and ends the processes in the job. */
static HANDLE job_of_children(void) {
    static HANDLE job;
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    if (job != NULL)
        return job;
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    job = CreateJobObjectW(NULL, NULL);
    must(job != NULL);
    must(SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits));
    return job;
}

/* Wine's new process ends before it begins once in some thousand times, and any program's does. */
static void create_process(char *line, STARTUPINFOA *startup, PROCESS_INFORMATION *made) {
    for (int attempt = 1;
         !CreateProcessA(NULL, line, NULL, NULL, FALSE, 0, NULL, NULL, startup, made); attempt++)
        must(GetLastError() == ERROR_INTERNAL_ERROR && attempt < START_ATTEMPTS);
}

struct process process_start(const char *const arguments[]) {
    char line[2048] = "";
    STARTUPINFOA startup = {.cb = sizeof startup};
    PROCESS_INFORMATION made;
    for (int i = 0; arguments[i] != NULL; i++) {
        size_t used = strlen(line);
        (void)snprintf(line + used, sizeof line - used, "%s%s", i == 0 ? "" : " ", arguments[i]);
    }
    create_process(line, &startup, &made);
    must(AssignProcessToJobObject(job_of_children(), made.hProcess));
    CloseHandle(made.hThread);
    return (struct process){.handle = (intptr_t)made.hProcess, .pid = made.dwProcessId};
}

static HANDLE handle_of(struct process process) {
    return (HANDLE)process.handle; // NOLINT(performance-no-int-to-ptr)
}

int process_wait(struct process process) {
    DWORD status = 0;
    must_equal(WaitForSingleObject(handle_of(process), INFINITE), WAIT_OBJECT_0);
    must(GetExitCodeProcess(handle_of(process), &status));
    CloseHandle(handle_of(process));
    return (int)status;
}

void process_kill(struct process process) {
    must(TerminateProcess(handle_of(process), STATUS_KILLED));
}

/* The job sees to it. */
void die_with_parent(void) {}
