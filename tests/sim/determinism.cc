#include "tests/sim/determinism.h"

#include <sys/personality.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace quorate::sim {
namespace {

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

}  // namespace quorate::sim
