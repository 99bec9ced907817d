/* Copying calls: bytes in, bytes out. The host asks for capitals, and sees two calls fail. */
#include <shmipc/shmipc.h>
#include <stdio.h>
#include <string.h>

/* Asks one question; the answer must fit into `size` bytes. */
static void ask(shmipc_peer *host, const char *country, size_t size) {
    char capital[64];
    shmipc_request request = {.data = country, .length = strlen(country)};
    shmipc_response response = {.data = capital, .capacity = size};
    int error = shmipc_call(host, &request, &response, SHMIPC_TIMEOUT_DEFAULT);
    switch (error) {
    case SHMIPC_OK:
        printf("%s: %.*s\n", country, (int)response.length, capital);
        break;
    case SHMIPC_E_HANDLER: /* the guest's own words */
        printf("%s: refused: %.*s\n", country, (int)response.length, capital);
        break;
    case SHMIPC_E_TOO_LARGE: /* nothing was cut: length is the size to ask with again */
        printf("%s: %zu bytes do not fit into %zu\n", country, response.length, size);
        break;
    default:
        printf("%s: %s\n", country, shmipc_last_error());
        break;
    }
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "copying_call";
    shmipc_peer *host;
    if (shmipc_host_create(name, NULL, &host) ||
        shmipc_wait_guests(host, 1, SHMIPC_TIMEOUT_DEFAULT)) {
        fprintf(stderr, "%s\n", shmipc_last_error());
        shmipc_free(host);
        return 1;
    }
    ask(host, "Iceland", 64);
    ask(host, "Peru", 64);
    ask(host, "Atlantis", 64);
    ask(host, "Iceland", 4);

    shmipc_shutdown(host, SHMIPC_TIMEOUT_DEFAULT); /* the guest's Serve returns */
    shmipc_free(host);
    return 0;
}
