// Plays a plain-text scenario against a TestCluster. The commands are listed in
// tests/scenarios/raft/README.md.
#ifndef RAFT_SCENARIO_H_
#define RAFT_SCENARIO_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "raft/config.h"
#include "raft/test_cluster.h"

namespace quorate::raft {

// One line, cut at spaces: the command, plain words, and `name=value` words.
struct ScenarioLine {
  std::vector<std::string> words;
  std::map<std::string, std::string> named;

  // kInvalidArgument when the word is missing or no number.
  [[nodiscard]] absl::StatusOr<uint64_t> Number(size_t word) const;
  [[nodiscard]] absl::StatusOr<uint64_t> Number(const std::string& name) const;
  // "80ms", "2s"; at most a day.
  [[nodiscard]] absl::StatusOr<Duration> Time(size_t word) const;
};

// What follows '#' is no part of the line.
ScenarioLine ParseScenarioLine(std::string_view text);

// What is wrong with a line: kInvalidArgument.
absl::Status BadLine(std::string why);

// "1,1,4" as numbers; empty text gives an empty list.
absl::StatusOr<std::vector<uint64_t>> ParseNumbers(std::string_view text);

// A run of one scenario: set-up commands build the group, which starts with the first command that
// needs it. One thread.
class Scenario {
 public:
  // Runs all lines. The error names the line, what was expected and what is.
  absl::Status Run(std::string_view text);

 private:
  using Command = std::function<absl::Status(Scenario&, const ScenarioLine&)>;
  static const std::map<std::string, Command>& SetUpCommands();
  static const std::map<std::string, Command>& Commands();

  absl::Status RunLine(const ScenarioLine& line);
  absl::Status StartCluster();

  // Set-up.
  absl::Status Members(const ScenarioLine& line);
  absl::Status Config(const ScenarioLine& line);
  absl::Status Log(const ScenarioLine& line);
  absl::Status Spare(const ScenarioLine& line);
  // Actions.
  absl::Status Time(const ScenarioLine& line);
  absl::Status Replica(const ScenarioLine& line);
  absl::Status Disk(const ScenarioLine& line);
  absl::Status Client(const ScenarioLine& line);
  absl::Status Configure(const ScenarioLine& line);
  absl::Status Snapshots(const ScenarioLine& line);
  absl::Status Network(const ScenarioLine& line);
  absl::Status Inject(const ScenarioLine& line);
  // scenario_expect.cc
  absl::Status Expect(const ScenarioLine& line);
  absl::Status ExpectOfReplica(const ScenarioLine& line);
  absl::Status ExpectOfNetwork(const ScenarioLine& line);
  absl::Status ExpectOfSnapshots(const ScenarioLine& line);
  absl::Status ExpectOfClient(const ScenarioLine& line);

  absl::StatusOr<TestCluster::Filter> FilterOf(const ScenarioLine& line, size_t first_word) const;

  struct InitialLog {
    HardState hard_state;
    std::vector<uint64_t> terms;
    LogIndex compacted;
  };

  TestGroup config_;
  std::map<uint64_t, InitialLog> initial_logs_;
  std::vector<uint64_t> spares_;
  std::unique_ptr<TestCluster> cluster_;
  std::map<std::string, std::vector<Message>> kept_;
  absl::Status last_status_;
};

}  // namespace quorate::raft

#endif  // RAFT_SCENARIO_H_
