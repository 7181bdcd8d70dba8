#include "tests/sim/cluster/run.h"

#include <fmt/format.h>

#include <array>
#include <set>
#include <utility>

#include "tests/sim/checkers/linearizability.h"
#include "tests/sim/cluster/move_workload.h"
#include "tests/sim/cluster/raft_observer.h"

namespace quorate::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The phases of a run, in order.
class Runner {
 public:
  explicit Runner(const RunOptions& options)
      : options_(options),
        scheduler_(options.seed),
        network_(&scheduler_),
        cluster_(&scheduler_, &network_, options.nodes),
        observer_(&cluster_),
        workload_(&scheduler_, &network_, &cluster_, options.workload),
        pairs_(&scheduler_, &network_, &cluster_, options.pairs),
        counters_(&scheduler_, &network_, &cluster_, options.counters),
        mover_(&scheduler_, &network_, &cluster_,
               {.keyspace = options.workload.keyspace, .moves = options.moves}) {
    scheduler_.SetAfterEvent([this] {
      cluster_.CollectArmedCrashes();
      observer_.AfterEvent();
      if (observer_.joint_leader() != 0) cluster_.SawJointLeader(observer_.joint_leader());
    });
  }

  RunReport Go() {
    if (SetUp()) {
      FaultyPart();
      Heal();
      if (report_.failures.empty()) AwaitAgreement();
      if (report_.failures.empty()) FinalReads();
      CheckHistory();
    }
    scheduler_.SetAfterEvent(nullptr);
    Finish();
    return std::move(report_);
  }

 private:
  void Fail(std::string what) { report_.failures.push_back(std::move(what)); }
  bool RunUntil(const std::function<bool()>& done, Duration limit) {
    return scheduler_.RunUntilTrue([&] { return done() || !observer_.violations().empty(); },
                                   limit) &&
           observer_.violations().empty();
  }

  bool AllIdle() const {
    return workload_.Idle() && pairs_.Idle() && counters_.Idle() && mover_.Idle();
  }

  // Off; as nodes do by default, which lets only what no client asks for go quiet; or so short that
  // groups fall asleep between two operations.
  [[nodiscard]] Duration QuietAfter() const {
    const std::array<Duration, 4> durations = {Duration(0), NodeOptions().replication.quiet_after,
                                               milliseconds(300), milliseconds(25)};
    return options_.quiet_after.value_or(durations[options_.seed % durations.size()]);
  }

  bool SetUp() {
    if (options_.log_keep_bytes) {
      cluster_.replication().log_keep_bytes = *options_.log_keep_bytes;
    }
    if (options_.lying_log_syncs) {
      // Peers would find out.
      cluster_.replication().held_at_start = false;
      cluster_.LieAboutLogSyncs();
    }
    cluster_.replication().quiet_after = QuietAfter();
    client::Policy policy;
    policy.replicas = options_.nodes >= 3 ? 3 : 1;
    policy.partitions = options_.partitions;
    if (options_.buffered) policy.durability = client::Durability::kBuffered;
    policy.lease = options_.lease ? client::LeaseUse::kOn : client::LeaseUse::kOff;
    const absl::Status founded = FoundCluster(&scheduler_, &cluster_, &workload_.client(1),
                                              options_.workload.keyspace, policy);
    if (!founded.ok()) Fail("founding the cluster: " + founded.ToString());
    return founded.ok();
  }

  static void KeepPower(std::vector<Fault>* faults) {
    std::erase_if(*faults, [](const Fault& fault) {
      return fault.kind == FaultKind::kCrashAtDisk || fault.kind == FaultKind::kFailSync ||
             fault.kind == FaultKind::kCrashJoint;
    });
    // After a clean stop power may be lost by all.
    for (Fault& fault : *faults) {
      if (fault.kind == FaultKind::kCrash) fault.crash = CrashKind::kProcess;
    }
  }

  void FaultyPart() {
    report_.faults =
        options_.faults
            ? *options_.faults
            : DrawFaults(
                  {.nodes = options_.nodes, .length = options_.length, .moves = options_.moves},
                  scheduler_.ForkRandom());
    if (options_.buffered) KeepPower(&report_.faults);
    const MonotonicTime begin = scheduler_.Now();
    for (const Fault& fault : report_.faults) {
      scheduler_.At(begin + fault.at, "fault", kNoNode, [this, fault] {
        if (absl::Status done = cluster_.Inject(fault); !done.ok()) {
          Fail(fmt::format("{}: {}", ToText(fault), done.ToString()));
        }
      });
    }
    workload_.Begin();
    pairs_.Begin();
    counters_.Begin();
    mover_.Begin();
    const MonotonicTime end = begin + options_.length;
    scheduler_.RunUntilTrue(
        [&] {
          return scheduler_.Now() >= end || !observer_.violations().empty() ||
                 !report_.failures.empty();
        },
        options_.length);
  }

