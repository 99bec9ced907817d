#include "windows/roles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

static char this_program[MAX_PATH];

void play_role_if_asked(int argc, char **argv, const struct role *roles) {
    must(GetModuleFileNameA(NULL, this_program, sizeof this_program) > 0);
    if (argc < 3)
        return;
    die_with_parent();
    for (const struct role *role = roles; role->name != NULL; role++) {
        if (strcmp(role->name, argv[1]) == 0)
            exit(role->play(argv[2], stage_open(argv[2])));
    }
    fixture_die(__FILE__, __LINE__, argv[1]);
}

/* The handle stays open as long as this process: with its last handle a section loses its name. */
struct stage *stage_open(const char *region) {
    char name[128];
    (void)snprintf(name, sizeof name, "Local\\stage-%s", region);
    HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0,
                                        sizeof(struct stage), name);
    must(section != NULL);
    struct stage *stage = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, sizeof *stage);
    must(stage != NULL);
    return stage;
}

void stage_close(struct stage *stage) {
    must(UnmapViewOfFile(stage));
}

struct process role_start(const char *role, const char *region) {
    const char *const arguments[] = {this_program, role, region, NULL};
    return process_start(arguments);
}

void role_kill(struct process process) {
    process_kill(process);
    must_equal(process_wait(process), STATUS_KILLED);
}

shmipc_peer *attach(const char *region) {
    const shmipc_guest_config config = test_guest_config();
    shmipc_peer *guest;
    must_equal(shmipc_guest_attach(region, &config, 20 * SECOND, &guest), SHMIPC_OK);
    return guest;
}

shmipc_peer *create(const char *region) {
    const shmipc_host_config config = test_host_config();
    shmipc_peer *host;
    must_equal(shmipc_host_create(region, &config, &host), SHMIPC_OK);
    return host;
}
