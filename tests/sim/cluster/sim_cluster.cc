#include "tests/sim/cluster/sim_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/sim/sim_env.h"

namespace quorate::sim {

SimCluster::SimCluster(SimScheduler* scheduler, SimNetwork* network, uint32_t nodes)
    : scheduler_(scheduler), network_(network) {
  SeededRandom random = scheduler->ForkRandom();
  for (uint32_t node = 1; node <= nodes; ++node) {
    SimRuntimeOptions options;
    options.node = node;
    options.address = AddressOf(node);
    options.boot_offset =
        UniformDuration(random, std::chrono::seconds(0), std::chrono::seconds(1000));
    machines_.push_back({std::make_unique<SimRuntime>(scheduler, network, options), nullptr});
  }
}

SimCluster::~SimCluster() {
  for (uint32_t node = 1; node <= size(); ++node) {
    if (IsRunning(node)) Crash(node, CrashKind::kProcess);
  }
}

std::string SimCluster::AddressOf(uint32_t node) { return fmt::format("node{}:7402", node); }

std::vector<std::string> SimCluster::Addresses() const {
  std::vector<std::string> addresses;
  for (uint32_t node = 1; node <= size(); ++node) addresses.push_back(AddressOf(node));
  return addresses;
}

absl::Status SimCluster::Start(uint32_t node) {
  Machine& machine = At(node);
  if (machine.node != nullptr) return absl::OkStatus();
  if (machine.runtime->crashed()) machine.runtime->Restart();
  if (std::exchange(machine.started_before, true)) ++counts_.restarts;
  NodeOptions options;
  options.data_dir = machine.runtime->data_directory();
  options.client_address = AddressOf(node);
  options.peer_address = AddressOf(node);
  options.http_address = AddressOf(node);
  options.join = Addresses();
  options.version = "simulated";
  options.replication = replication_;
  options.cache_bytes = size_t{1} << 20;
  rocksdb::Env* const env = machine.runtime->runtime().env;
  options.adjust_storage = [env](rocksdb::Options& rocks) { ApplySimOptions(&rocks, env); };
  machine.node = std::make_unique<Node>(machine.runtime->runtime(), std::move(options));
  const absl::Status started = machine.node->Start();
  // Power may be lost, or a sync fail, while it starts: then it is down, which is no refusal.
  const bool crashed_meanwhile = machine.runtime->crash_pending() || failing_syncs_.contains(node);
  if (!started.ok()) {
    Crash(node, CrashKind::kPowerLoss);
    if (!crashed_meanwhile) return started;
  }
  return absl::OkStatus();
}

void SimCluster::Crash(uint32_t node, CrashKind kind) {
  Machine& machine = At(node);
  if (machine.node == nullptr) return;
  for (const char* metric : kSummed) {
    of_past_lives_[metric] +=
        static_cast<uint64_t>(machine.runtime->runtime().metrics->Sum(metric));
  }
  const bool told = machine.runtime->runtime().metrics->Sum("quorate_store_poisoned") > 0;
  if (full_disks_.erase(node) > 0 && told) ++counts_.full_disks_told;
  machine.runtime->disk().SetWriteError(DiskError::kOk);
  failing_syncs_.erase(node);
  machine.runtime->disk().FailSyncs(0);
  machine.runtime->Crash(kind);
  machine.node.reset();
}

void SimCluster::Stop(uint32_t node, CrashKind kind) {
  if (!IsRunning(node)) return;
  At(node).node->HandOverLeadership([this, node, kind, life = machine(node).disk().life()] {
    // In an event of its own: whoever stops a node is none of its loops.
    scheduler_->After(Duration(0), "stop", node, [this, node, kind, life] {
      const bool same_life = IsRunning(node) && machine(node).disk().life() == life;
      if (same_life && !machine(node).paused()) EndStop(node, kind);
    });
  });
}

void SimCluster::EndStop(uint32_t node, CrashKind kind) {
  ++counts_.clean_stops;
  machine(node).RunLoopsAtOnce();
  At(node).node->Stop();
  Crash(node, kind);
}

uint64_t SimCluster::Sum(const std::string& metric) const {
  const auto past = of_past_lives_.find(metric);
  uint64_t sum = past == of_past_lives_.end() ? 0 : past->second;
  for (const Machine& machine : machines_) {
    if (machine.node == nullptr) continue;
    sum += static_cast<uint64_t>(machine.runtime->runtime().metrics->Sum(metric));
  }
  return sum;
}

void SimCluster::CollectArmedCrashes() {
  for (uint32_t node = 1; node <= size(); ++node) {
    if (!At(node).runtime->crash_pending()) continue;
    ++counts_.crashes_at_disk;
    Crash(node, CrashKind::kPowerLoss);
  }
}

void SimCluster::SawJointLeader(uint32_t node) {
  if (joint_events_left_ == 0 || --joint_events_left_ > 0) return;
  ++counts_.crashes;
  Crash(node, CrashKind::kPowerLoss);
}

void SimCluster::LieAboutLogSyncs() {
  for (Machine& machine : machines_) machine.runtime->disk().SetLyingSyncs(true, ".log");
}

absl::Status SimCluster::Inject(const Fault& fault) {
  const uint32_t node = fault.node;
  switch (fault.kind) {
    case FaultKind::kCrash:
      counts_.crashes += IsRunning(node) ? 1 : 0;
      Crash(node, fault.crash);
      break;
    case FaultKind::kCrashAtDisk:
      if (IsRunning(node)) {
        machine(node).ArmCrashAtDiskOperation(static_cast<uint64_t>(fault.number));
      }
      break;
    case FaultKind::kStop:
      Stop(node, fault.crash);
      break;
    case FaultKind::kCrashJoint:
      joint_events_left_ = static_cast<uint64_t>(fault.number);
      break;
    case FaultKind::kRestart:
      return Start(node);
    case FaultKind::kIsolate:
      ++counts_.partitions;
      for (uint32_t other = 1; other <= size(); ++other) {
        if (other != node) network_->CutBothWays(AddressOf(node), AddressOf(other));
      }
      break;
    case FaultKind::kCut:
      ++counts_.partitions;
      network_->Cut(AddressOf(node), AddressOf(fault.other));
      break;
    case FaultKind::kHeal:
      network_->HealAll();
      break;
    case FaultKind::kPause:
      if (IsRunning(node) && !machine(node).paused()) Pause(node);
      break;
    case FaultKind::kResume:
      return Resume(node);
    case FaultKind::kLink:
      ++counts_.link_changes;
      SlowLinks(fault.number, fault.delay_ms);
      break;
    case FaultKind::kFlip:
      counts_.flips += fault.number > 0 ? 1 : 0;
      links_.flip = fault.number;
      SetLinks();
      break;
    case FaultKind::kWall:
    case FaultKind::kRate:
      InjectClock(fault);
      break;
    case FaultKind::kFailSync:
    case FaultKind::kFill:
      InjectDisk(fault);
      break;
  }
  return absl::OkStatus();
}

std::set<GroupId> SimCluster::LeasesOn(uint32_t node) {
  std::set<GroupId> leases;
  ReplicaHost* const host = At(node).node->replica_host();
  if (host == nullptr) return leases;
  for (const auto& [group, leader] : host->Leaders()) {
    if (host->TryLeaseGet(group, "any key")) leases.insert(group);
  }
  return leases;
}

void SimCluster::Pause(uint32_t node) {
  ++counts_.pauses;
  paused_[node] = {.since = machine(node).clock().Now(), .leases = LeasesOn(node)};
  machine(node).Pause();
}

absl::Status SimCluster::Resume(uint32_t node) {
  if (!IsRunning(node) || !machine(node).paused()) return absl::OkStatus();
  machine(node).Resume();
  // Before it has heard of anything that happened meanwhile.
  const std::set<GroupId> held = LeasesOn(node);
  const auto before = paused_.extract(node);
  if (before.empty()) return absl::OkStatus();
  counts_.leases_refused +=
      before.mapped().leases.size() - std::min(held.size(), before.mapped().leases.size());
  const Duration pause = machine(node).clock().Now() - before.mapped().since;
  if (!held.empty() && pause > replication_.election_timeout_min) {
    return absl::InternalError("a lease outlived a pause of an election time-out");
  }
  return absl::OkStatus();
}

void SimCluster::InjectDisk(const Fault& fault) {
  if (!IsRunning(fault.node)) return;
  SimDisk& disk = machine(fault.node).disk();
  if (fault.kind == FaultKind::kFill) {
    ++counts_.full_disks;
    full_disks_.insert(fault.node);
    disk.SetWriteError(DiskError::kNoSpace);
  } else {
    ++counts_.failed_syncs;
    failing_syncs_.insert(fault.node);
    disk.FailSyncs(static_cast<uint64_t>(fault.number));
  }
}

void SimCluster::InjectClock(const Fault& fault) {
  ++counts_.clock_changes;
  SimClock& clock = machine(fault.node).clock();
  if (fault.kind == FaultKind::kRate) {
    clock.SetBootRate(fault.number);
  } else {
    clock.JumpWall(std::chrono::microseconds(static_cast<int64_t>(fault.number * 1e6)));
  }
}

void SimCluster::SlowLinks(double loss, double delay_ms) {
  links_ = {.flip = links_.flip};
  if (loss > 0 || delay_ms > 0) {
    links_.loss = loss;
    links_.duplicate = loss;
    links_.reorder = loss;
    links_.delay_max += std::chrono::microseconds(static_cast<int64_t>(delay_ms * 1000));
  }
  SetLinks();
}

void SimCluster::SetLinks() {
  for (uint32_t from = 1; from <= size(); ++from) {
    for (uint32_t to = 1; to <= size(); ++to) {
      if (from != to) network_->SetRule(AddressOf(from), AddressOf(to), links_);
    }
  }
}

absl::Status SimCluster::HealAll() {
  network_->HealAll();
  links_ = {};
  SetLinks();
  joint_events_left_ = 0;
  for (uint32_t node = 1; node <= size(); ++node) {
    SimRuntime& machine = this->machine(node);
    machine.clock().SetBootRate(1.0);
    // A node whose store failed refuses writes until it is started anew, as an operator would.
    if (failing_syncs_.contains(node)) Crash(node, CrashKind::kPowerLoss);
    if (full_disks_.contains(node)) Crash(node, CrashKind::kProcess);
    machine.disk().FailSyncs(0);
    machine.disk().DisarmCrash();
    if (absl::Status resumed = Resume(node); !resumed.ok()) return resumed;
    if (absl::Status started = Start(node); !started.ok()) return started;
  }
  return absl::OkStatus();
}

SimServer SimCluster::Resolve(const std::string& address) {
  for (uint32_t node = 1; node <= size(); ++node) {
    if (address != AddressOf(node) || !IsRunning(node)) continue;
    Node& process = *At(node).node;
    return {process.key_value_service(), process.admin_service(), &machine(node).clock()};
  }
  return {};
}

}  // namespace quorate::sim
