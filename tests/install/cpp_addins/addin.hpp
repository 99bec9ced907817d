/* What the application knows of an add-in: its one function returns this. */
#ifndef ADDIN_HPP
#define ADDIN_HPP

struct addin {
    int (*work)(const char *region); /* uses much of its library: 0, or the line that failed */
    unsigned (*uses)();              /* how often its library was called */
    const char *(*failure)();        /* the last one of this thread in its library */
};

using addin_start = const addin *();

/* Of each add-in that the application is linked with, and of itself. */
extern "C" addin_start addin_one, addin_other, addin_own;

#endif