  void Heal() {
    workload_.Stop();
    pairs_.Stop();
    counters_.Stop();
    mover_.Stop();
    if (absl::Status healed = cluster_.HealAll(); !healed.ok()) {
      Fail("a node did not start again: " + healed.ToString());
    }
    healed_at_ = scheduler_.Now();
    if (!RunUntil([&] { return AllIdle(); }, seconds(10))) {
      Fail("a client's call did not end 10 s after the faults");
    }
    if (options_.moves && report_.failures.empty()) AwaitMoves();
  }

  // All nodes are up again, so every move and drain under way comes to its end.
  void AwaitMoves() {
    mover_.Settle();
    if (!RunUntil([&] { return mover_.settled(); }, seconds(60))) {
      Fail("moves were still under way 60 s after the faults");
    }
    healed_at_ = scheduler_.Now();
  }

  // Within 10 virtual seconds each group has one leader and all replicas are equal.
  void AwaitAgreement() {
    const MonotonicTime limit = healed_at_ + seconds(10);
    std::string differs = "never asked";
    while (scheduler_.Now() < limit && observer_.violations().empty()) {
      differs = Disagreement();
      if (differs.empty()) return;
      scheduler_.RunFor(milliseconds(250));
    }
    if (observer_.violations().empty()) Fail("no agreement 10 s after the faults: " + differs);
  }

  // Asks all nodes for all their replicas; empty when they agree.
  std::string Disagreement() {
    std::vector<client::ListReplicasResult> answers;
    for (uint32_t node = 1; node <= cluster_.size(); ++node) {
      client::AdminOptions quick;
      quick.timeout = seconds(2);
      workload_.client(1).core().ListReplicas(
          SimCluster::AddressOf(node), "", true, quick,
          [&answers](client::ListReplicasResult result) { answers.push_back(std::move(result)); });
    }
    if (!RunUntil([&] { return answers.size() == cluster_.size(); }, seconds(3))) {
      return "a node did not answer";
    }
    struct Seen {
      uint64_t applied, hash, checksum, index;
      int leaders = 0;
    };
    std::map<uint64_t, Seen> groups;
    for (const auto& answer : answers) {
      if (!answer.ok()) return "list replicas: " + answer.status.ToString();
      for (const client::ReplicaStatus& replica : answer.replicas) {
        if (!replica.fault.empty()) return "quarantined: " + replica.fault;
        const auto [found, first] =
            groups.try_emplace(replica.group_id, Seen{replica.applied_index, replica.applied_hash,
                                                      replica.checksum, replica.checksum_index, 0});
        Seen& seen = found->second;
        seen.leaders += replica.role == client::ReplicaRole::kLeader ? 1 : 0;
        if (seen.applied != replica.applied_index || seen.index != replica.checksum_index) {
          return fmt::format("group {}: applied indexes differ", replica.group_id);
        }
        if (seen.hash != replica.applied_hash || seen.checksum != replica.checksum) {
          Fail(fmt::format("state_machine_safety: group {} differs at applied index {}",
                           replica.group_id, replica.applied_index));
        }
      }
    }
    for (const auto& [group, seen] : groups) {
      if (seen.leaders != 1) return fmt::format("group {} has {} leaders", group, seen.leaders);
    }
    return groups.size() == options_.partitions + 1 ? "" : "not all groups are there";
  }

  void FinalReads() {
    const uint64_t failed_before = workload_.counts().fail;
    const uint64_t failed_pairs_before = pairs_.failed_reads();
    workload_.ReadAll();
    pairs_.ReadAll();
    const uint64_t failed_counters_before = counters_.failed_reads();
    counters_.RepeatUnknown();
    bool idle = RunUntil([&] { return AllIdle(); }, seconds(20));
    counters_.ReadAll();
    idle = idle && RunUntil([&] { return AllIdle(); }, seconds(20));
    if (!idle || workload_.counts().fail != failed_before ||
        pairs_.failed_reads() != failed_pairs_before ||
        counters_.failed_reads() != failed_counters_before || counters_.unknown() != 0) {
      Fail("the last reads were not all served, all nodes being up");
    }
  }

