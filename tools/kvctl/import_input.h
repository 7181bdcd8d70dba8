// Reads the lines of an import and judges them one by one.
#ifndef TOOLS_KVCTL_IMPORT_INPUT_H_
#define TOOLS_KVCTL_IMPORT_INPUT_H_

#include <cstdint>
#include <istream>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "tools/kvctl/record.h"

namespace quorate::kvctl {

// Remembers where each key stood, by a 128-bit hash: an import never overwrites what it has itself
// imported. Takes about 40 bytes a key.
class DuplicateKeys {
 public:
  // The line on which this key was given before; 0: it is new, and now stands on `line`.
  uint64_t Note(const std::string& key, uint64_t line);

 private:
  using Hash = std::pair<uint64_t, uint64_t>;
  absl::flat_hash_map<Hash, uint64_t> lines_;
};

// Empty lines are skipped. Not for several threads.
class ImportInput {
 public:
  explicit ImportInput(std::istream* in) : in_(in) {}

  // Nothing at the end of the input. Errors name the line, and the key where it has one: malformed,
  // a key or value beyond the limits of any keyspace, a key given twice, an unreadable input.
  absl::StatusOr<std::optional<Record>> Next();

  // Of the record returned last.
  [[nodiscard]] uint64_t line() const { return line_; }
  // Bytes read so far.
  [[nodiscard]] uint64_t bytes() const { return bytes_; }

 private:
  absl::StatusOr<Record> Judge(const std::string& text);

  std::istream* const in_;
  DuplicateKeys keys_;
  uint64_t line_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_IMPORT_INPUT_H_
