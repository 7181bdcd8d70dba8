#include "server/runtime/process_figures.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <system_error>
#include <utility>

#include "server/runtime/proc_file.h"

namespace quorate {
namespace {

double TicksToSeconds(uint64_t ticks) {
  return static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// When the machine started, in seconds since the Unix epoch.
double BootTimeSeconds() {
  std::ifstream file("/proc/stat");
  std::string word;
  while (file >> word) {
    if (word == "btime") {
      double seconds = 0;
      file >> seconds;
      return seconds;
    }
    std::getline(file, word);
  }
  return 0;
}

uint64_t CountEntries(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::directory_iterator entries(folder, error);
  return error ? 0 : static_cast<uint64_t>(std::distance(begin(entries), end(entries)));
}

}  // namespace

std::optional<ProcStat> ParseProcStat(std::string_view line) {
  // The name is in parentheses and may hold spaces and parentheses itself.
  const size_t open = line.find('(');
  const size_t close = line.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    return std::nullopt;
  }
  // Fields as numbered by proc(5), from the third on.
  constexpr size_t kFirst = 3;
  std::istringstream rest{std::string(line.substr(close + 1))};
  const std::vector<std::string> fields{std::istream_iterator<std::string>(rest), {}};
  bool complete = true;
  const auto number = [&](size_t field) -> uint64_t {
    if (fields.size() + kFirst <= field) {
      complete = false;
      return 0;
    }
    return std::strtoull(fields[field - kFirst].c_str(), nullptr, 10);
  };
  ProcStat stat{.name = std::string(line.substr(open + 1, close - open - 1)),
                .cpu_ticks = number(14) + number(15),
                .threads = number(20),
                .start_ticks = number(22),
                .virtual_bytes = number(23),
                .resident_pages = number(24)};
  return complete ? std::optional(std::move(stat)) : std::nullopt;
}

ProcessFigures ReadProcessFigures() {
  ProcessFigures figures;
  if (const auto stat = ParseProcStat(ReadProcFile("/proc/self/stat"))) {
    static const double boot_time = BootTimeSeconds();
    figures.cpu_seconds = TicksToSeconds(stat->cpu_ticks);
    figures.start_time_seconds = boot_time + TicksToSeconds(stat->start_ticks);
    figures.resident_bytes = stat->resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    figures.virtual_bytes = stat->virtual_bytes;
    figures.threads = stat->threads;
  }
  figures.open_fds = CountEntries("/proc/self/fd");
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.max_fds = limit.rlim_cur;
  return figures;
}

std::map<std::string, double> ReadThreadCpuSeconds() {
  std::map<std::string, double> seconds;
  std::error_code error;
  std::filesystem::directory_iterator threads("/proc/self/task", error);
  // A thread may end while it is looked at.
  for (; !error && threads != std::filesystem::directory_iterator(); threads.increment(error)) {
    if (const auto stat = ParseProcStat(ReadProcFile(threads->path() / "stat"))) {
      seconds[stat->name] += TicksToSeconds(stat->cpu_ticks);
    }
  }
  return seconds;
}

std::vector<std::shared_ptr<void>> AddProcessMetrics(MetricsRegistry& registry) {
  std::vector<std::shared_ptr<void>> handles;
  const auto add = [&](const char* name, const char* help, const char* kind,
                       const std::function<double(const ProcessFigures&)>& of) {
    handles.push_back(registry.AddCollector({.name = name, .help = help}, kind, [of] {
      return std::vector<Sample>{{{}, of(ReadProcessFigures())}};
    }));
  };
  add("process_cpu_seconds_total", "Processor time used, in user and system mode.", "counter",
      [](const auto& figures) { return figures.cpu_seconds; });
  add("process_start_time_seconds", "When the process started, since the Unix epoch.", "gauge",
      [](const auto& figures) { return figures.start_time_seconds; });
  add("process_resident_memory_bytes", "Memory of the process that is in RAM.", "gauge",
      [](const auto& figures) { return static_cast<double>(figures.resident_bytes); });
  add("process_virtual_memory_bytes", "Address space of the process.", "gauge",
      [](const auto& figures) { return static_cast<double>(figures.virtual_bytes); });
  add("process_threads", "Threads of the process.", "gauge",
      [](const auto& figures) { return static_cast<double>(figures.threads); });
  add("process_open_fds", "Files and connections that are open.", "gauge",
      [](const auto& figures) { return static_cast<double>(figures.open_fds); });
  add("process_max_fds", "Most files and connections that may be open.", "gauge",
      [](const auto& figures) { return static_cast<double>(figures.max_fds); });
  handles.push_back(registry.AddCollector(
      {.name = "quorate_thread_cpu_seconds_total",
       .help = "Processor time used by all threads of a name: which loop is busy.",
       .labels = {"thread"}},
      "counter", [] {
        std::vector<Sample> samples;
        for (const auto& [thread, seconds] : ReadThreadCpuSeconds()) {
          samples.push_back({{thread}, seconds});
        }
        return samples;
      }));
  return handles;
}

}  // namespace quorate
