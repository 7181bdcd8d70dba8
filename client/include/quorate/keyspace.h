// A door to one keyspace: reads, writes and scans.
#ifndef QUORATE_KEYSPACE_H_
#define QUORATE_KEYSPACE_H_

#include <memory>
#include <string>

#include "quorate/batch.h"
#include "quorate/options.h"
#include "quorate/result.h"

namespace quorate::client {

class ClientCore;

// Cheap to copy; made by Client::OpenKeyspace. Any number of threads may use one at once. One that
// outlives its Client answers every call with kCancelled.
//
// Every call ends within its timeout. Inside it, what is safe to repeat is repeated with backoff
// and jitter, at the partition's leader as soon as one is known: reads always; writes only after a
// definite refusal, or under the same request id, so that a write is applied at most once.
//
// Calls without a handler block the calling thread and must not be made from a handler. Calls with
// one return at once; see Handler for the rules. Keys outside 1..kKeyBytesMax and values above
// kValueBytesMax are refused (kInvalidArgument) without a request.
class Keyspace {
 public:
  Keyspace(std::shared_ptr<ClientCore> core, std::string name);

  [[nodiscard]] const std::string& name() const { return name_; }

  // The value and its version; kNotDone with kKeyNotFound when the key is absent.
  [[nodiscard]] GetResult Get(const std::string& key, const ReadOptions& options = {}) const;
  void GetAsync(const std::string& key, const ReadOptions& options,
                Handler<GetResult> handler) const;

  // Writes the value. kConditionFalse is definite: this write did not and will not happen.
  // `value` is copied before the call returns.
  [[nodiscard]] WriteResult Put(const std::string& key, const std::string& value,
                                const WriteOptions& options = {}) const;
  void PutAsync(const std::string& key, const std::string& value, const WriteOptions& options,
                Handler<WriteResult> handler) const;

  // Removes the key. Removing an absent key is done, with existed = false.
  [[nodiscard]] WriteResult Delete(const std::string& key, const WriteOptions& options = {}) const;
  void DeleteAsync(const std::string& key, const WriteOptions& options,
                   Handler<WriteResult> handler) const;

  // Adds `delta` to the number that the key holds; an absent key counts as 0. The value is the
  // number's decimal text, as Get reads it and Put may write it; another value is kNotANumber, a
  // sum out of the range of int64_t is kNumberOverflow, and neither changes anything. Retries add
  // once.
  [[nodiscard]] IncrementResult Increment(const std::string& key, int64_t delta,
                                          const IncrementOptions& options = {}) const;
  void IncrementAsync(const std::string& key, int64_t delta, const IncrementOptions& options,
                      Handler<IncrementResult> handler) const;

  // Many operations in one call: one request to each node that leads one of their partitions, and
  // one log entry for the writes of a partition. Not atomic: each has its own outcome, and is
  // retried by itself; those on one key take effect in their order, so that a get sees the writes
  // before it. Atomic: one operation, see BatchOptions::atomic. `operations` is copied.
  [[nodiscard]] BatchResult Batch(const BatchOperations& operations,
                                  const BatchOptions& options = {}) const;
  void BatchAsync(const BatchOperations& operations, const BatchOptions& options,
                  Handler<BatchResult> handler) const;

  // One page, in key order. Each partition is read linearizably; several partitions together are
  // not one snapshot. A page may be empty and still name a next one.
  [[nodiscard]] ScanPage Scan(const ScanRange& range, const ScanOptions& options = {}) const;
  void ScanAsync(const ScanRange& range, const ScanOptions& options,
                 Handler<ScanPage> handler) const;

 private:
  std::shared_ptr<ClientCore> core_;
  std::string name_;
};

}  // namespace quorate::client

#endif  // QUORATE_KEYSPACE_H_
