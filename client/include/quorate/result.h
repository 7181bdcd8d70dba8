// What every call of the client library comes back with.
//
// An answer is one of three: done, definitely not done, or unknown. Plain values, free of ownership
// rules; any thread.
#ifndef QUORATE_RESULT_H_
#define QUORATE_RESULT_H_

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"

namespace quorate::client {

// Takes one result. Called exactly once, on a thread of the library or on the caller's own before
// the call returns. It must not block and must not destroy the Client; it may start new calls.
template <class R>
using Handler = absl::AnyInvocable<void(R)>;

enum class Outcome : uint8_t {
  // It took effect between the call and the answer.
  kDone,
  // It had no effect and never will have. All failed reads are this.
  kNotDone,
  // Writes only: it may have been applied, or may be applied at any later time. Repeat it with
  // WriteOptions::request_id set to the result's request_id, or read the key.
  kUnknown,
};

// Why a call is not done, for programs. Result::status says it for people.
enum class Reason : uint8_t {
  kNone,              // done
  kInvalidArgument,   // a field is malformed or out of bounds; the status names it
  kKeyNotFound,       // the key does not exist
  kKeyspaceNotFound,  // no keyspace has this name
  kKeyspaceExists,    // a keyspace of this name has another policy
  kConditionFalse,    // if_absent or if_version did not hold
  kNotANumber,        // an increment met a value that is not the text of a number
  kNumberOverflow,    // the sum of an increment is out of range
  kNotInitialised,    // the node belongs to no cluster yet
  kNotAvailableYet,   // in the API, but not in the server's version
  kRefused,           // another definite refusal (foreign cluster, token of an older era)
  kUnreachable,       // no node answered before the deadline
  kDeadline,          // nodes were at work on it when the deadline passed
  kCannotServe,       // nodes answered, but none could keep the keyspace's promise: no leader, too
                      // few replicas reachable
  kOverloaded,        // a bounded queue or log is full
  kRequestIdExpired,  // the request id is older than what the servers remember
  kCorrupt,           // stored data failed its checksum
  kNotAuthorised,     // not allowed, or not known who asks
  kInternal,          // a defect; report it
  kCancelled,         // the Client was closed
};

// "key-not-found" and the like: stable names for scripts and logs.
std::string_view ReasonName(Reason reason);
// "done", "not-done", "unknown".
std::string_view OutcomeName(Outcome outcome);

// Names one state of one key: 16 opaque bytes. Versions of one key grow with each write.
struct Version {
  std::array<uint8_t, 16> bytes{};

  // 32 lower-case hexadecimal digits.
  [[nodiscard]] std::string ToHex() const;
  static std::optional<Version> FromHex(std::string_view hex);

  friend auto operator<=>(const Version&, const Version&) = default;
};

// Names one write, so that it can be repeated safely: the servers remember it for a while (about
// ten minutes) and answer a repeat with the first answer.
struct RequestId {
  std::array<uint8_t, 16> client_id{};
  uint64_t sequence = 0;
  uint64_t cluster_time_us = 0;

  // "<32 hex digits>-<sequence>-<cluster time>".
  [[nodiscard]] std::string ToString() const;
  static std::optional<RequestId> Parse(std::string_view text);

  friend bool operator==(const RequestId&, const RequestId&) = default;
};

// How an answer was served.
enum class ServedBy : uint8_t {
  kUnspecified,
  kLeaderLease,      // the leader alone, under its lease
  kLeaderReadIndex,  // the leader, confirmed by a majority
  kCommit,           // a write, durable on a majority and applied on the leader
  kRequestMemory,    // a repeated write: the first answer, remembered
  kPartitionMerge,   // several partitions, each linearizable, together not one snapshot
};
std::string_view ServedByName(ServedBy served_by);

struct Receipt {
  ServedBy served_by = ServedBy::kUnspecified;
  // The node that answered; 0: unknown.
  uint64_t node_id = 0;
  // The answer reflects everything acknowledged before the request began.
  bool linearizable = false;
};

// The part that all results share.
struct Result {
  // OK exactly when outcome is kDone.
  absl::Status status;
  Outcome outcome = Outcome::kDone;
  Reason reason = Reason::kNone;
  // Requests sent, retries included; look-ups of the cluster state do not count.
  int attempts = 0;

  [[nodiscard]] bool ok() const { return outcome == Outcome::kDone; }
};

// A missing key is kNotDone with kKeyNotFound.
struct GetResult : Result {
  std::string value;
  Version version;
  Receipt receipt;
};

struct WriteResult : Result {
  // Done: of the new value or the deletion.
  Version version;
  // Delete: whether there was a value.
  bool existed = false;
  Receipt receipt;
  // The write's name; with an unknown outcome it makes a repeat safe. Unset when nothing was sent.
  std::optional<RequestId> request_id;
  // kConditionFalse, kNotANumber, kNumberOverflow: the version that is there; unset when the key is
  // absent.
  std::optional<Version> current_version;
};

struct IncrementResult : WriteResult {
  // Done: the sum. A repeat gets that of the first time.
  int64_t value = 0;
};

struct ScanEntry {
  std::string key;
  std::string value;  // empty with keys_only
  Version version;
};

// One page of a scan, in key order.
struct ScanPage : Result {
  std::vector<ScanEntry> entries;
  // Hand it to the next Scan with the same range; empty: this was the last page.
  std::string next_page_token;
  Receipt receipt;
};

}  // namespace quorate::client

#endif  // QUORATE_RESULT_H_
