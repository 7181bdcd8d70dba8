// What callers can choose: for a whole Client, and for each call.
#ifndef QUORATE_OPTIONS_H_
#define QUORATE_OPTIONS_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "quorate/result.h"

namespace quorate::client {

// Keys have 1..4096 bytes.
inline constexpr size_t kKeyBytesMax = 4096;
// No keyspace allows more; most allow less (Policy::value_bytes_max, by default 1 MiB).
inline constexpr size_t kValueBytesMax = size_t{16} << 20;

inline constexpr std::chrono::nanoseconds kDefaultTimeout = std::chrono::seconds(5);

struct ClientOptions {
  // host:port of the client ports of one or more nodes. One that answers is enough: the others are
  // learned from it. More help when that one is down at the start.
  std::vector<std::string> endpoints{};
  // Operations begun and not ended, over all threads, and the bytes of keys and values that they
  // carry. More are refused at once as kOverloaded and not done, and cost no memory; waiting for
  // one to end is up to the caller. One operation is always begun.
  size_t inflight_max = 16'384;
  size_t inflight_bytes_max = size_t{256} << 20;
};

struct ReadOptions {
  // The call ends within it, retries included. At most one day.
  std::chrono::nanoseconds timeout = kDefaultTimeout;
};

// What must hold for a write to happen. At most one is set; neither: unconditional.
struct Condition {
  bool if_absent = false;
  std::optional<Version> if_version{};

  static Condition IfAbsent() { return {.if_absent = true}; }
  static Condition IfVersion(const Version& version) { return {.if_version = version}; }
};

struct WriteOptions {
  // As ReadOptions::timeout. A write still on its way when it passes has an unknown outcome.
  std::chrono::nanoseconds timeout = kDefaultTimeout;
  Condition condition{};
  // Repeats an earlier write of unknown outcome: same key, value and condition. Unset: a new write,
  // which the library names by itself.
  std::optional<RequestId> request_id{};
};

struct IncrementOptions {
  // As WriteOptions::timeout.
  std::chrono::nanoseconds timeout = kDefaultTimeout;
  // Repeats an earlier increment of unknown outcome: same key and delta.
  std::optional<RequestId> request_id{};
};

// Which keys. Everything empty: the whole keyspace.
struct ScanRange {
  // Only keys with this prefix. Not together with begin and end.
  std::string prefix{};
  // First key.
  std::string begin{};
  // First key no longer wanted; empty: to the end.
  std::string end{};
  // Only keys of this routing key ("hash tag"), which live in one partition. Empty: all.
  std::string routing_key{};
};

struct ScanOptions {
  // For one page; as ReadOptions::timeout.
  std::chrono::nanoseconds timeout = kDefaultTimeout;
  // Most entries of this page; 0: as many as page_bytes allows.
  uint64_t limit = 0;
  // Most bytes of keys and values in a page; 0: 1 MiB; at most 4 MiB. One entry always fits.
  uint32_t page_bytes = 0;
  // Leave values out.
  bool keys_only = false;
  // From the page before; empty: the first page.
  std::string page_token{};
};

struct AdminOptions {
  // As ReadOptions::timeout.
  std::chrono::nanoseconds timeout = kDefaultTimeout;
  // Creating and dropping: only say what would happen.
  bool dry_run = false;
};

}  // namespace quorate::client

#endif  // QUORATE_OPTIONS_H_
