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
    const absl::Status status = Write(appends, turns.size());
    if (!status.ok() && !poison_reported_) {
      poison_reported_ = true;
      LogError("log_writer/poisoned", {{"error", status.ToString()}});
    }
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
    const MonotonicTime begun = clock_->Now();
    absl::Status status = store_->Append(appends);
    metrics_.duration.Record(static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(clock_->Now() - begun).count()));
    if (!status.ok()) metrics_.failures.Add();
    return status;
  }

  Clock* const clock_;
  Executor* const executor_;
  LogStore* const store_;
  const std::shared_ptr<MetricsRegistry> registry_;
  WriterMetrics metrics_;
  // The loop's own.
  bool poison_reported_ = false;

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
