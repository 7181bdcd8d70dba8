#include "server/service/readiness.h"

#include <map>
#include <vector>

#include "fmt/format.h"
#include "server/cluster/replica_specs.h"

namespace quorate {

void Readiness::SetPoisoned(const absl::Status& why) {
  const MutexLock lock(&mutex_);
  poison_ = why;
}

NodeReadiness Readiness::Get() const {
  {
    const MutexLock lock(&mutex_);
    if (!poison_.ok()) {
      return {.ready = false,
              .reason = fmt::format("the store failed: {}; mend the disk and restart the node",
                                    poison_.ToString())};
    }
  }
  const auto view = context_->View();
  if (!view.ok()) {
    return {.ready = false, .reason = std::string(view.status().message())};
  }
  if (!led_once_.load(std::memory_order_relaxed)) {
    std::string waiting = WaitingFor(**view);
    if (!waiting.empty()) {
      return {.ready = false, .reason = std::move(waiting)};
    }
    led_once_.store(true, std::memory_order_relaxed);
  }
  return {.ready = true, .reason = ""};
}

std::string Readiness::WaitingFor(const ClusterView& view) const {
  const std::vector<ReplicaSpec> specs = SpecsOf(view.state(), view.self());
  const std::map<GroupId, uint64_t> leaders = context_->host->Leaders();
  size_t leaderless = 0;
  for (const ReplicaSpec& spec : specs) {
    const auto found = leaders.find(spec.group);
    leaderless += found == leaders.end() || found->second == 0 ? 1 : 0;
  }
  return leaderless == 0 ? ""
                         : fmt::format(
                               "{} of {} replicas here have not found their leader since "
                               "the start",
                               leaderless, specs.size());
}

}  // namespace quorate
