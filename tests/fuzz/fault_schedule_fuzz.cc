// Schedules of faults: any text is read or refused, and what was read can be written and read
// again.
#include <string>
#include <string_view>

#include "raft/check.h"
#include "tests/sim/cluster/fault_schedule.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto faults = quorate::sim::ParseFaults({reinterpret_cast<const char*>(data), size});
  if (!faults.ok()) return 0;
  std::string text;
  for (const auto& fault : *faults) text += quorate::sim::ToText(fault) + "\n";
  // Numbers are rounded when they are written, so it is the text that comes back.
  const auto again = quorate::sim::ParseFaults(text);
  QUORATE_CHECK(again.ok() && again->size() == faults->size()) << text;
  std::string text_again;
  for (const auto& fault : *again) text_again += quorate::sim::ToText(fault) + "\n";
  QUORATE_CHECK(text_again == text) << text << "became\n" << text_again;
  return 0;
}