  void CheckHistory() {
    for (const std::string& violation : observer_.violations()) Fail(violation);
    const LinearizabilityResult result = CheckLinearizability(workload_.history());
    if (!result.ok) Fail("not linearizable: " + result.explanation);
    for (const std::string& torn : pairs_.violations()) Fail("not atomic: " + torn);
    const LinearizabilityResult pairs = CheckLinearizability(pairs_.history());
    if (!pairs.ok) Fail("pairs are not linearizable: " + pairs.explanation);
    for (const std::string& wrong : counters_.Violations()) Fail("not exactly once: " + wrong);
    const bool floor_met = workload_.counts().ok >= options_.ok_min;
    if (!floor_met) {
      Fail(fmt::format("only {} operations were ok, {} needed: the run has shown nothing",
                       workload_.counts().ok, options_.ok_min));
    }
  }

  void Finish() {
    const WorkloadCounts& work = workload_.counts();
    const FaultCounts& faults = cluster_.counts();
    report_.counts = {{"ok", work.ok},
                      {"fail", work.fail},
                      {"info", work.info},
                      {"batch_operations", work.batch_operations},
                      {"pair_batches", pairs_.ok()},
                      {"counter_increments", counters_.ok()},
                      {"counter_repeats", counters_.repeats()},
                      {"counter_remembered", counters_.remembered()},
                      {"counter_batches_remembered", counters_.remembered_of_batches()},
                      {"client_retries", work.repeated_attempts},
                      {"lease_reads", work.lease_reads},
                      {"read_index_reads", work.read_index_reads},
                      {"remembered_answers", work.remembered_answers},
                      {"crashes", faults.crashes},
                      {"crashes_at_disk_step", faults.crashes_at_disk},
                      {"clean_stops", faults.clean_stops},
                      {"restarts", faults.restarts},
                      {"partitions", faults.partitions},
                      {"pauses", faults.pauses},
                      {"link_changes", faults.link_changes},
                      {"clock_changes", faults.clock_changes},
                      {"failed_syncs", faults.failed_syncs},
                      {"lease_refused", faults.leases_refused},
                      {"transfers", mover_.counts().transfers},
                      {"transfer_finished", mover_.counts().transfers_finished},
                      {"full_disks", faults.full_disks},
                      {"full_disks_told", faults.full_disks_told},
                      {"log_truncated", observer_.truncations()},
                      {"snapshot_sent", cluster_.Sum("quorate_snapshots_sent_total")},
                      {"snapshot_installed", cluster_.Sum("quorate_snapshots_installed_total")},
                      {"snapshot_resumed", cluster_.Sum("quorate_snapshots_resumed_total")},
                      {"elections", observer_.elections()},
                      {"groups_went_quiet", observer_.rests()},
                      {"groups_woke", observer_.wakes()},
                      {"quiet_leaders_deposed", observer_.quiet_leaders_deposed()},
                      {"committed_entries", observer_.committed_entries()},
                      {"messages_lost", network_.counts().lost},
                      {"messages_flipped", network_.counts().flipped},
                      {"damage_noticed", cluster_.Sum("quorate_peer_envelopes_damaged_total")},
                      {"events", scheduler_.events()}};
    if (options_.moves) {
      report_.counts["move_finished"] = mover_.counts().finished;
      report_.counts["move_cancelled"] = mover_.counts().cancelled;
      report_.counts["leader_removed"] = mover_.counts().leader_removed;
      report_.counts["meta_moves"] = mover_.counts().meta_moves;
      report_.counts["drains"] = mover_.counts().drains;
      report_.counts["joint_interrupted"] = observer_.joints_interrupted();
    }
    for (const std::string& event : options_.expected_events) {
      if (report_.counts[event] == 0) Fail("the situation was not reached: no " + event);
    }
    report_.hash = scheduler_.hash();
    report_.virtual_seconds = std::chrono::duration<double>(scheduler_.Now() - began_).count();
  }

  const RunOptions options_;
  SimScheduler scheduler_;
  SimNetwork network_;
  SimCluster cluster_;
  RaftObserver observer_;
  RegisterWorkload workload_;
  PairWorkload pairs_;
  CounterWorkload counters_;
  MoveWorkload mover_;
  const MonotonicTime began_ = scheduler_.Now();
  MonotonicTime healed_at_;
  RunReport report_;
};

}  // namespace

RunReport Run(const RunOptions& options) { return Runner(options).Go(); }

}  // namespace quorate::sim
