/* The guest in C: answers every request with its own bytes. */
#ifndef DEMO_ECHO_H
#define DEMO_ECHO_H

/* Serves the region `name` until its host leaves; the exit status of the process. */
int echo_guest(const char *name);

#endif
