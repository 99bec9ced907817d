/* An outside program: the library it runs with is the one whose header it was built with. */
#include <shmipc/shmipc.h>
#include <stdio.h>

int main(void) {
    if (shmipc_version() != SHMIPC_VERSION) {
        fprintf(stderr, "header and library differ in version\n");
        return 1;
    }
    printf("%s\n", shmipc_strerror(SHMIPC_OK));
    return 0;
}
