#include "tests/sim/determinism.h"

#include <sys/personality.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace quorate::sim {
namespace {

constexpr char kSeedVariable[] = "QUORATE_SIM_SEED";
constexpr unsigned long kAsk = 0xffffffff;

bool AddressesAreFixed() {
  const int now = personality(kAsk);
  return now != -1 && (now & ADDR_NO_RANDOMIZE) != 0;
}

}  // namespace

bool AddressesAreDeterministic() { return AddressesAreFixed(); }

bool EnsureDeterministicAddresses(char** argv) {
  if (AddressesAreFixed()) return true;
  const int before = personality(kAsk);
  if (before != -1 && personality(static_cast<unsigned long>(before) | ADDR_NO_RANDOMIZE) != -1 &&
      AddressesAreFixed()) {
    execv("/proc/self/exe", argv);
  }
  std::fprintf(stderr,
               "address randomisation cannot be switched off here (%s): runs of one seed may "
               "differ\n",
               std::strerror(errno));
  return false;
}

std::string LineOfOwnProcess(const std::string& gtest_filter, uint64_t seed,
                             const std::string& prefix) {
  std::array<char, PATH_MAX + 1> self{};
  if (readlink("/proc/self/exe", self.data(), PATH_MAX) <= 0) return "";
  const std::string command = std::string(kSeedVariable) + "=" + std::to_string(seed) + " '" +
                              self.data() + "' --gtest_filter='" + gtest_filter + "'";
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "";
  std::string found;
  std::array<char, 4096> line{};
  while (std::fgets(line.data(), line.size(), pipe) != nullptr) {
    if (std::string(line.data()).starts_with(prefix)) found = line.data();
  }
  return pclose(pipe) == 0 ? found : "";
}

uint64_t SeedFromEnvironment(uint64_t otherwise) {
  const char* const seed = std::getenv(kSeedVariable);
  return seed == nullptr ? otherwise : std::strtoull(seed, nullptr, 10);
}

}  // namespace quorate::sim
