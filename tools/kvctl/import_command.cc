// import.
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <string>
#include <utility>

#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "server/runtime/mutex.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/import_input.h"
#include "tools/kvctl/progress.h"

namespace quorate::kvctl {
namespace {

using SteadyClock = std::chrono::steady_clock;

double SecondsSince(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

struct ImportCounts {
  uint64_t records = 0;  // done
  uint64_t bytes = 0;    // of their keys and values
  uint64_t unknown = 0;
  uint64_t refused = 0;
};

// Keeps up to `inflight` puts on their way. Put from one thread; answers come on the client's.
class Importer {
 public:
  Importer(client::Keyspace keyspace, std::chrono::nanoseconds timeout, uint32_t inflight)
      : keyspace_(std::move(keyspace)), timeout_(timeout), inflight_max_(inflight) {}

  // Waits for a free place. False once a put has failed: no more are taken.
  bool Put(const Record& record, uint64_t line) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      while (inflight_ >= inflight_max_ && !failed_) {
        changed_.Wait(&mutex_);
      }
      if (failed_) {
        return false;
      }
      ++inflight_;
    }
    client::WriteOptions options;
    options.timeout = timeout_;
    const uint64_t bytes = record.key.size() + record.value.size();
    keyspace_.PutAsync(record.key, record.value, options,
                       [this, line, bytes, key = record.key](client::WriteResult result) {
                         OnAnswer(std::move(result), line, bytes, key);
                       });
    return true;
  }

  void WaitForAll() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    while (inflight_ > 0) {
      changed_.Wait(&mutex_);
    }
  }

  [[nodiscard]] ImportCounts counts() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return counts_;
  }
  // The first failed put, its message naming line and key; OK when none failed.
  [[nodiscard]] client::WriteResult failure() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return failure_;
  }

 private:
  void OnAnswer(client::WriteResult result, uint64_t line, uint64_t bytes, const std::string& key)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    --inflight_;
    if (result.ok()) {
      ++counts_.records;
      counts_.bytes += bytes;
    } else {
      ++(result.outcome == client::Outcome::kUnknown ? counts_.unknown : counts_.refused);
      if (!failed_) {
        failed_ = true;
        result.status = absl::Status(result.status.code(),
                                     fmt::format("line {}, key {}: {}", line, Printable(key),
                                                 std::string(result.status.message())));
        failure_ = std::move(result);
      }
    }
    // With the lock held: the importer may be gone as soon as its last answer is in.
    changed_.NotifyAll();
  }

  const client::Keyspace keyspace_;
  const std::chrono::nanoseconds timeout_;
  const uint32_t inflight_max_;

  mutable Mutex mutex_;
  CondVar changed_;
  uint32_t inflight_ ABSL_GUARDED_BY(mutex_) = 0;
  bool failed_ ABSL_GUARDED_BY(mutex_) = false;
  ImportCounts counts_ ABSL_GUARDED_BY(mutex_);
  client::WriteResult failure_ ABSL_GUARDED_BY(mutex_);
};

int PrintSummary(Context& context, const ImportCounts& counts, double seconds) {
  const double rate = seconds > 0 ? static_cast<double>(counts.records) / seconds : 0;
  Table table({"records", "bytes", "seconds", "records_per_second", "unknown", "refused"});
  table.Add({fmt::to_string(counts.records), fmt::to_string(counts.bytes),
             fmt::format("{:.1f}", seconds), fmt::format("{:.0f}", rate),
             fmt::to_string(counts.unknown), fmt::to_string(counts.refused)});
  context.Print(table, {{"records", counts.records},
                        {"bytes", counts.bytes},
                        {"seconds", seconds},
                        {"records_per_second", rate},
                        {"unknown", counts.unknown},
                        {"refused", counts.refused}});
  return kExitDone;
}

int FailInput(Context& context, const absl::Status& status, const ImportCounts& counts) {
  client::Result result;
  result.outcome = client::Outcome::kNotDone;
  result.reason = client::Reason::kInvalidArgument;
  result.status = status;
  const int code = context.Fail("import", result);
  if (!context.json()) {
    fmt::print(stderr, "{} records were imported before it\n", counts.records);
  }
  return code;
}

// Imports from the open input. `bytes_total`: its size, 0 when it is not known.
int ImportFrom(Context& context, Importer& importer, std::istream& in, uint64_t bytes_total) {
  const auto began = SteadyClock::now();
  ImportInput input(&in);
  Progress progress;
  absl::Status bad_input;
  while (true) {
    auto record = input.Next();
    if (!record.ok()) {
      bad_input = record.status();
      break;
    }
    if (!record->has_value() || !importer.Put(**record, input.line())) {
      break;
    }
    if (input.line() % 64 == 0) {
      progress.Update({.records = importer.counts().records,
                       .bytes = input.bytes(),
                       .bytes_total = bytes_total,
                       .seconds = SecondsSince(began)});
    }
  }
  importer.WaitForAll();
  progress.Clear();
  const ImportCounts counts = importer.counts();
  PrintSummary(context, counts, SecondsSince(began));
  if (const auto failure = importer.failure(); !failure.ok()) {
    return context.Fail("import", failure);
  }
  return bad_input.ok() ? kExitDone : FailInput(context, bad_input, counts);
}

// The size of a regular file; 0: it is none (a pipe, say), so it can be read only once.
uint64_t RegularSize(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)
             ? static_cast<uint64_t>(info.st_size)
             : 0;
}

// Reads all of it, so that a mistake is found before anything is written.
absl::Status CheckFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  ImportInput input(&in);
  while (true) {
    const auto record = input.Next();
    if (!record.ok() || !record->has_value()) {
      return record.status();
    }
  }
}

}  // namespace

int RunImport(Context& context, const ImportFlags& flags) {
  const bool from_stdin = flags.file == "-";
  std::ifstream file;
  uint64_t size = 0;
  if (!from_stdin) {
    file.open(flags.file, std::ios::binary);
    if (!file.is_open()) {
      return context.FailUsage("import", "cannot read " + flags.file);
    }
    size = RegularSize(flags.file);
    const absl::Status checked = size > 0 ? CheckFile(flags.file) : absl::OkStatus();
    if (!checked.ok()) {
      return FailInput(context, checked, {});
    }
  }
  client::Client* client = context.Connect("import");
  if (client == nullptr) {
    return kExitUsage;
  }
  Importer importer(client->UncheckedKeyspace(flags.keyspace), context.options().timeout,
                    std::max(1u, flags.inflight));
  return ImportFrom(context, importer, from_stdin ? std::cin : file, size);
}

}  // namespace quorate::kvctl
