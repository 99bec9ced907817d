/* Counts what this program allocates by operator new, in place of the system's. */
#ifndef SHMIPC_TESTS_COUNTING_NEW_HPP
#define SHMIPC_TESTS_COUNTING_NEW_HPP

namespace testing {

int allocations();

} /* namespace testing */

#endif
