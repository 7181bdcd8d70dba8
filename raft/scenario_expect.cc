// What a scenario can expect; see tests/scenarios/raft/README.md.
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "raft/raft_core.h"
#include "raft/scenario.h"

namespace quorate::raft {
namespace {

absl::Status Compare(const std::string& wanted, const std::string& found) {
  if (wanted == found) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format("wanted {}, found {}", wanted, found));
}

std::string RoleName(Role role) {
  switch (role) {
    case Role::kFollower:
      return "follower";
    case Role::kPreCandidate:
      return "pre-candidate";
    case Role::kCandidate:
      return "candidate";
    case Role::kLeader:
      return "leader";
  }
  return "?";
}

std::string StateName(Progress::State state) {
  switch (state) {
    case Progress::State::kProbe:
      return "probe";
    case Progress::State::kReplicate:
      return "replicate";
    case Progress::State::kSnapshot:
      return "snapshot";
  }
  return "?";
}

std::string Terms(const RaftNode& node) {
  const RaftLog& log = node.core().log();
  std::vector<uint64_t> terms;
  for (LogIndex index = log.compacted_index().Next(); index <= log.last_index();
       index = index.Next()) {
    const absl::StatusOr<Term> term = log.TermAt(index);
    terms.push_back(term.ok() ? term->value() : 0);
  }
  return fmt::format("{}", fmt::join(terms, ","));
}

std::string StatusName(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return "ok";
    case absl::StatusCode::kUnavailable:
      return "unavailable";
    case absl::StatusCode::kResourceExhausted:
      return "exhausted";
    case absl::StatusCode::kInvalidArgument:
      return "invalid";
    case absl::StatusCode::kAlreadyExists:
      return "same";
    case absl::StatusCode::kFailedPrecondition:
      return "precondition";
    default:
      return std::string(status.message());
  }
}

// "1,2,3", "1,2,4/1,2,3" while joint, "1,2,3+5" with a learner.
std::string MembersText(const Configuration& configuration) {
  const auto text = [](const std::vector<ReplicaId>& ids) {
    std::vector<uint64_t> values;
    for (ReplicaId id : ids) values.push_back(id.value());
    return fmt::format("{}", fmt::join(values, ","));
  };
  std::string members = text(configuration.voters);
  if (!configuration.outgoing.empty()) members += "/" + text(configuration.outgoing);
  if (!configuration.learners.empty()) members += "+" + text(configuration.learners);
  return members;
}

absl::StatusOr<std::string> ReplicaValue(TestCluster& cluster, uint64_t id,
                                         const std::string& what) {
  const RaftNode& node = std::as_const(cluster.node(id));
  const RaftCore& core = node.core();
  if (what == "role") return RoleName(node.role());
  if (what == "quiet") return node.quiet() ? "yes" : "no";
  if (what == "term") return fmt::to_string(node.term().value());
  if (what == "vote") return fmt::to_string(core.voted_for().value());
  if (what == "life") return fmt::to_string(node.Status().hard_state.life);
  if (what == "returning") return node.Status().returning ? "yes" : "no";
  if (what == "leader-of") return fmt::to_string(node.leader().value());
  if (what == "log") return Terms(node);
  if (what == "compacted") return fmt::to_string(core.log().compacted_index().value());
  if (what == "disk-log") {
    const MemoryLog& disk = cluster.disk(id);
    return fmt::format("{}..{}", disk.CompactedIndex().value(), disk.LastIndex().value());
  }
  if (what == "last") return fmt::to_string(core.log().last_index().value());
  if (what == "commit") return fmt::to_string(core.log().commit().value());
  if (what == "persisted") return fmt::to_string(core.disk().persisted().value());
  if (what == "applied") return fmt::to_string(cluster.Applied(id).value());
  if (what == "payloads") return fmt::format("{}", fmt::join(cluster.AppliedPayloads(id), ","));
  if (what == "transfer") return fmt::to_string(node.Status().transfer_target.value());
  if (what == "members") return MembersText(core.configuration());
  if (what == "lease") return node.CurrentLease(cluster.now()) ? "yes" : "no";
  return BadLine(fmt::format("nothing is known of '{}'", what));
}

}  // namespace

absl::Status Scenario::Expect(const ScenarioLine& line) {
  if (line.words.size() < 2) return BadLine("expect what?");
  const std::string& what = line.words[1];
  if (what == "sent" || what == "progress") return ExpectOfNetwork(line);
  if (what == "snapshots") return ExpectOfSnapshots(line);
  if (what == "status" || what == "read" || what == "refused") return ExpectOfClient(line);
  return ExpectOfReplica(line);
}

