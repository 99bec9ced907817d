/* What plugin.c offers: `plugin` returns the function that makes it the host of a region and has it
   serve; that one returns an error of the library. */
#ifndef SHMIPC_TESTS_PLUGIN_H
#define SHMIPC_TESTS_PLUGIN_H

typedef int plugin_start(const char *name);

plugin_start *plugin(void);

#endif
