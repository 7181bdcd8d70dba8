// The keys that a workload uses: few at one time, so that operations meet on them.
#ifndef TESTS_SIM_CHECKERS_HOT_KEYS_H_
#define TESTS_SIM_CHECKERS_HOT_KEYS_H_

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "server/runtime/random.h"

namespace quorate::sim {

// A key that has been picked often gives way to a new one: what a checker does for a key grows with
// the key's history. One thread, or the owner's lock.
class HotKeys {
 public:
  HotKeys(uint32_t count, uint32_t picks_per_key) : picks_per_key_(picks_per_key), hot_(count) {}

  std::string Pick(Random& random) {
    auto& [key, picks] = hot_[UniformBelow(random, hot_.size())];
    if (key.empty() || picks >= picks_per_key_) {
      // Half of them share a hash tag, so that one partition holds several hot keys.
      const size_t number = all_.size() + 1;
      key = number % 2 == 0 ? fmt::format("{{tag}}k{}", number) : fmt::format("k{}", number);
      picks = 0;
      all_.push_back(key);
    }
    ++picks;
    return key;
  }
  // Every key that was ever picked.
  [[nodiscard]] const std::vector<std::string>& all() const { return all_; }

 private:
  const uint32_t picks_per_key_;
  std::vector<std::pair<std::string, uint32_t>> hot_;  // key and picks so far
  std::vector<std::string> all_;
};

}  // namespace quorate::sim

#endif  // TESTS_SIM_CHECKERS_HOT_KEYS_H_
