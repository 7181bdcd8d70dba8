// load: sequential writers that say what became of every write. For trying out failures.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "server/runtime/mutex.h"
#include "tools/kvctl/commands.h"

namespace quorate::kvctl {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

// Refusals in a row after which the load gives up: the mistake is not a failure that heals.
constexpr int kRefusalsMax = 1000;

volatile std::sig_atomic_t interrupted = 0;

void OnSignal(int /*signal*/) { interrupted = 1; }

struct LoadSummary {
  uint64_t acknowledged = 0;
  uint64_t unknown = 0;
  uint64_t refused = 0;
  SteadyClock::duration longest_gap{};
};

// All writers of one load. A writer sends its next write when the last one has ended, from the
// client's thread.
class Load {
 public:
  Load(client::Keyspace keyspace, const LoadFlags& flags, std::chrono::nanoseconds timeout,
       std::FILE* journal)
      : keyspace_(std::move(keyspace)), flags_(flags), timeout_(timeout), journal_(journal) {}

  LoadSummary Run();
  // The refusal that made it give up; OK: it did not.
  [[nodiscard]] client::WriteResult gave_up() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return gave_up_;
  }

 private:
  void WriteNext(uint32_t writer, uint64_t number);
  // True: go on.
  bool OnAnswer(const std::string& key, const std::string& value, const client::WriteResult& result)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void NoteGap(SteadyClock::time_point now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const client::Keyspace keyspace_;
  const LoadFlags flags_;
  const std::chrono::nanoseconds timeout_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::FILE* const journal_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  uint32_t running_ ABSL_GUARDED_BY(mutex_) = 0;
  int refusals_in_a_row_ ABSL_GUARDED_BY(mutex_) = 0;
  LoadSummary summary_ ABSL_GUARDED_BY(mutex_);
  SteadyClock::time_point last_acknowledged_ ABSL_GUARDED_BY(mutex_);
  client::WriteResult gave_up_ ABSL_GUARDED_BY(mutex_);
};

void Load::WriteNext(uint32_t writer, uint64_t number) {
  const std::string key = fmt::format("{}{}-{:08}", flags_.prefix, writer, number);
  std::string value = fmt::format("{}:{}:", writer, number);
  if (value.size() < flags_.value_bytes) {
    value.resize(flags_.value_bytes, 'v');
  }
  client::WriteOptions options;
  options.timeout = timeout_;
  keyspace_.PutAsync(key, value, options,
                     [this, writer, number, key, value](const client::WriteResult& result) {
                       if (OnAnswer(key, value, result)) {
                         WriteNext(writer, number + 1);
                       }
                     });
}

bool Load::OnAnswer(const std::string& key, const std::string& value,
                    const client::WriteResult& result) {
  const auto now = SteadyClock::now();
  MutexLock lock(&mutex_);
  const char* outcome = "refused";
  if (result.ok()) {
    outcome = "acknowledged";
    ++summary_.acknowledged;
    NoteGap(now);
    last_acknowledged_ = now;
    refusals_in_a_row_ = 0;
  } else if (result.outcome == client::Outcome::kUnknown) {
    outcome = "unknown";
    ++summary_.unknown;
  } else {
    ++summary_.refused;
    if (++refusals_in_a_row_ >= kRefusalsMax && gave_up_.ok()) {
      gave_up_ = result;
      stopping_ = true;
    }
  }
  if (journal_ != nullptr) {
    fmt::print(journal_, "{}\n",
               Json({{"key", key}, {"value", value}, {"outcome", outcome}}).dump());
  }
  if (!stopping_) {
    return true;
  }
  // With the lock held: the load may be gone as soon as its last writer has ended.
  --running_;
  changed_.NotifyAll();
  return false;
}

void Load::NoteGap(SteadyClock::time_point now) {
  if (now - last_acknowledged_ > summary_.longest_gap) {
    summary_.longest_gap = now - last_acknowledged_;
  }
}

LoadSummary Load::Run() {
  const auto began = SteadyClock::now();
  {
    MutexLock lock(&mutex_);
    last_acknowledged_ = began;
    running_ = flags_.clients;
  }
  for (uint32_t writer = 0; writer < flags_.clients; ++writer) {
    WriteNext(writer, 0);
  }
  const auto end = began + std::chrono::duration_cast<SteadyClock::duration>(
                               std::chrono::duration<double>(flags_.seconds));
  MutexLock lock(&mutex_);
  while (!stopping_ && interrupted == 0 && SteadyClock::now() < end) {
    changed_.WaitFor(&mutex_, std::chrono::milliseconds(50));
  }
  if (!stopping_) {
    // A silence that lasts until the end counts too.
    NoteGap(SteadyClock::now());
  }
  stopping_ = true;
  while (running_ > 0) {
    changed_.Wait(&mutex_);
  }
  return summary_;
}

void PrintSummary(Context& context, const LoadSummary& summary, double seconds) {
  const auto gap_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(summary.longest_gap).count();
  Table table({"acknowledged", "unknown", "refused", "longest_gap_ms", "seconds"});
  table.Add({fmt::to_string(summary.acknowledged), fmt::to_string(summary.unknown),
             fmt::to_string(summary.refused), fmt::to_string(gap_ms),
             fmt::format("{:.1f}", seconds)});
  context.Print(table, {{"acknowledged", summary.acknowledged},
                        {"unknown", summary.unknown},
                        {"refused", summary.refused},
                        {"longest_gap_ms", gap_ms},
                        {"seconds", seconds}});
}

}  // namespace

int RunLoad(Context& context, const LoadFlags& flags) {
  std::FILE* journal = nullptr;
  if (!flags.journal.empty()) {
    journal = std::fopen(flags.journal.c_str(), "w");
    if (journal == nullptr) {
      return context.FailUsage("load", "--journal: cannot write " + flags.journal);
    }
  }
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> closer(
      journal, [](std::FILE* file) { return file == nullptr ? 0 : std::fclose(file); });
  client::Client* client = context.Connect("load");
  if (client == nullptr) {
    return kExitUsage;
  }
  std::signal(SIGTERM, OnSignal);
  std::signal(SIGINT, OnSignal);
  const auto began = SteadyClock::now();
  Load load(client->UncheckedKeyspace(flags.keyspace), flags, context.options().timeout, journal);
  const LoadSummary summary = load.Run();
  PrintSummary(context, summary, std::chrono::duration<double>(SteadyClock::now() - began).count());
  if (const auto gave_up = load.gave_up(); !gave_up.ok()) {
    return context.Fail("load", gave_up);
  }
  if (journal != nullptr && (std::fflush(journal) != 0 || std::ferror(journal) != 0)) {
    return context.FailUsage("load", "--journal: writing it failed");
  }
  return kExitDone;
}

}  // namespace quorate::kvctl
