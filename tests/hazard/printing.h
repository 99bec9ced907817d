/* Programs that print although some standard descriptors are closed. */
#ifndef SHMIPC_TESTS_PRINTING_H
#define SHMIPC_TESTS_PRINTING_H

/* Calls use(closed) in a child for each set of standard descriptors that may be closed there (bit
   i: descriptor i), while another thread prints to them. No write to a closed one ever succeeds,
   not even while the library opens a file. */
void print_while(void (*use)(unsigned closed));

#endif
