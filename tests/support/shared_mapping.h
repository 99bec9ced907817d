/*
 * Host and guest of one process normally map their region twice, at two addresses; the thread
 * sanitizer then does not see that they synchronise. A test linked with shared_mapping.c and
 *
 *     target_link_options(... "LINKER:--wrap=mmap,--wrap=munmap,--wrap=shmi_object_settle")
 *
 * has each region at one address, however often it is mapped.
 */
#ifndef SHMIPC_TESTS_SHARED_MAPPING_H
#define SHMIPC_TESTS_SHARED_MAPPING_H

/* How many regions are mapped now, and how often altogether. */
int shared_mappings(void);
int shared_mapping_users(void);

#endif
