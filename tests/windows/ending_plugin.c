/* A DLL that hears of the process's end, as an add-in does, and then does what it was told. */
#include <windows.h>

typedef void act(void);

static act *at_the_end;

__declspec(dllexport) void act_at_the_end(act *function);

void act_at_the_end(act *function) {
    at_the_end = function;
}

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, LPVOID reserved);

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, LPVOID reserved) {
    (void)module;
    if (reason == DLL_PROCESS_DETACH && reserved != NULL && at_the_end != NULL)
        at_the_end();
    return TRUE;
}
