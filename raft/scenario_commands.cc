// What the commands of a scenario do; see tests/scenarios/raft/README.md.
#include <utility>

#include "fmt/format.h"
#include "raft/scenario.h"

namespace quorate::raft {
// nodes 3 | voters 1 2 3 | outgoing 2 3 4 | learners 5
absl::Status Scenario::Members(const ScenarioLine& line) {
  Configuration& configuration = config_.initial;
  if (line.words[0] == "nodes") {
    const absl::StatusOr<uint64_t> count = line.Number(1);
    if (!count.ok()) return count.status();
    for (uint64_t id = 1; id <= *count; ++id) configuration.voters.emplace_back(id);
    return absl::OkStatus();
  }
  std::vector<ReplicaId>& list = line.words[0] == "voters"     ? configuration.voters
                                 : line.words[0] == "outgoing" ? configuration.outgoing
                                                               : configuration.learners;
  for (size_t word = 1; word < line.words.size(); ++word) {
    const absl::StatusOr<uint64_t> id = line.Number(word);
    if (!id.ok()) return id.status();
    list.emplace_back(*id);
  }
  return absl::OkStatus();
}

// config lease=off seed=7 append_bytes_max=100 inflight_messages_max=2 ...
absl::Status Scenario::Config(const ScenarioLine& line) {
  for (const auto& [name, value] : line.named) {
    if (name == "lease" || name == "buffered" || name == "commit_rides_along") {
      (name == "lease"      ? config_.lease_enabled
       : name == "buffered" ? config_.buffered
                            : config_.commit_rides_along) = value == "on";
      continue;
    }
    const absl::StatusOr<uint64_t> number = line.Number(name);
    if (!number.ok()) return number.status();
    if (name == "seed") {
      config_.seed = *number;
    } else if (name == "append_bytes_max") {
      config_.append_bytes_max = *number;
    } else if (name == "inflight_messages_max") {
      config_.inflight_messages_max = *number;
    } else if (name == "inflight_bytes_max") {
      config_.inflight_bytes_max = *number;
    } else if (name == "uncommitted_bytes_max") {
      config_.uncommitted_bytes_max = *number;
    } else if (name == "pending_reads_max") {
      config_.pending_reads_max = *number;
    } else if (name == "promotion_lag_entries_max") {
      config_.promotion_lag_entries_max = *number;
    } else if (name == "quiet_after_ms") {
      config_.quiet_after = std::chrono::milliseconds(*number);
    } else if (name == "wait_step_ms") {
      config_.wait_step_max = std::chrono::milliseconds(*number);
    } else if (name == "drift_percent") {
      config_.clock_drift_max = static_cast<double>(*number) / 100;
    } else {
      return BadLine(fmt::format("no knob {}", name));
    }
  }
  return absl::OkStatus();
}

// log 1 terms=1,1,4 term=5 vote=2 commit=2 compacted=1
absl::Status Scenario::Log(const ScenarioLine& line) {
  const absl::StatusOr<uint64_t> id = line.Number(1);
  if (!id.ok()) return id.status();
  InitialLog& log = initial_logs_[*id];
  for (const auto& [name, value] : line.named) {
    const absl::StatusOr<std::vector<uint64_t>> numbers = ParseNumbers(value);
    if (!numbers.ok()) return numbers.status();
    if (name == "terms") {
      log.terms = *numbers;
      continue;
    }
    if (numbers->size() != 1) return BadLine(fmt::format("{}= takes one number", name));
    if (name == "term") {
      log.hard_state.term = Term(numbers->front());
    } else if (name == "vote") {
      log.hard_state.voted_for = ReplicaId(numbers->front());
    } else if (name == "commit") {
      log.hard_state.commit = LogIndex(numbers->front());
    } else if (name == "compacted") {
      log.compacted = LogIndex(numbers->front());
    } else {
      return BadLine(fmt::format("a log has no {}", name));
    }
  }
  if (log.hard_state.term.IsZero() && !log.terms.empty()) {
    log.hard_state.term = Term(log.terms.back());
  }
  return absl::OkStatus();
}

// spare 4 5
absl::Status Scenario::Spare(const ScenarioLine& line) {
  for (size_t word = 1; word < line.words.size(); ++word) {
    const absl::StatusOr<uint64_t> id = line.Number(word);
    if (!id.ok()) return id.status();
    spares_.push_back(*id);
  }
  return absl::OkStatus();
}

// advance 50ms | tick 100ms [1 2] | run 2s
absl::Status Scenario::Time(const ScenarioLine& line) {
  const absl::StatusOr<Duration> duration = line.Time(1);
  if (!duration.ok()) return duration.status();
  if (line.words[0] == "run") {
    cluster_->Run(*duration);
    return absl::OkStatus();
  }
  cluster_->Advance(*duration);
  if (line.words[0] == "advance") return absl::OkStatus();
  if (line.words.size() == 2) {
    for (uint64_t id : cluster_->ids()) {
      if (cluster_->IsUp(id)) cluster_->Tick(id);
    }
  }
  for (size_t word = 2; word < line.words.size(); ++word) {
    const absl::StatusOr<uint64_t> id = line.Number(word);
    if (!id.ok()) return id.status();
    cluster_->Tick(*id);
  }
  return absl::OkStatus();
}

// campaign 1 | step-down 1 | wake 1 | suspect 1 | crash 1 [written=N] | restart 1 [applied=N] |
// lose-power 1 [lost=N] [flushed=N]
absl::Status Scenario::Replica(const ScenarioLine& line) {
  const absl::StatusOr<uint64_t> id = line.Number(1);
  if (!id.ok()) return id.status();
  const std::string& name = line.words[0];
  if (name == "campaign") {
    cluster_->Campaign(*id);
  } else if (name == "step-down") {
    cluster_->node(*id).StepDown(cluster_->now());
    cluster_->Pump(*id);
  } else if (name == "wake") {
    cluster_->node(*id).Wake(cluster_->now());
    cluster_->Pump(*id);
  } else if (name == "suspect") {
    cluster_->node(*id).SuspectLeader(cluster_->now());
    cluster_->Pump(*id);
  } else if (name == "crash") {
    if (const auto written = line.Number("written"); written.ok()) {
      cluster_->WriteUnreported(*id, *written);
    }
    cluster_->Crash(*id);
  } else if (name == "lose-power") {
    const auto lost = line.Number("lost");
    const auto flushed = line.Number("flushed");
    cluster_->LosePower(*id, lost.ok() ? *lost : SIZE_MAX, LogIndex(flushed.ok() ? *flushed : 0));
  } else {
    const auto applied = line.Number("applied");
    cluster_->Start(*id, LogIndex(applied.ok() ? *applied : 0));
  }
  return absl::OkStatus();
}

// slow-disk 1 | fast-disk 1 | persist 1 [count] | slow-apply 1 | fast-apply 1 | damage 1 index
absl::Status Scenario::Disk(const ScenarioLine& line) {
  const absl::StatusOr<uint64_t> id = line.Number(1);
  if (!id.ok()) return id.status();
  const std::string& name = line.words[0];
  const absl::StatusOr<uint64_t> number = line.Number(2);
  if (name == "persist") {
    cluster_->Persist(*id, number.ok() ? *number : SIZE_MAX);
  } else if (name == "damage") {
    if (!number.ok()) return number.status();
    cluster_->disk(*id).DamageAt(LogIndex(*number));
  } else if (name == "slow-disk" || name == "fast-disk") {
    cluster_->SetSlowDisk(*id, name == "slow-disk");
    cluster_->Pump(*id);
  } else {
    cluster_->SetSlowApply(*id, name == "slow-apply");
    if (name == "fast-apply") cluster_->ReportApplied(*id);
  }
  return absl::OkStatus();
}

// propose 1 TEXT | read 1 CONTEXT | transfer 1 TARGET
absl::Status Scenario::Client(const ScenarioLine& line) {
  const absl::StatusOr<uint64_t> id = line.Number(1);
  if (!id.ok()) return id.status();
  if (line.words[0] == "propose") {
    if (line.words.size() < 3) return BadLine("propose what?");
    last_status_ = cluster_->Propose(*id, line.words[2]).status();
    return absl::OkStatus();
  }
  const absl::StatusOr<uint64_t> context = line.Number(2);
  if (!context.ok()) return context.status();
  last_status_ =
      line.words[0] == "read" ? cluster_->Read(*id, *context) : cluster_->Transfer(*id, *context);
  return absl::OkStatus();
}

// configure 1 voters=1,2,4 [learners=5] [epoch=7]
absl::Status Scenario::Configure(const ScenarioLine& line) {
  const absl::StatusOr<uint64_t> id = line.Number(1);
  if (!id.ok()) return id.status();
  Configuration target;
  for (const auto& [name, value] : line.named) {
    const absl::StatusOr<std::vector<uint64_t>> numbers = ParseNumbers(value);
    if (!numbers.ok()) return numbers.status();
    if (name == "epoch" && numbers->size() == 1) {
      target.epoch = numbers->front();
      continue;
    }
    if (name != "voters" && name != "learners") return BadLine(fmt::format("no list {}", name));
    std::vector<ReplicaId>& list = name == "voters" ? target.voters : target.learners;
    for (uint64_t number : *numbers) list.emplace_back(number);
  }
  last_status_ = cluster_->Configure(*id, target);
  return absl::OkStatus();
}

// compact 1 INDEX | slow-snapshots | fast-snapshots | install FROM TO [copy=1] | fail-snapshot FROM
// TO | ingest 2
absl::Status Scenario::Snapshots(const ScenarioLine& line) {
  const std::string& name = line.words[0];
  if (name == "slow-snapshots" || name == "fast-snapshots") {
    cluster_->SetSlowSnapshots(name == "slow-snapshots");
    return absl::OkStatus();
  }
  const absl::StatusOr<uint64_t> id = line.Number(1);
  if (!id.ok()) return id.status();
  if (name == "ingest") {
    cluster_->IngestUnreported(*id);
    return absl::OkStatus();
  }
  const absl::StatusOr<uint64_t> second = line.Number(2);
  if (!second.ok()) return second.status();
  if (name == "compact") {
    last_status_ = cluster_->Compact(*id, LogIndex(*second))
                       ? absl::OkStatus()
                       : absl::FailedPreconditionError("nothing to drop");
    return absl::OkStatus();
  }
  for (size_t position = 0; position < cluster_->snapshots().size(); ++position) {
    const TestCluster::SnapshotStream stream = cluster_->snapshots()[position];
    if (stream.from != ReplicaId(*id) || stream.to != ReplicaId(*second)) continue;
    if (name == "fail-snapshot") {
      cluster_->FailSnapshotAt(position);
    } else if (line.named.count("copy") > 0) {
      cluster_->InstallSnapshot(stream);
    } else {
      cluster_->DeliverSnapshotAt(position);
    }
    return absl::OkStatus();
  }
  return BadLine("no such snapshot is under way");
}

// FROM TO [KIND], where * stands for all.
absl::StatusOr<TestCluster::Filter> Scenario::FilterOf(const ScenarioLine& line,
                                                       size_t first_word) const {
  std::vector<std::string> pattern(3, "*");
  for (size_t i = 0; i < 3 && first_word + i < line.words.size(); ++i) {
    pattern[i] = line.words[first_word + i];
  }
  return TestCluster::Filter([pattern](const Message& message) {
    return (pattern[0] == "*" || pattern[0] == fmt::to_string(message.from.value())) &&
           (pattern[1] == "*" || pattern[1] == fmt::to_string(message.to.value())) &&
           (pattern[2] == "*" || pattern[2] == KindName(message.body));
  });
}

// deliver [FROM TO [KIND]] | drop ... | keep NAME ... | replay NAME | cut FROM TO | heal
absl::Status Scenario::Network(const ScenarioLine& line) {
  const std::string& name = line.words[0];
  if (name == "heal") {
    cluster_->Heal();
    return absl::OkStatus();
  }
  if (name == "deliver" && line.words.size() == 1) {
    cluster_->DeliverAll();
    return absl::OkStatus();
  }
  const bool pocket = name == "keep" || name == "replay";
  if (pocket && line.words.size() < 2) return BadLine("keep and replay take a name");
  if (name == "replay") {
    for (const Message& message : kept_[line.words[1]]) cluster_->StepMessage(message);
    return absl::OkStatus();
  }
  const absl::StatusOr<TestCluster::Filter> filter = FilterOf(line, pocket ? 2 : 1);
  if (!filter.ok()) return filter.status();
  if (name == "cut") {
    for (uint64_t from : cluster_->ids()) {
      for (uint64_t to : cluster_->ids()) {
        if ((*filter)(Message{ReplicaId(from), ReplicaId(to), Term(), HeartbeatRequest{}})) {
          cluster_->Cut(from, to);
        }
      }
    }
    return absl::OkStatus();
  }
  std::vector<Message> taken = cluster_->Take(*filter);
  if (name == "deliver") {
    for (const Message& message : taken) cluster_->StepMessage(message);
  } else if (name == "keep") {
    if (taken.empty()) return BadLine("no such message is under way");
    kept_[line.words[1]] = std::move(taken);
  }
  return absl::OkStatus();
}

// inject KIND from=1 to=2 term=3: a message of that kind with an empty body.
absl::Status Scenario::Inject(const ScenarioLine& line) {
  AppendResponse accepted;
  accepted.accepted = true;
  const std::vector<MessageBody> bodies = {
      PreVoteRequest{},   PreVoteResponse{true}, VoteRequest{},
      VoteResponse{true}, AppendRequest{},       accepted,
      HeartbeatRequest{}, HeartbeatResponse{},   TimeoutNowRequest{}};
  const auto from = line.Number("from");
  const auto to = line.Number("to");
  const auto term = line.Number("term");
  if (!from.ok() || !to.ok() || !term.ok() || line.words.size() < 2) {
    return BadLine("inject KIND from= to= term=");
  }
  for (const MessageBody& body : bodies) {
    if (KindName(body) != line.words[1]) continue;
    Message message{ReplicaId(*from), ReplicaId(*to), Term(*term), body};
    const auto last = line.Number("last");
    const LogIndex last_index(last.ok() ? *last : 1000);
    const Term last_term(last_index.IsZero() ? 0 : *term);
    if (auto* vote = std::get_if<VoteRequest>(&message.body)) {
      vote->last_index = last_index;
      vote->last_term = last_term;
      vote->leadership_transfer = line.named.count("transfer") > 0;
    }
    if (auto* vote = std::get_if<PreVoteRequest>(&message.body)) {
      vote->last_index = last_index;
      vote->last_term = last_term;
    }
    if (auto* append = std::get_if<AppendResponse>(&message.body)) {
      const auto match = line.Number("match");
      append->match_index = LogIndex(match.ok() ? *match : 0);
    }
    if (auto* heartbeat = std::get_if<HeartbeatResponse>(&message.body)) {
      const auto quiet = line.Number("quiet");
      heartbeat->quiet = quiet.ok();
      heartbeat->round = quiet.ok() ? *quiet : 0;
    }
    const auto at = line.Number("at");
    cluster_->StepMessageAt(at.ok() ? ReplicaId(*at) : message.to, message);
    return absl::OkStatus();
  }
  return BadLine("no such kind of message");
}

}  // namespace quorate::raft
