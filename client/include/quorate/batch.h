// Many gets, puts, deletes and increments in one call.
//
//   quorate::client::BatchOperations operations;
//   operations.Put("a", "1").Get("b").Delete("c");
//   const auto result = keyspace.Batch(operations);
//   for (const auto& each : result.operations) …   // one for each, in their order
#ifndef QUORATE_BATCH_H_
#define QUORATE_BATCH_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "quorate/options.h"
#include "quorate/result.h"

namespace quorate::client {

// A batch holds 1 to so many operations, with together at most so many bytes of keys and values.
inline constexpr size_t kBatchOperationsMax = 1024;
inline constexpr size_t kBatchBytesMax = size_t{4} << 20;

struct BatchOperation {
  enum class Kind : uint8_t { kGet, kPut, kDelete, kIncrement };
  Kind kind = Kind::kGet;
  std::string key;
  std::string value{};    // puts
  Condition condition{};  // puts and deletes; deletes take no if_absent
  int64_t delta = 0;      // increments
};

// What to do, in order. A plain value.
class BatchOperations {
 public:
  BatchOperations& Get(std::string key) {
    return Add({.kind = BatchOperation::Kind::kGet, .key = std::move(key)});
  }
  BatchOperations& Put(std::string key, std::string value, const Condition& condition = {}) {
    return Add({.kind = BatchOperation::Kind::kPut,
                .key = std::move(key),
                .value = std::move(value),
                .condition = condition});
  }
  BatchOperations& Delete(std::string key, const Condition& condition = {}) {
    return Add(
        {.kind = BatchOperation::Kind::kDelete, .key = std::move(key), .condition = condition});
  }
  BatchOperations& Increment(std::string key, int64_t delta = 1) {
    return Add({.kind = BatchOperation::Kind::kIncrement, .key = std::move(key), .delta = delta});
  }
  BatchOperations& Add(BatchOperation operation) {
    bytes_ += operation.key.size() + operation.value.size();
    all_.push_back(std::move(operation));
    return *this;
  }

  [[nodiscard]] const std::vector<BatchOperation>& all() const { return all_; }
  // Of keys and values.
  [[nodiscard]] size_t bytes() const { return bytes_; }

 private:
  std::vector<BatchOperation> all_;
  size_t bytes_ = 0;
};

struct BatchOptions {
  // As ReadOptions::timeout, for the whole batch.
  std::chrono::nanoseconds timeout = kDefaultTimeout;
  // All or nothing. All keys share a routing key (a {hash tag}) and none is written twice. Every
  // condition is judged, every get reads and every increment adds on the state before the batch;
  // one false condition, or one increment that cannot be done, and nothing is applied. All writes
  // get one version. A batch of gets alone reads one consistent state. Values read are at most 1
  // MiB in all when the batch also writes, else 4 MiB.
  bool atomic = false;
  // Atomic only: repeats an earlier batch of unknown outcome, with the same operations.
  std::optional<RequestId> request_id{};
};

// How one operation ended; what is said of GetResult and WriteResult holds for it. `attempts`
// counts requests that carried it.
struct BatchOperationResult : Result {
  // Gets.
  std::string value;
  // Done: read, or of the new value or the deletion.
  Version version;
  // Delete: whether there was a value.
  bool existed = false;
  // Increment: the sum.
  int64_t number = 0;
  Receipt receipt;
  // Not atomic, writes: its name. After an unknown outcome a single Put, Delete or Increment with
  // it, of the same key, value and condition or delta, is a safe repeat.
  std::optional<RequestId> request_id;
  // kConditionFalse and the refusals of increments: the version that is there; unset when the key
  // is absent, and when another operation of the atomic batch could not be done.
  std::optional<Version> current_version;
};

// As a whole: kUnknown when any operation is; else kNotDone when any is, other than a get of an
// absent key; else kDone. Status and reason are of the first such operation.
struct BatchResult : Result {
  // One for each operation, in their order.
  std::vector<BatchOperationResult> operations;
  // Atomic, with writes: its name; with an unknown outcome it makes a repeat safe.
  std::optional<RequestId> request_id;
};

}  // namespace quorate::client

#endif  // QUORATE_BATCH_H_
