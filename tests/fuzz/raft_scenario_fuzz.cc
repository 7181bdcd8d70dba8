// Lines of Raft scenarios: any text is cut into words; numbers, lists and times are read or
// refused.
#include <string>

#include "raft/check.h"
#include "raft/scenario.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using quorate::raft::ParseNumbers;
  const auto line = quorate::raft::ParseScenarioLine({reinterpret_cast<const char*>(data), size});
  for (size_t word = 0; word <= line.words.size(); ++word) {
    (void)line.Time(word);
    const auto number = line.Number(word);
    if (!number.ok()) continue;
    const auto list = ParseNumbers(std::to_string(*number));
    QUORATE_CHECK(list.ok() && list->size() == 1 && list->front() == *number);
  }
  for (const auto& [name, value] : line.named) {
    (void)line.Number(name);
    (void)ParseNumbers(value);
  }
  return 0;
}
