// The node's one writer of the raft log: merges what all workers hand over into one write and, if
// any of it asks for that, one fsync, with at most one in flight. Batching is by back-pressure:
// whatever gathered while the last write ran goes into the next. What asked for no fsync gets one
// all the same a second later at most, behind the back of those who wrote it.
#ifndef SERVER_STORAGE_LOG_WRITER_H_
#define SERVER_STORAGE_LOG_WRITER_H_

#include <chrono>
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
  // So long, and the time of an fsync, after the first write that asked for none the log is synced.
  // What a power loss may take is no more than what was written in that time: short enough to be a
  // promise (that of Redis' "everysec"), long enough that an fsync each time costs nothing that
  // counts. The fsync holds up the writes that come meanwhile for as long as it takes; none waits
  // for it.
  static constexpr Duration kUnsyncedMax = std::chrono::seconds(1);

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
