// What a shell may offer while a kvctl command is being typed.
//
// The shells' scripts are thin: at each TAB they run `kvctl __complete WORD…` with the words typed
// so far, the last one being the one at the cursor, and offer the lines that it prints: a word, a
// tab, and what the word means. A last line ":files" asks for names of files, ":@files" for names
// of files after an "@".
#ifndef TOOLS_KVCTL_COMPLETION_H_
#define TOOLS_KVCTL_COMPLETION_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/kvctl/command_info.h"

namespace quorate::kvctl {

struct Candidate {
  std::string word;
  std::string help;  // may be empty
};

struct Completion {
  enum class Names : uint8_t { kNone, kKeyspaces, kNodes, kContexts };
  enum class Files : uint8_t { kNone, kPlain, kAfterAt };

  std::vector<Candidate> candidates;  // already only those that begin as typed
  Names names = Names::kNone;         // names only a cluster or a file knows, wanted on top
  Files files = Files::kNone;
  std::string stem;   // stands in front of each name: "--node=" when that was typed
  std::string typed;  // how a name has to begin
};

// Pure. `words` without the program's name; the last one, which may be empty, is completed.
Completion CompleteWords(const CommandInfo& root, const std::vector<std::string>& words);

// Adds those of `names` that begin as typed.
void AddNames(const std::vector<Candidate>& names, Completion* completion);

// For bash, zsh or fish; empty for any other name.
std::string_view CompletionScript(std::string_view shell);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_COMPLETION_H_
