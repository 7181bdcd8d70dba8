// What a process must do before it can promise that a seed gives the same run.
#ifndef TESTS_SIM_DETERMINISM_H_
#define TESTS_SIM_DETERMINISM_H_

namespace quorate::sim {

// Called first in main(). RocksDB seeds its skip lists with a thread's id, which is an address:
// with address randomisation the same seed flushes at different moments. Switches it off and starts
// this program anew with the same arguments. Returns true when addresses are fixed; false, after
// saying so on standard error, where the system refuses (Docker's default seccomp profile does):
// then runs of a seed may differ.
bool EnsureDeterministicAddresses(char** argv);

// What EnsureDeterministicAddresses returned, for tests that can only run where it is true.
bool AddressesAreDeterministic();

}  // namespace quorate::sim

#endif  // TESTS_SIM_DETERMINISM_H_
