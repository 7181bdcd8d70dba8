#include "server/storage/log_writer.h"

#include <chrono>
#include <iterator>
#include <utility>

#include "server/runtime/log.h"
#include "server/runtime/mutex.h"
#include "server/storage/log_store.h"

namespace quorate {
namespace {

using DurableCallback = absl::AnyInvocable<void(absl::Status)>;

struct Turn {
  std::vector<LogAppend> appends;
  DurableCallback durable;
  MonotonicTime submitted;
};

struct WriterMetrics {
  explicit WriterMetrics(MetricsRegistry& registry)
      : duration(registry.GetHistogram(
            {.name = "quorate_log_writer_duration_seconds",
             .help = "Time of one write to the log, its fsync included if it has one."},
            LatencyScale())),
        entries(registry.GetHistogram({.name = "quorate_log_writer_batch_entries",
                                       .help = "Entries of all groups in one write to the log."},
                                      CountScale())),
        bytes(registry.GetHistogram(
            {.name = "quorate_log_writer_batch_bytes", .help = "Size of those entries."},
            BytesScale())),
        turns(registry.GetHistogram({.name = "quorate_log_writer_batch_turns",
                                     .help = "Workers' turns merged into one write to the log."},
                                    CountScale())),
        failures(registry.GetCounter({.name = "quorate_log_writer_failures_total",
                                      .help = "Writes to the log that failed; after the first one "
                                              "nothing is written any more."})) {}

  void Count(const std::vector<LogAppend>& appends, size_t turns_merged) {
    size_t count = 0;
    size_t size = 0;
    for (const LogAppend& append : appends) {
      count += append.entries.size();
      for (const raft::Entry& entry : append.entries) size += entry.ByteSize();
    }
    entries.Record(count);
    bytes.Record(size);
    turns.Record(turns_merged);
  }

  Histogram& duration;
  Histogram& entries;
  Histogram& bytes;
  Histogram& turns;
  Counter& failures;
};

// The writer's inside, shared with the task on the loop, which may outlive the writer.
class TurnQueue : public std::enable_shared_from_this<TurnQueue> {
 public:
  TurnQueue(const Runtime& runtime, LogStore* store)
      : clock_(runtime.clock),
        executor_(runtime.log_writer),
        store_(store),
        registry_(runtime.metrics),
        metrics_(*registry_) {}

  void Submit(std::vector<LogAppend> appends, DurableCallback durable) {
    {
      MutexLock lock(&mutex_);
      waiting_.push_back({.appends = std::move(appends),
                          .durable = std::move(durable),
                          .submitted = clock_->Now()});
      if (scheduled_) return;
      scheduled_ = true;
    }
    Schedule();
  }

  std::optional<MonotonicTime> OldestPending() const {
    MutexLock lock(&mutex_);
    if (writing_since_.has_value()) return writing_since_;
    if (!waiting_.empty()) return waiting_.front().submitted;
    return std::nullopt;
  }

  void Close() {
    MutexLock lock(&mutex_);
    closed_ = true;
  }

 private:
  void Schedule() {
    executor_->Post([self = shared_from_this()] { self->WriteOnce(); });
  }

  // On the loop: one write of all that is waiting. What arrives meanwhile is for the next task, so
  // that other tasks of the loop get their turn.
  void WriteOnce() {
    std::vector<Turn> turns;
    {
      MutexLock lock(&mutex_);
      if (closed_) return;
      turns.swap(waiting_);
      writing_since_ = turns.front().submitted;
    }
    std::vector<LogAppend> appends;
    for (Turn& turn : turns) {
      appends.insert(appends.end(), std::make_move_iterator(turn.appends.begin()),
                     std::make_move_iterator(turn.appends.end()));
    }
    const MonotonicTime begun = clock_->Now();
    const absl::Status status = Write(appends, turns.size());
    if (status.ok()) BoundUnsynced(begun);
    for (Turn& turn : turns) turn.durable(status);
    {
      MutexLock lock(&mutex_);
      writing_since_.reset();
      scheduled_ = !waiting_.empty();
      if (!scheduled_) return;
    }
    Schedule();
  }

  absl::Status Write(const std::vector<LogAppend>& appends, size_t turns) {
    if (appends.empty()) return store_->Append(appends);
    metrics_.Count(appends, turns);
    return Measured([&] { return store_->Append(appends); });
  }

  // A write to the store.
  template <class Call>
  absl::Status Measured(const Call& write) {
    const MonotonicTime begun = clock_->Now();
    absl::Status status = write();
    metrics_.duration.Record(static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(clock_->Now() - begun).count()));
    if (status.ok()) return status;
    metrics_.failures.Add();
    if (!std::exchange(poison_reported_, true)) {
      LogError("log_writer/poisoned", {{"error", status.ToString()}});
    }
    return status;
  }

  // On the loop, after a write that was begun then. One timer at most, and none where nothing is
  // unsynced: it is set for the oldest such write, and looks again when it fires, since others may
  // have synced that one meanwhile.
  void BoundUnsynced(MonotonicTime written) {
    if (!store_->HasUnsynced()) {
      unsynced_since_.reset();
      return;
    }
    if (!unsynced_since_.has_value()) unsynced_since_ = written;
    if (std::exchange(timer_set_, true)) return;
    executor_->PostAt(*unsynced_since_ + LogWriter::kUnsyncedMax,
                      [self = shared_from_this()] { self->SyncIfDue(); });
  }

  void SyncIfDue() {
    timer_set_ = false;
    {
      MutexLock lock(&mutex_);
      if (closed_) return;
    }
    if (!unsynced_since_.has_value() || !store_->Health().ok()) return;
    const bool due = clock_->Now() >= *unsynced_since_ + LogWriter::kUnsyncedMax;
    if (!due || !store_->HasUnsynced()) {
      BoundUnsynced(*unsynced_since_);
      return;
    }
    unsynced_since_.reset();
    (void)Measured([&] { return store_->Sync(); });  // LogStore::Health tells of its failure
  }

  Clock* const clock_;
  Executor* const executor_;
  LogStore* const store_;
  const std::shared_ptr<MetricsRegistry> registry_;
  WriterMetrics metrics_;
  // The loop's own.
  bool poison_reported_ = false;
  // When the first write was begun that may be unsynced.
  std::optional<MonotonicTime> unsynced_since_;
  bool timer_set_ = false;

  mutable Mutex mutex_;
  std::vector<Turn> waiting_ ABSL_GUARDED_BY(mutex_);
  // A task is posted or running.
  bool scheduled_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<MonotonicTime> writing_since_ ABSL_GUARDED_BY(mutex_);
};

class QueuedLogWriter final : public LogWriter {
 public:
  QueuedLogWriter(const Runtime& runtime, LogStore* store)
      : store_(store), queue_(std::make_shared<TurnQueue>(runtime, store)) {}
  ~QueuedLogWriter() override { queue_->Close(); }

  void Submit(std::vector<LogAppend> appends, DurableCallback durable) override {
    queue_->Submit(std::move(appends), std::move(durable));
  }
  [[nodiscard]] std::optional<MonotonicTime> OldestPending() const override {
    return queue_->OldestPending();
  }
  [[nodiscard]] uint64_t DurableBatch() const override { return store_->DurableBatch(); }

 private:
  LogStore* const store_;
  const std::shared_ptr<TurnQueue> queue_;
};

}  // namespace

std::unique_ptr<LogWriter> LogWriter::Create(const Runtime& runtime, LogStore* store) {
  return std::make_unique<QueuedLogWriter>(runtime, store);
}

}  // namespace quorate
