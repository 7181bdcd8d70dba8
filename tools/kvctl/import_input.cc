#include "tools/kvctl/import_input.h"

#include <xxhash.h>

#include <utility>

#include "fmt/format.h"
#include "quorate/options.h"
#include "tools/kvctl/encoding.h"

namespace quorate::kvctl {

uint64_t DuplicateKeys::Note(const std::string& key, uint64_t line) {
  const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  const auto [entry, is_new] = lines_.try_emplace(Hash(hash.low64, hash.high64), line);
  return is_new ? 0 : entry->second;
}

absl::StatusOr<std::optional<Record>> ImportInput::Next() {
  std::string text;
  while (std::getline(*in_, text)) {
    ++line_;
    bytes_ += text.size() + 1;
    if (text.find_first_not_of(" \t\r") == std::string::npos) {
      continue;
    }
    auto record = Judge(text);
    if (!record.ok()) {
      return record.status();
    }
    return std::optional(*std::move(record));
  }
  if (in_->bad()) {
    return absl::DataLossError(fmt::format("the input cannot be read after line {}", line_));
  }
  return std::optional<Record>();
}

absl::StatusOr<Record> ImportInput::Judge(const std::string& text) {
  auto record = ParseRecord(text);
  if (!record.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("line {}: {}", line_, std::string(record.status().message())));
  }
  if (record->key.empty() || record->key.size() > client::kKeyBytesMax) {
    return absl::InvalidArgumentError(
        fmt::format("line {}: the key has {} bytes; 1 to {} are "
                    "allowed",
                    line_, record->key.size(), client::kKeyBytesMax));
  }
  if (record->value.size() > client::kValueBytesMax) {
    return absl::InvalidArgumentError(
        fmt::format("line {}: the value of key {} has {} bytes; no keyspace takes more than {}",
                    line_, Printable(record->key), record->value.size(), client::kValueBytesMax));
  }
  if (const uint64_t earlier = keys_.Note(record->key, line_); earlier != 0) {
    return absl::AlreadyExistsError(fmt::format("line {}: key {} was given on line {} already",
                                                line_, Printable(record->key), earlier));
  }
  return record;
}

}  // namespace quorate::kvctl
