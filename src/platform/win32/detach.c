#include "platform/platform.h"

/* Windows cannot replace a view atomically: for a moment there would be none. */
void *shmi_object_detach(struct object *o) {
    (void)o;
    return NULL;
}

void shmi_object_keep(struct object *o, void *start, size_t size) {
    (void)o;
    (void)start;
    (void)size;
}

void shmi_object_let_go(struct object *o, void *view) {
    (void)o;
    (void)view;
}
