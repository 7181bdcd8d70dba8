#include "server/runtime/random.h"

#include <sys/random.h>

#include <bit>

#include "server/runtime/check.h"

namespace quorate {
namespace {

// Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
uint64_t SplitMix(uint64_t& state) {
  state += 0x9e3779b97f4a7c15u;
  uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
  return mixed ^ (mixed >> 31);
}

}  // namespace

SeededRandom::SeededRandom(uint64_t seed) {
  for (uint64_t& word : state_) word = SplitMix(seed);
}

uint64_t SeededRandom::Next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

uint64_t UniformBelow(Random& random, uint64_t bound) {
  QUORATE_CHECK(bound > 0);
  // Numbers from the incomplete last stretch would favour small results; they are drawn again.
  const uint64_t reject_below = (0 - bound) % bound;
  uint64_t drawn = random.Next();
  while (drawn < reject_below) drawn = random.Next();
  return drawn % bound;
}

double UniformUnit(Random& random) { return static_cast<double>(random.Next() >> 11) * 0x1.0p-53; }

bool Chance(Random& random, double probability) { return UniformUnit(random) < probability; }

Duration UniformDuration(Random& random, Duration low, Duration high) {
  QUORATE_CHECK(low <= high);
  const auto span = static_cast<uint64_t>((high - low).count()) + 1;
  return low + Duration(static_cast<int64_t>(UniformBelow(random, span)));
}

uint64_t MixSeed(uint64_t a, uint64_t b) {
  uint64_t state = a;
  const uint64_t first = SplitMix(state);
  state = first ^ b;
  return SplitMix(state);
}

uint64_t KernelSeed() {
  uint64_t seed = 0;
  QUORATE_CHECK(getrandom(&seed, sizeof(seed), 0) == sizeof(seed));
  return seed;
}

}  // namespace quorate
