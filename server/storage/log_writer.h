// The node's one writer of the raft log: merges what all workers hand over into one write and, if
// any of it asks for that, one fsync, with at most one in flight. Batching is by back-pressure:
// whatever gathered while the last write ran goes into the next.
#ifndef SERVER_STORAGE_LOG_WRITER_H_
#define SERVER_STORAGE_LOG_WRITER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "server/runtime/runtime.h"
#include "server/storage/log_append.h"

namespace quorate {

class LogStore;

class LogWriter {
 public:
  // The pointers outlive the writer.
  static std::unique_ptr<LogWriter> Create(const Runtime& runtime, LogStore* store);
  virtual ~LogWriter() = default;

  // Any thread. `durable` is called on the log writer's loop when this turn is written, and durable
  // as far as its appends ask for it, in the order of submission; a turn without appends waits for
  // those before it. After the first error the writer is poisoned: this turn and all later ones get
  // that error and nothing is written again until the process restarts (a failed fsync is never
  // retried: Rebello et al., ATC 2020).
  virtual void Submit(std::vector<LogAppend> appends,
                      absl::AnyInvocable<void(absl::Status)> durable) = 0;
  // When the oldest turn not yet durable was submitted; nothing when all are. Any thread.
  [[nodiscard]] virtual std::optional<MonotonicTime> OldestPending() const = 0;
  // Number of the last durable batch in this life of the data folder.
  [[nodiscard]] virtual uint64_t DurableBatch() const = 0;
};

}  // namespace quorate

#endif  // SERVER_STORAGE_LOG_WRITER_H_
