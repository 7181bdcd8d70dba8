#include "raft/scenario.h"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <utility>

#include "fmt/format.h"
#include "raft/quorum.h"

namespace quorate::raft {
namespace {

constexpr uint64_t kMillisecondsMax = 24 * 3600 * 1000;

absl::StatusOr<uint64_t> ToNumber(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return BadLine(fmt::format("'{}' is no number", text));
  }
  return number;
}

}  // namespace

ScenarioLine ParseScenarioLine(std::string_view text) {
  ScenarioLine line;
  std::istringstream words{std::string(text.substr(0, text.find('#')))};
  for (std::string word; words >> word;) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos) {
      line.words.push_back(word);
    } else {
      line.named[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  return line;
}

absl::Status BadLine(std::string why) { return absl::InvalidArgumentError(std::move(why)); }

absl::StatusOr<uint64_t> ScenarioLine::Number(size_t word) const {
  if (word >= words.size()) return BadLine(fmt::format("word {} is missing", word));
  return ToNumber(words[word]);
}

absl::StatusOr<uint64_t> ScenarioLine::Number(const std::string& name) const {
  const auto found = named.find(name);
  if (found == named.end()) return BadLine(fmt::format("{}= is missing", name));
  return ToNumber(found->second);
}

absl::StatusOr<Duration> ScenarioLine::Time(size_t word) const {
  if (word >= words.size()) return BadLine("a time is missing");
  const std::string& text = words[word];
  const size_t unit = text.find_first_not_of("0123456789");
  const absl::StatusOr<uint64_t> number = ToNumber(text.substr(0, unit));
  if (!number.ok()) return number.status();
  if (*number > kMillisecondsMax) return BadLine(fmt::format("'{}' is more than a day", text));
  const std::string name = unit == std::string::npos ? "" : text.substr(unit);
  if (name == "ms") return std::chrono::milliseconds(*number);
  if (name == "s") return std::chrono::seconds(*number);
  return BadLine(fmt::format("'{}' is no time, write 80ms or 2s", text));
}

absl::StatusOr<std::vector<uint64_t>> ParseNumbers(std::string_view text) {
  std::vector<uint64_t> numbers;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const absl::StatusOr<uint64_t> number = ToNumber(text.substr(0, comma));
    if (!number.ok()) return number.status();
    numbers.push_back(*number);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return numbers;
}

absl::Status Scenario::Run(std::string_view text) {
  std::istringstream lines{std::string(text)};
  size_t number = 0;
  for (std::string source; std::getline(lines, source);) {
    ++number;
    const ScenarioLine line = ParseScenarioLine(source);
    if (line.words.empty()) continue;
    absl::Status status = RunLine(line);
    if (status.ok() && cluster_ && !cluster_->invariants().violations().empty()) {
      status = absl::InternalError(cluster_->invariants().violations().front());
    }
    if (!status.ok()) {
      return {status.code(),
              fmt::format("line {} `{}`: {}", number, source, std::string(status.message()))};
    }
  }
  return absl::OkStatus();
}

absl::Status Scenario::RunLine(const ScenarioLine& line) {
  const std::string& name = line.words.front();
  if (const auto found = SetUpCommands().find(name); found != SetUpCommands().end()) {
    if (cluster_) return BadLine("set-up commands come before all others");
    return found->second(*this, line);
  }
  const auto found = Commands().find(name);
  if (found == Commands().end()) return BadLine("no such command");
  if (!cluster_) {
    if (absl::Status started = StartCluster(); !started.ok()) return started;
  }
  return found->second(*this, line);
}

const std::map<std::string, Scenario::Command>& Scenario::SetUpCommands() {
  static const auto* commands = new std::map<std::string, Command>{
      {"nodes", &Scenario::Members},    {"voters", &Scenario::Members},
      {"outgoing", &Scenario::Members}, {"learners", &Scenario::Members},
      {"config", &Scenario::Config},    {"log", &Scenario::Log},
      {"spare", &Scenario::Spare},
  };
  return *commands;
}

const std::map<std::string, Scenario::Command>& Scenario::Commands() {
  static const auto* commands = new std::map<std::string, Command>{
      {"tick", &Scenario::Time},
      {"advance", &Scenario::Time},
      {"run", &Scenario::Time},
      {"campaign", &Scenario::Replica},
      {"step-down", &Scenario::Replica},
      {"wake", &Scenario::Replica},
      {"suspect", &Scenario::Replica},
      {"crash", &Scenario::Replica},
      {"restart", &Scenario::Replica},
      {"lose-power", &Scenario::Replica},
      {"slow-disk", &Scenario::Disk},
      {"fast-disk", &Scenario::Disk},
      {"persist", &Scenario::Disk},
      {"slow-apply", &Scenario::Disk},
      {"fast-apply", &Scenario::Disk},
      {"damage", &Scenario::Disk},
      {"propose", &Scenario::Client},
      {"read", &Scenario::Client},
      {"transfer", &Scenario::Client},
      {"configure", &Scenario::Configure},
      {"deliver", &Scenario::Network},
      {"drop", &Scenario::Network},
      {"keep", &Scenario::Network},
      {"replay", &Scenario::Network},
      {"cut", &Scenario::Network},
      {"heal", &Scenario::Network},
      {"compact", &Scenario::Snapshots},
      {"slow-snapshots", &Scenario::Snapshots},
      {"fast-snapshots", &Scenario::Snapshots},
      {"install", &Scenario::Snapshots},
      {"fail-snapshot", &Scenario::Snapshots},
      {"ingest", &Scenario::Snapshots},
      {"inject", &Scenario::Inject},
      {"expect", &Scenario::Expect},
  };
  return *commands;
}

absl::Status Scenario::StartCluster() {
  cluster_ = std::make_unique<TestCluster>(config_);
  for (uint64_t id : spares_) cluster_->AddSpare(id);
  for (const auto& [id, log] : initial_logs_) {
    if (!IsMember(config_.initial, ReplicaId(id))) return BadLine("log of no member");
    std::vector<Entry> entries;
    for (uint64_t term : log.terms) {
      const LogIndex index(entries.size() + 1);
      auto payload = std::make_shared<const std::string>(fmt::format("{}.{}", term, index.value()));
      entries.push_back({Term(term), index, EntryKind::kCommand, std::move(payload)});
    }
    cluster_->disk(id).Write(log.hard_state, entries);
    cluster_->disk(id).CompactTo(log.compacted);
  }
  for (uint64_t id : cluster_->ids()) cluster_->Start(id, cluster_->disk(id).CompactedIndex());
  return absl::OkStatus();
}

}  // namespace quorate::raft
