// kvd's command line, environment and configuration file: any text is read or refused with a
// message.
#include <string>
#include <vector>

#include "raft/check.h"
#include "server/node_options.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quorate::fuzz::FuzzInput input(data, size);
  std::vector<std::string> arguments;
  for (uint8_t count = input.TakeByte() % 8; count > 0; --count) {
    arguments.emplace_back(input.TakeBytes(input.TakeByte()));
  }
  const quorate::Environment environment = {
      {"KVD_JOIN", std::string(input.TakeBytes(input.TakeByte()))}};
  const auto command =
      quorate::ParseKvdOptions(arguments, environment, std::string(input.rest()), "kvd.toml");
  QUORATE_CHECK(command.ok() || !command.status().message().empty());
  return 0;
}
