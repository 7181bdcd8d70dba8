// The applied side of one replica: its state machine, as far as it is not in the data store.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_REPLICA_STATE_H_
#define SERVER_REPLICATION_RAFT_GROUPS_REPLICA_STATE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "internal/v1/command.pb.h"
#include "raft/configuration.h"
#include "raft/types.h"
#include "server/placement/routing_key.h"
#include "server/replication/raft_groups/request_dedup.h"
#include "server/replication/replica_host.h"
#include "server/storage/data_store.h"

namespace quorate {

// Turns committed entries into changes of a batch. Equal logs give equal states, request memory and
// rolling hash included: nothing here reads a clock, the spec's node list, or anything else that
// replicas do not share.
//
// Owned by the group and by apply work under way; touched on the apply loop only.
class ReplicaState {
 public:
  // `meta` and `memory` as the store has them.
  ReplicaState(const ReplicaSpec& spec, internal::v1::ReplicaMeta meta, RequestMemory memory);

  struct Outcome {
    // The proposer's answer. An error is an answer too: the command is applied, and refused.
    absl::StatusOr<WriteAnswer> answer;
  };

  // What a batch's gets of an atomic command that also writes may meet in all: they are remembered.
  // Part of the state machine; a change needs a new feature level.
  static constexpr size_t kAtomicReadBytesMax = size_t{1} << 20;

  // The entry's command: `known` if the caller has it decoded. Nothing: it is no command, or
  // damaged. Lives until the next call.
  [[nodiscard]] const internal::v1::Command* Decode(const raft::Entry& entry,
                                                    const internal::v1::Command* known);
  // Applying it reads values, which a batch does not show: it must be empty then.
  [[nodiscard]] static bool ReadsValues(const internal::v1::Command& command);

  // Applies the entry that follows meta().applied_index. `command`: as Decode gave it. An error
  // means that this build cannot apply it or, kDataLoss, that the store is damaged: nothing of the
  // entry went into the batch, and no later entry may be applied.
  absl::StatusOr<Outcome> Apply(const raft::Entry& entry, const internal::v1::Command* command,
                                const DataStore& data, ClusterApplier* cluster, ApplyBatch* batch);

  // The group's members before the first entry; without voters: not known here yet.
  void BeginWith(const raft::Configuration& base) {
    if (!base.voters.empty()) meta_.set_configuration(raft::EncodeConfiguration(base));
  }
  // A snapshot has replaced the replica's data.
  void Reload(internal::v1::ReplicaMeta meta, RequestMemory memory) {
    meta_ = std::move(meta);
    memory_ = std::move(memory);
  }

  [[nodiscard]] GroupId group() const { return group_; }
  [[nodiscard]] ReplicaId replica() const { return replica_; }
  [[nodiscard]] const internal::v1::ReplicaMeta& meta() const { return meta_; }
  [[nodiscard]] size_t memory_rows() const { return memory_.size(); }
  // Empty, or why nothing more may be applied or read.
  [[nodiscard]] const std::string& fault() const { return fault_; }
  // Whether its own data is damaged: what cannot be applied anywhere is a fault as well.
  [[nodiscard]] bool damaged() const { return damaged_; }
  void Quarantine(std::string why, bool damaged) {
    fault_ = std::move(why);
    damaged_ = damaged;
  }

 private:
  absl::StatusOr<Outcome> ApplyCommand(const internal::v1::Command& command, uint64_t index,
                                       const DataStore& data, ClusterApplier* cluster,
                                       ApplyBatch* batch);
  absl::StatusOr<internal::v1::AppliedResult> ApplyPut(const internal::v1::PutCommand& put,
                                                       uint64_t stamp, const DataStore& data,
                                                       ApplyBatch* batch);
  absl::StatusOr<internal::v1::AppliedResult> ApplyDelete(
      const internal::v1::DeleteCommand& command, uint64_t stamp, const DataStore& data,
      ApplyBatch* batch);
  // Reads the value: `batch` is empty (replica_state_increment.cc).
  absl::StatusOr<internal::v1::AppliedResult> ApplyIncrement(
      const internal::v1::IncrementCommand& command, uint64_t stamp, const DataStore& data,
      ApplyBatch* batch);
  // What a write may have to know of its key.
  struct Current {
    std::optional<Version> version;  // none: absent
    // For increments. Absent counts as 0; nothing: not the text of a number.
    std::optional<int64_t> number = 0;
    uint64_t expiry_us = 0;
  };
  // The number that an increment would write as this text, or nothing.
  [[nodiscard]] static std::optional<int64_t> NumberOf(std::string_view text);
  // Reads the value. The store does not show what an ApplyBatch holds, so that must be empty.
  [[nodiscard]] absl::StatusOr<Current> ReadNumber(std::string_view key,
                                                   const DataStore& data) const;
  // Why an increment cannot be done; nothing: it can.
  [[nodiscard]] static std::optional<internal::v1::AppliedResult> RefusalOf(
      const internal::v1::IncrementCommand& command, const Current& current);
  // These three cannot fail. `current`: the key's version, none when absent; what a put without a
  // condition is given does not matter.
  internal::v1::AppliedResult PutNow(const internal::v1::PutCommand& put,
                                     const std::optional<Version>& current, uint64_t stamp,
                                     ApplyBatch* batch);
  internal::v1::AppliedResult DeleteNow(const internal::v1::DeleteCommand& command,
                                        const std::optional<Version>& current, uint64_t stamp,
                                        ApplyBatch* batch);
  internal::v1::AppliedResult IncrementNow(const internal::v1::IncrementCommand& command,
                                           const Current& current, uint64_t stamp,
                                           ApplyBatch* batch);

  // Batches (replica_state_batch.cc). All that can fail is done before anything goes into the
  // ApplyBatch: first what the steps have to know of their keys is read. A step changes what later
  // ones on its key find there.
  using KeysMet = std::map<std::string_view, Current>;
  absl::StatusOr<KeysMet> ReadKeys(const internal::v1::BatchCommand& command, const DataStore& data,
                                   const ApplyBatch& batch) const;
  internal::v1::AppliedResult StepNow(const internal::v1::BatchStep& step, KeysMet* keys,
                                      uint64_t stamp, ApplyBatch* batch);
  // Why a step of an atomic batch that writes cannot be done; nothing: it can.
  [[nodiscard]] static std::optional<internal::v1::AppliedResult> RefusalOf(
      const internal::v1::BatchStep& step, const Current& current);
  // Each step a write of its own, with a request id of its own.
  absl::StatusOr<Outcome> ApplySteps(const internal::v1::Command& command, uint64_t index,
                                     const DataStore& data, ApplyBatch* batch);
  absl::StatusOr<internal::v1::AppliedResult> ApplyAtomic(const internal::v1::BatchCommand& command,
                                                          uint64_t stamp, const DataStore& data,
                                                          ApplyBatch* batch);
  // Reads what the gets ask for into their steps.
  absl::Status ReadValues(const internal::v1::BatchCommand& command, const DataStore& data,
                          internal::v1::AppliedResult* result) const;

  // Records the entry as applied: index, term, rolling hash.
  void Advance(const raft::Entry& entry);
  void Remember(internal::v1::RequestRow row, ApplyBatch* batch);

  const GroupId group_;
  const ReplicaId replica_;
  const RoutingRule routing_;
  internal::v1::ReplicaMeta meta_;
  RequestMemory memory_;
  std::string fault_;
  bool damaged_ = false;
  internal::v1::Command scratch_;  // reused for decoding: keeps its buffers
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_REPLICA_STATE_H_
