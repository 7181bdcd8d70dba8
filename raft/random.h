// The core's own generator: small, seeded, the same on every platform.
#ifndef RAFT_RANDOM_H_
#define RAFT_RANDOM_H_

#include <cstdint>

namespace quorate::raft {

// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). Good enough to spread time-outs; not for
// secrets.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  // Evenly from [0, bound); 0 for a bound of 0. The bias is below bound / 2^64.
  uint64_t Below(uint64_t bound) { return bound == 0 ? 0 : Next() % bound; }

 private:
  uint64_t state_;
};

}  // namespace quorate::raft

#endif  // RAFT_RANDOM_H_
