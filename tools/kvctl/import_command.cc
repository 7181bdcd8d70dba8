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
#include "tools/kvctl/commands.h"
#include "tools/kvctl/import_input.h"
#include "tools/kvctl/importer.h"
#include "tools/kvctl/progress.h"

namespace quorate::kvctl {
namespace {

using SteadyClock = std::chrono::steady_clock;

double SecondsSince(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

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
int ImportFrom(Context& context, const client::Keyspace& keyspace, uint32_t inflight,
               std::istream& in, uint64_t bytes_total) {
  const auto began = SteadyClock::now();
  ImportInput input(&in);
  Progress progress;
  const auto put = [&keyspace](const Record& record, const client::WriteOptions& options,
                               client::Handler<client::WriteResult> handler) {
    keyspace.PutAsync(record.key, record.value, options, std::move(handler));
  };
  const auto stalled = [&progress](const std::string& why) {
    progress.Clear();
    fmt::print(stderr, "{}\ntried again, for {} minutes at most without any record done\n", why,
               Importer::kPatience.count());
  };
  Importer importer(put, {.timeout = context.options().timeout,
                          .inflight = std::max(1u, inflight),
                          .stalled = stalled});
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
  return ImportFrom(context, client->UncheckedKeyspace(flags.keyspace), flags.inflight,
                    from_stdin ? std::cin : file, size);
}

}  // namespace quorate::kvctl
