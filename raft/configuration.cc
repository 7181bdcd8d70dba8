#include "raft/configuration.h"

#include <algorithm>

#include "fmt/format.h"
#include "raft/check.h"

namespace quorate::raft {
namespace {

constexpr char kFormat = 1;
constexpr size_t kNumberBytes = 8;

void AppendNumber(uint64_t number, std::string* bytes) {
  for (size_t byte = 0; byte < kNumberBytes; ++byte) {
    bytes->push_back(static_cast<char>(number >> (8 * byte)));
  }
}

void AppendList(const std::vector<ReplicaId>& ids, std::string* bytes) {
  bytes->push_back(static_cast<char>(ids.size()));
  for (ReplicaId id : ids) AppendNumber(id.value(), bytes);
}

// Takes a number off the front of `bytes`.
bool TakeNumber(std::string_view* bytes, uint64_t* number) {
  if (bytes->size() < kNumberBytes) return false;
  *number = 0;
  for (size_t byte = 0; byte < kNumberBytes; ++byte) {
    *number |= static_cast<uint64_t>(static_cast<uint8_t>((*bytes)[byte])) << (8 * byte);
  }
  bytes->remove_prefix(kNumberBytes);
  return true;
}

// Takes a list off the front of `bytes`.
bool TakeList(std::string_view* bytes, std::vector<ReplicaId>* ids) {
  if (bytes->empty()) return false;
  const auto count = static_cast<uint8_t>(bytes->front());
  bytes->remove_prefix(1);
  for (size_t i = 0; i < count; ++i) {
    uint64_t id = 0;
    if (!TakeNumber(bytes, &id)) return false;
    ids->emplace_back(id);
  }
  return true;
}

absl::Status CheckList(const char* name, const std::vector<ReplicaId>& ids) {
  if (ids.size() > kMembersMax) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {} replicas, at most {}", name, ids.size(), kMembersMax));
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i].IsZero() || (i > 0 && ids[i] <= ids[i - 1])) {
      return absl::InvalidArgumentError(
          fmt::format("{}: not sorted, doubled or zero at {}", name, ids[i].value()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string EncodeConfiguration(const Configuration& configuration) {
  QUORATE_CHECK(CheckConfiguration(configuration).ok());
  std::string bytes(1, kFormat);
  AppendNumber(configuration.epoch, &bytes);
  AppendList(configuration.voters, &bytes);
  AppendList(configuration.outgoing, &bytes);
  AppendList(configuration.learners, &bytes);
  return bytes;
}

absl::StatusOr<Configuration> DecodeConfiguration(std::string_view bytes) {
  if (bytes.empty()) return absl::DataLossError("configuration: empty");
  if (bytes.front() != kFormat) {
    return absl::DataLossError(fmt::format("configuration: format {}, this build knows {}",
                                           static_cast<int>(bytes.front()),
                                           static_cast<int>(kFormat)));
  }
  bytes.remove_prefix(1);
  Configuration configuration;
  if (!TakeNumber(&bytes, &configuration.epoch) || !TakeList(&bytes, &configuration.voters) ||
      !TakeList(&bytes, &configuration.outgoing) || !TakeList(&bytes, &configuration.learners)) {
    return absl::DataLossError("configuration: cut short");
  }
  if (!bytes.empty()) return absl::DataLossError("configuration: bytes behind its end");
  if (const absl::Status valid = CheckConfiguration(configuration); !valid.ok()) {
    return absl::DataLossError(fmt::format("configuration: {}", std::string(valid.message())));
  }
  return configuration;
}

absl::Status CheckConfiguration(const Configuration& configuration) {
  if (configuration.voters.empty()) return absl::InvalidArgumentError("voters: none");
  for (const auto& [name, list] :
       {std::pair("voters", &configuration.voters), std::pair("outgoing", &configuration.outgoing),
        std::pair("learners", &configuration.learners)}) {
    if (absl::Status valid = CheckList(name, *list); !valid.ok()) return valid;
  }
  for (ReplicaId learner : configuration.learners) {
    if (std::binary_search(configuration.voters.begin(), configuration.voters.end(), learner)) {
      return absl::InvalidArgumentError(
          fmt::format("learners: {} is a voter too", learner.value()));
    }
  }
  return absl::OkStatus();
}

Configuration FirstStep(const Configuration& now, const Configuration& target) {
  Configuration step = target;
  if (now.voters != target.voters) step.outgoing = now.voters;
  return step;
}

Configuration LeaveJoint(Configuration joint) {
  joint.outgoing.clear();
  return joint;
}

void ConfigurationHistory::Add(LogIndex index, Configuration configuration) {
  QUORATE_CHECK(index > latest_index());
  history_.emplace_back(index, std::move(configuration));
}

bool ConfigurationHistory::CutAfter(LogIndex previous) {
  const size_t before = history_.size();
  while (history_.back().first > previous) {
    history_.pop_back();
    QUORATE_CHECK(!history_.empty(), "a committed configuration was cut");
  }
  return history_.size() != before;
}

void ConfigurationHistory::CommittedTo(LogIndex commit) {
  while (history_.size() > 1 && history_[1].first <= commit) history_.erase(history_.begin());
}

void ConfigurationHistory::Reset(LogIndex index, Configuration base) {
  history_.clear();
  history_.emplace_back(index, std::move(base));
}

}  // namespace quorate::raft
