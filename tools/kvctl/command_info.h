// kvctl's commands, arguments and flags as plain values. Made from the parser's own table; shell
// completion, man pages and the defaults of contexts are made from it.
#ifndef TOOLS_KVCTL_COMMAND_INFO_H_
#define TOOLS_KVCTL_COMMAND_INFO_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "nlohmann/json_fwd.hpp"
#include "tools/kvctl/examples.h"

namespace quorate::kvctl {

struct FlagInfo {
  std::string name;                  // "--output"
  std::string short_name;            // "-o"; empty: none
  std::string value;                 // "FORMAT"; empty: a switch
  bool value_optional = false;       // --watch [INTERVAL]
  std::string help;                  // for people
  std::string standard;              // the default, for people; empty: none
  std::string environment;           // "KVCTL_OUTPUT"; empty: not from there
  std::vector<std::string> choices;  // empty: any value
};

struct ArgumentInfo {
  std::string name;     // "NAME"
  std::string meaning;  // what is to be typed: "KEYSPACE", "FILE", "KEY"; often the name
  std::string help;
  bool required = true;
  bool repeated = false;             // takes all that follow
  std::vector<std::string> choices;  // empty: any value
};

struct CommandInfo {
  std::string name;  // "create"; of the root "kvctl"
  std::string help;
  std::vector<ArgumentInfo> arguments;
  std::vector<FlagInfo> flags;  // its own; those of its parents count too
  std::vector<CommandInfo> commands;
  std::vector<Example> examples;
};

// For programs: `kvctl help --output json`.
nlohmann::ordered_json CommandJson(const CommandInfo& command);

// A command line read as far as it can be, without judging it.
struct TypedLine {
  std::vector<const CommandInfo*> path;      // root first; the last one is the command
  std::vector<std::string> arguments;        // of the command, as typed
  std::vector<size_t> argument_places;       // their places among the words
  std::map<std::string, std::string> flags;  // by long name; "" for a switch; the last one counts
  const FlagInfo* open_flag = nullptr;       // the last word was a flag that still wants its value
  bool flags_ended = false;                  // "--" was seen

  [[nodiscard]] const CommandInfo& command() const { return *path.back(); }
  // "keyspace create"; empty at the root.
  [[nodiscard]] std::string command_name() const;
};

// `words` without the program's name. The result points into `root`.
TypedLine ReadWords(const CommandInfo& root, const std::vector<std::string>& words);

// By long or short name, the innermost command's first; null: there is none.
const FlagInfo* FindFlag(const std::vector<const CommandInfo*>& path, std::string_view name);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_COMMAND_INFO_H_
