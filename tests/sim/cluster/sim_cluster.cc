#include "tests/sim/cluster/sim_cluster.h"

#include <fmt/format.h>

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
  const bool crashed_meanwhile = machine.runtime->crash_pending();
  if (!started.ok()) {
    Crash(node, CrashKind::kPowerLoss);
    if (!crashed_meanwhile && !failing_syncs_.contains(node)) return started;
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
      if (IsRunning(node) && !machine(node).paused()) {
        ++counts_.pauses;
        machine(node).Pause();
      }
      break;
    case FaultKind::kResume:
      if (IsRunning(node) && machine(node).paused()) machine(node).Resume();
      break;
    case FaultKind::kLink:
      ++counts_.link_changes;
      SetLinks(fault.number, fault.delay_ms);
      break;
    case FaultKind::kWall:
    case FaultKind::kRate:
      InjectClock(fault);
      break;
    case FaultKind::kFailSync:
      if (IsRunning(node)) {
        ++counts_.failed_syncs;
        failing_syncs_.insert(node);
        machine(node).disk().FailSyncs(static_cast<uint64_t>(fault.number));
      }
      break;
  }
  return absl::OkStatus();
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

void SimCluster::SetLinks(double loss, double delay_ms) {
  LinkRule rule;
  if (loss > 0 || delay_ms > 0) {
    rule.loss = loss;
    rule.duplicate = loss;
    rule.reorder = loss;
    rule.delay_max += std::chrono::microseconds(static_cast<int64_t>(delay_ms * 1000));
  }
  for (uint32_t from = 1; from <= size(); ++from) {
    for (uint32_t to = 1; to <= size(); ++to) {
      if (from != to) network_->SetRule(AddressOf(from), AddressOf(to), rule);
    }
  }
}

absl::Status SimCluster::HealAll() {
  network_->HealAll();
  SetLinks(0, 0);
  for (uint32_t node = 1; node <= size(); ++node) {
    SimRuntime& machine = this->machine(node);
    machine.clock().SetBootRate(1.0);
    // A node whose store failed refuses writes until it is started anew, as an operator would.
    if (failing_syncs_.contains(node)) Crash(node, CrashKind::kPowerLoss);
    machine.disk().FailSyncs(0);
    machine.disk().DisarmCrash();
    if (IsRunning(node) && machine.paused()) machine.Resume();
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
