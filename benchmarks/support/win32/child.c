#include "child.h"

#include "support/child.h"
#include "support/placement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHILDREN = 64, COMMAND = 2048, START_ATTEMPTS = 5 };

static struct child {
    pid_t id; /* 0: none */
    HANDLE process;
} children[CHILDREN];

static uint64_t ended_ns;

void die(const char *what) {
    DWORD error = GetLastError();
    fflush(stdout);
    (void)fprintf(stderr, "%s: error %lu\n", what, (unsigned long)error);
    exit(EXIT_FAILURE);
}

/* ---- Those there are ------------------------------------------------------------------------- */

static struct child *find(pid_t id) {
    for (int i = 0; i < CHILDREN; i++) {
        if (children[i].id == id)
            return &children[i];
    }
    die(id ? "no such child" : "too many children");
}

HANDLE process_of(pid_t child) {
    return child ? find(child)->process : GetCurrentProcess();
}

/* ---- Starting and ending --------------------------------------------------------------------- */

/* Never closed: the system does that, whatever ends this process, and ends what is in the job. */
static HANDLE job_of_children(void) {
    static HANDLE job;
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    if (job)
        return job;
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    job = CreateJobObjectW(NULL, NULL);
    if (!job ||
        !SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits))
        die("job");
    return job;
}

/* No argument of ours ends in a backslash or has quotation marks. */
static void join(char line[COMMAND], char *const arguments[]) {
    size_t used = 0;
    for (; *arguments && used < COMMAND; arguments++)
        used += (size_t)snprintf(line + used, COMMAND - used, "\"%s\" ", *arguments);
    if (used >= COMMAND)
        die("the command line");
}

/* Wine's new process ends before it begins once in some thousand times, and any program's does. */
static void create_suspended(const char *program, char *line, PROCESS_INFORMATION *made) {
    STARTUPINFOA startup = {.cb = sizeof startup};
    int attempt = 1;
    while (!CreateProcessA(NULL, line, NULL, NULL, FALSE, CREATE_SUSPENDED, NULL, NULL, &startup,
                           made))
        if (GetLastError() != ERROR_INTERNAL_ERROR || attempt++ == START_ATTEMPTS)
            die(program);
}

/* It begins when it is where it belongs. */
pid_t child_program(char *const arguments[]) {
    char line[COMMAND];
    PROCESS_INFORMATION made;
    join(line, arguments);
    fflush(stdout);
    create_suspended(arguments[0], line, &made);
    if (!AssignProcessToJobObject(job_of_children(), made.hProcess))
        die("job");
    *find(0) = (struct child){made.dwProcessId, made.hProcess};
    pin_child(made.dwProcessId);
    ResumeThread(made.hThread);
    CloseHandle(made.hThread);
    return made.dwProcessId;
}

static uint64_t nanoseconds(FILETIME time) {
    return ((uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime) * 100;
}

/* Counted in ticks of some 15 ms. */
static uint64_t process_cpu_ns(HANDLE process) {
    FILETIME created, ended, kernel, user;
    if (!GetProcessTimes(process, &created, &ended, &kernel, &user))
        return 0;
    return nanoseconds(kernel) + nanoseconds(user);
}

void child_wait(pid_t child) {
    struct child *known = find(child);
    WaitForSingleObject(known->process, INFINITE);
    ended_ns += process_cpu_ns(known->process);
    CloseHandle(known->process);
    *known = (struct child){0, NULL};
}

void child_stop(pid_t child) {
    TerminateProcess(process_of(child), EXIT_SUCCESS);
    child_wait(child);
}

/* ---- Processor time -------------------------------------------------------------------------- */

uint64_t cpu_ns(void) {
    uint64_t sum = process_cpu_ns(GetCurrentProcess());
    for (int i = 0; i < CHILDREN; i++) {
        if (children[i].id)
            sum += process_cpu_ns(children[i].process);
    }
    return sum;
}

uint64_t ended_cpu_ns(void) {
    return process_cpu_ns(GetCurrentProcess()) + ended_ns;
}
