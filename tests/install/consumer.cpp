// The same in C++: the header and its initialisers must pass a strict C++ compiler.
#include <cstdio>
#include <shmipc/shmipc.h>

int main() {
    shmipc_host_config host = SHMIPC_HOST_CONFIG_INIT;
    shmipc_guest_config guest = SHMIPC_GUEST_CONFIG_INIT;
    if (host.size != sizeof host || guest.size != sizeof guest) {
        std::fprintf(stderr, "an initialiser does not set the size\n");
        return 1;
    }
    if (shmipc_version() != SHMIPC_VERSION) {
        std::fprintf(stderr, "header and library differ in version\n");
        return 1;
    }
    std::printf("%s\n", shmipc_strerror(SHMIPC_OK));
    return 0;
}
