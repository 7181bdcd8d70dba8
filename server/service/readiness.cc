#include "server/service/readiness.h"

#include <map>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "server/cluster/replica_specs.h"

namespace quorate {

void Readiness::SetPoisoned(const absl::Status& why) {
  const MutexLock lock(&mutex_);
  poison_ = why;
}

bool Readiness::poisoned() const {
  const MutexLock lock(&mutex_);
  return !poison_.ok();
}

std::optional<NodeReadiness::Cause> Readiness::Poison() const {
  const MutexLock lock(&mutex_);
  if (poison_.ok()) {
    return std::nullopt;
  }
  // What RocksDB found damaged it will find again after a restart.
  const bool damaged = poison_.code() == absl::StatusCode::kDataLoss;
  return Cause{.what = fmt::format("the store failed: {}", poison_.ToString()),
               .fix = damaged ? "move the node's data folder away, start it empty and drain its "
                                "old id (kvctl node drain)"
                              : "mend the disk and restart the node"};
}

NodeReadiness Readiness::Health() const {
  NodeReadiness health;
  if (auto poison = Poison()) {
    health.causes.push_back(*std::move(poison));
  }
  return health;
}

NodeReadiness Readiness::Get() const {
  NodeReadiness readiness = Health();
  const auto view = context_->View();
  if (!view.ok()) {
    readiness.causes.push_back({.what = std::string(view.status().message()), .fix = ""});
    return readiness;
  }
  for (const auto& cause : {WaitingFor(**view), LostContact()}) {
    if (cause) {
      readiness.causes.push_back(*cause);
    }
  }
  return readiness;
}

std::optional<NodeReadiness::Cause> Readiness::WaitingFor(const ClusterView& view) const {
  {
    const MutexLock lock(&mutex_);
    if (led_once_) {
      return std::nullopt;
    }
  }
  const std::vector<ReplicaSpec> specs = SpecsOf(view.state(), view.self());
  const std::map<GroupId, uint64_t> leaders = context_->host->Leaders();
  size_t leaderless = 0;
  for (const ReplicaSpec& spec : specs) {
    const auto found = leaders.find(spec.group);
    leaderless += found == leaders.end() || found->second == 0 ? 1 : 0;
  }
  if (leaderless == 0) {
    const MutexLock lock(&mutex_);
    led_once_ = true;
    return std::nullopt;
  }
  return Cause{
      .what = fmt::format("{} of {} replicas here have not found their leader since the start",
                          leaderless, specs.size()),
      .fix = "wait a few seconds; if it stays, start the cluster's other nodes (`kvctl status`)"};
}

std::optional<NodeReadiness::Cause> Readiness::LostContact() const {
  const MonotonicTime now = context_->clock->Now();
  const MutexLock lock(&mutex_);
  if (!next_look_ || now >= *next_look_) {
    next_look_ = now + kLookInterval;
    size_t sound = 0;
    size_t leaderless = 0;
    for (const ReplicaFigures& replica : context_->host->Figures().replicas) {
      if (!replica.quarantined) {
        ++sound;
        leaderless += replica.leader_node == 0 ? 1 : 0;
      }
    }
    if (2 * leaderless <= sound) {
      leaderless_since_.reset();
    } else if (!leaderless_since_) {
      leaderless_since_ = now;
    }
  }
  if (!led_once_ || !leaderless_since_ || now - *leaderless_since_ < kContactLostAfter) {
    return std::nullopt;
  }
  return Cause{
      .what = fmt::format("most replicas here have had no leader for {} s or more: the node has "
                          "lost contact to its cluster",
                          kContactLostAfter / std::chrono::seconds(1)),
      .fix =
          "start the nodes that are down (`kvctl status`), or mend the network between the "
          "nodes' peer ports"};
}

}  // namespace quorate
