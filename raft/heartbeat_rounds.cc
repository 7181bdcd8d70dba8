#include "raft/heartbeat_rounds.h"

namespace quorate::raft {
namespace {

Duration LeaseLength(const RaftConfig& config) {
  if (!config.lease_enabled) return Duration(0);
  const auto promised = static_cast<double>(config.election_timeout_min.count());
  return Duration(static_cast<int64_t>(promised / (1.0 + config.clock_drift_max)));
}

}  // namespace

HeartbeatRounds::HeartbeatRounds(const RaftConfig& config) : lease_length_(LeaseLength(config)) {}

void HeartbeatRounds::Reset() {
  confirmed_ = newest_;
  confirmed_sent_.reset();
  lease_forbidden_ = false;
  open_.clear();
}

uint64_t HeartbeatRounds::Open(MonotonicTime now) {
  newest_sent_ = now;
  open_.push_back({++newest_, now});
  return newest_;
}

void HeartbeatRounds::Confirm(uint64_t round) {
  while (!open_.empty() && open_.front().number <= round) {
    confirmed_ = open_.front().number;
    confirmed_sent_ = open_.front().sent;
    open_.pop_front();
  }
}

std::optional<MonotonicTime> HeartbeatRounds::LeaseEnd() const {
  if (lease_length_ == Duration(0) || lease_forbidden_ || !confirmed_sent_) return std::nullopt;
  return *confirmed_sent_ + lease_length_;
}

}  // namespace quorate::raft
