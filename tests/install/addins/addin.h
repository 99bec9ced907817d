/* What the application knows of an add-in: its one exported function returns this. */
#include <stdint.h>

struct addin {
    uint32_t (*version)(void);     /* of the library in it */
    const char *(*failure)(void);  /* the last one of the library in it */
    int (*host)(const char *name); /* creates a region, or fails */
    int (*guest)(const char *name);
    void (*leave)(void);
};
