// An example or more for each command; what help and the man page show.
#ifndef TOOLS_KVCTL_EXAMPLES_H_
#define TOOLS_KVCTL_EXAMPLES_H_

#include <string>
#include <vector>

namespace quorate::kvctl {

struct Example {
  std::string line;  // as typed into a shell
  std::string help;  // what it does, for people
};

// `command` as typed: "keyspace create". Empty: it has none.
const std::vector<Example>& ExamplesOf(const std::string& command);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_EXAMPLES_H_
