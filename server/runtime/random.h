// Seeded random numbers, and the kernel's randomness to seed them with.
#ifndef SERVER_RUNTIME_RANDOM_H_
#define SERVER_RUNTIME_RANDOM_H_

#include <cstdint>

#include "server/runtime/runtime.h"

namespace quorate {

// xoshiro256** (Blackman and Vigna, 2018), its state filled by splitmix64 from one seed. Equal
// seeds give equal numbers on every machine and build. Not cryptographic: ids that must not be
// guessed take KernelSeed(). Not for several threads at once.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed);

  uint64_t Next() override;

  // A generator of its own for another user. Draws one number from this one.
  SeededRandom Fork() { return SeededRandom(Next()); }

 private:
  uint64_t state_[4];
};

// Uniform in [0, bound); bound > 0.
uint64_t UniformBelow(Random& random, uint64_t bound);
// Uniform in [0, 1).
double UniformUnit(Random& random);
// True with this probability; never at 0, always at 1.
bool Chance(Random& random, double probability);
// Uniform in [low, high]; low <= high.
Duration UniformDuration(Random& random, Duration low, Duration high);

// Two seeds mixed into one, so that a run's seed and, say, a node's number give a stream of its
// own.
uint64_t MixSeed(uint64_t a, uint64_t b);

// 64 bits from getrandom(2).
uint64_t KernelSeed();

}  // namespace quorate

#endif  // SERVER_RUNTIME_RANDOM_H_
