// Runs one seed of the cluster simulation and prints a report, the last line as JSON.
//
//   cluster_sim --regression FILE     a file of tests/regressions/, see its README
//   cluster_sim --seed 7 [--seconds 60] [--nodes 3] [--partitions 4] [--lease off]
//               [--log-keep-bytes 8192] [--quiet-after-ms 300] [--moves]
//               [--faults FILE] [--expect EVENT]… [--lying-log-syncs] [--print-faults] [--log]
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "server/runtime/log.h"
#include "tests/sim/cluster/run.h"
#include "tests/sim/determinism.h"

namespace {

using quorate::sim::RunOptions;

bool ReadFile(const std::string& path, std::string* text) {
  std::ifstream file(path);
  std::stringstream content;
  content << file.rdbuf();
  *text = content.str();
  if (!file) std::cerr << path << ": cannot be read\n";
  return static_cast<bool>(file);
}

// A regression's file is a schedule of faults with lines "run ARGUMENTS" among them: replaces
// "--regression FILE" by these arguments, and leaves the schedule in `text`.
bool ExpandRegression(std::vector<std::string>* arguments, std::string* text) {
  if (arguments->size() != 2 || arguments->front() != "--regression") return true;
  std::string content;
  if (!ReadFile(arguments->back(), &content)) return false;
  arguments->clear();
  std::istringstream lines(content);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    if (!(words >> word) || word != "run") {
      *text += line + "\n";
      continue;
    }
    while (words >> word) arguments->push_back(word);
  }
  return true;
}

// False when an argument is not understood; says which.
bool Parse(std::vector<std::string> arguments, RunOptions* options, bool* print_faults, bool* log) {
  std::string text;
  if (!ExpandRegression(&arguments, &text)) return false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& name = arguments[i];
    const auto value = [&]() -> std::string {
      return i + 1 < arguments.size() ? arguments[++i] : "";
    };
    if (name == "--seed") {
      options->seed = std::strtoull(value().c_str(), nullptr, 10);
    } else if (name == "--seconds") {
      options->length = std::chrono::seconds(std::strtoll(value().c_str(), nullptr, 10));
    } else if (name == "--nodes") {
      options->nodes = static_cast<uint32_t>(std::strtoul(value().c_str(), nullptr, 10));
    } else if (name == "--partitions") {
      options->partitions = static_cast<uint32_t>(std::strtoul(value().c_str(), nullptr, 10));
    } else if (name == "--ok-min") {
      options->ok_min = std::strtoull(value().c_str(), nullptr, 10);
    } else if (name == "--lease") {
      options->lease = value() != "off";
    } else if (name == "--quiet-after-ms") {
      options->quiet_after = std::chrono::milliseconds(std::strtoll(value().c_str(), nullptr, 10));
    } else if (name == "--buffered") {
      options->buffered = true;
    } else if (name == "--moves") {
      options->moves = true;
    } else if (name == "--log-keep-bytes") {
      options->log_keep_bytes = std::strtoull(value().c_str(), nullptr, 10);
    } else if (name == "--lying-log-syncs") {
      options->lying_log_syncs = true;
    } else if (name == "--expect") {
      options->expected_events.push_back(value());
    } else if (name == "--print-faults") {
      *print_faults = true;
    } else if (name == "--log") {
      *log = true;
    } else if (name == "--faults") {
      if (!ReadFile(value(), &text)) return false;
    } else {
      std::cerr << "unknown argument " << name << "\n";
      return false;
    }
  }
  if (text.empty()) return true;
  auto faults = quorate::sim::ParseFaults(text);
  if (!faults.ok()) {
    std::cerr << faults.status().ToString() << "\n";
    return false;
  }
  options->faults = *faults;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  quorate::sim::EnsureDeterministicAddresses(argv);
  RunOptions options;
  bool print_faults = false;
  bool log = false;
  if (!Parse({argv + 1, argv + argc}, &options, &print_faults, &log)) return 2;
  if (!log) quorate::SetLogSink([](quorate::LogLevel, const std::string&) {});
  const quorate::sim::RunReport report = quorate::sim::Run(options);
  if (print_faults || !report.failures.empty()) {
    for (const auto& fault : report.faults) std::cout << ToText(fault) << "\n";
  }
  for (const std::string& failure : report.failures) std::cout << "FAILED: " << failure << "\n";
  const nlohmann::json line = {{"seed", options.seed},
                               {"hash", report.hash},
                               {"virtual_seconds", report.virtual_seconds},
                               {"failures", report.failures.size()},
                               {"counts", report.counts}};
  std::cout << line.dump() << std::endl;
  return report.failures.empty() ? 0 : 1;
}