// expect leader 1 | expect role 1 follower | expect term|vote|log|commit|... ID VALUE
absl::Status Scenario::ExpectOfReplica(const ScenarioLine& line) {
  const std::string& what = line.words[1];
  if (line.words.size() < 3) return BadLine("expect WHAT of whom?");
  if (what == "leader") return Compare(line.words[2], fmt::to_string(cluster_->Leader()));
  const absl::StatusOr<uint64_t> id = line.Number(2);
  if (!id.ok()) return id.status();
  if (!cluster_->IsUp(*id)) return BadLine("is down");
  const absl::StatusOr<std::string> value = ReplicaValue(*cluster_, *id, what);
  if (!value.ok()) return value.status();
  const std::string wanted = what == "log" && line.named.count("terms") > 0
                                 ? line.named.at("terms")
                                 : (line.words.size() > 3 ? line.words[3] : "");
  return Compare(wanted, *value);
}

// expect sent FROM TO KIND count=N | expect progress LEADER FOLLOWER match= next= ...
absl::Status Scenario::ExpectOfNetwork(const ScenarioLine& line) {
  if (line.words[1] == "sent") {
    const absl::StatusOr<TestCluster::Filter> filter = FilterOf(line, 2);
    const absl::StatusOr<uint64_t> wanted = line.Number("count");
    if (!filter.ok() || !wanted.ok()) return BadLine("expect sent FROM TO KIND count=N");
    uint64_t count = 0;
    for (const Message& message : cluster_->network()) count += (*filter)(message) ? 1 : 0;
    return Compare(fmt::to_string(*wanted), fmt::to_string(count));
  }
  const absl::StatusOr<uint64_t> leader = line.Number(2);
  const absl::StatusOr<uint64_t> follower = line.Number(3);
  if (!leader.ok() || !follower.ok()) return BadLine("expect progress LEADER FOLLOWER name=value");
  const Progress* progress =
      std::as_const(cluster_->node(*leader)).core().replication().Find(ReplicaId(*follower));
  if (progress == nullptr) return BadLine("the leader knows no such follower");
  const std::map<std::string, std::string> values = {
      {"match", fmt::to_string(progress->match().value())},
      {"next", fmt::to_string(progress->next().value())},
      {"state", StateName(progress->state())},
      {"unavailable", progress->log_unavailable() ? "yes" : "no"},
      {"returning", progress->returning() ? "yes" : "no"},
      {"inflight", fmt::to_string(progress->inflights().messages())},
  };
  for (const auto& [name, wanted] : line.named) {
    const auto value = values.find(name);
    if (value == values.end()) return BadLine(fmt::format("progress has no {}", name));
    if (absl::Status same = Compare(wanted, value->second); !same.ok()) return same;
  }
  return absl::OkStatus();
}

// expect snapshots FROM TO count=N [index=I]
absl::Status Scenario::ExpectOfSnapshots(const ScenarioLine& line) {
  const absl::StatusOr<uint64_t> from = line.Number(2);
  const absl::StatusOr<uint64_t> to = line.Number(3);
  const absl::StatusOr<uint64_t> wanted = line.Number("count");
  if (!from.ok() || !to.ok() || !wanted.ok()) return BadLine("expect snapshots FROM TO count=N");
  uint64_t count = 0;
  for (const TestCluster::SnapshotStream& stream : cluster_->snapshots()) {
    if (stream.from != ReplicaId(*from) || stream.to != ReplicaId(*to)) continue;
    ++count;
    if (const auto index = line.Number("index"); index.ok()) {
      const std::string found = fmt::to_string(stream.meta.index.value());
      if (absl::Status same = Compare(fmt::to_string(*index), found); !same.ok()) return same;
    }
  }
  return Compare(fmt::to_string(*wanted), fmt::to_string(count));
}

// expect status ok|unavailable|exhausted | expect read CONTEXT none|INDEX | expect refused CONTEXT
absl::Status Scenario::ExpectOfClient(const ScenarioLine& line) {
  if (line.words[1] == "status") {
    return Compare(line.words.size() > 2 ? line.words[2] : "", StatusName(last_status_));
  }
  const absl::StatusOr<uint64_t> context = line.Number(2);
  if (!context.ok()) return context.status();
  if (line.words[1] == "refused") {
    return Compare("refused", cluster_->refused().count(*context) > 0 ? "refused" : "not refused");
  }
  const auto served = cluster_->served().find(*context);
  const std::string found =
      served == cluster_->served().end() ? "none" : fmt::to_string(served->second.value());
  return Compare(line.words.size() > 3 ? line.words[3] : "", found);
}

}  // namespace quorate::raft
