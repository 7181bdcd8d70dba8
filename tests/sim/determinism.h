// What a process must do before it can promise that a seed gives the same run.
#ifndef TESTS_SIM_DETERMINISM_H_
#define TESTS_SIM_DETERMINISM_H_

#include <cstdint>
#include <string>

namespace quorate::sim {

// Called first in main(). RocksDB seeds its skip lists with a thread's id, which is an address:
// with address randomisation the same seed flushes at different moments. Switches it off and starts
// this program anew with the same arguments. Returns true when addresses are fixed; false, after
// saying so on standard error, where the system refuses (Docker's default seccomp profile does):
// then runs of a seed may differ.
bool EnsureDeterministicAddresses(char** argv);

// What EnsureDeterministicAddresses returned, for tests that can only run where it is true.
bool AddressesAreDeterministic();

// Runs this program once more, in a process of its own, with this GoogleTest filter and seed, and
// returns the last line of its output that starts with `prefix`. Empty when it failed or wrote
// none. A run is deterministic only against another fresh process: the second run in one process
// finds the heap, thread-local generators and caches as the first left them.
std::string LineOfOwnProcess(const std::string& gtest_filter, uint64_t seed,
                             const std::string& prefix);

// The seed that LineOfOwnProcess, or a person who replays a failure, set in QUORATE_SIM_SEED.
uint64_t SeedFromEnvironment(uint64_t otherwise);

}  // namespace quorate::sim

#endif  // TESTS_SIM_DETERMINISM_H_
