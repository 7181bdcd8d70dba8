// The apply path: entries with arbitrary payloads. Two replicas apply the same log; each entry is
// applied or refused, a refused one changes nothing, and both replicas end up equal.
#include <rocksdb/env.h>

#include <memory>
#include <string>

#include "raft/check.h"
#include "server/cluster/cluster_state.h"
#include "server/replication/raft_groups/replica_state.h"
#include "server/storage/data_store.h"
#include "tests/fuzz/fuzz_input.h"

namespace quorate {
namespace {

class StateMachine final : public ClusterApplier {
 public:
  absl::Status ApplyCluster(const internal::v1::ClusterCommand& command,
                            std::string* new_state) override {
    const std::string before = state_.SerializeAsString();
    const uint64_t epoch = state_.epoch();
    const absl::Status applied = ApplyClusterCommand(&state_, command);
    *new_state = state_.SerializeAsString();
    if (!applied.ok() || state_.epoch() == epoch) {
      QUORATE_CHECK(*new_state == before, "refused or a repeat");
    } else {
      QUORATE_CHECK(state_.epoch() == epoch + 1);
    }
    return applied;
  }
  void RestoreCluster(const std::string& /*state*/) override {}

 private:
  internal::v1::ClusterState state_;
};

// Nothing is ever written to it: what the commands change stays in the batch.
const DataStore& EmptyStore() {
  static rocksdb::Env* const env = rocksdb::NewMemEnv(rocksdb::Env::Default());
  static const DataStore* const store = [] {
    StoreOptions options;
    options.env = env;
    options.path = "/data";
    return DataStore::Open(options).value().release();
  }();
  return *store;
}

class Replica {
 public:
  explicit Replica(GroupId group)
      : state_(SpecOf(group), {}, RequestMemory({.rows_max = 2, .bytes_max = 1000}, {})) {}

  // True: applied, whatever the answer.
  bool Apply(const std::string& payload) {
    const raft::Entry entry{.term = raft::Term(1),
                            .index = raft::LogIndex(state_.meta().applied_index() + 1),
                            .kind = raft::EntryKind::kCommand,
                            .payload = std::make_shared<const std::string>(payload)};
    const internal::v1::Command* const command = state_.Decode(entry, nullptr);
    if (command != nullptr && ReplicaState::ReadsValues(*command)) {
      batch_.Clear();  // as the apply loop does, by writing it
    }
    const std::string meta = state_.meta().SerializeAsString();
    const size_t bytes = batch_.ByteSize();
    const auto outcome = state_.Apply(entry, command, EmptyStore(), &cluster_, &batch_);
    if (!outcome.ok()) {
      QUORATE_CHECK(state_.meta().SerializeAsString() == meta && batch_.ByteSize() == bytes);
    }
    return outcome.ok();
  }

  [[nodiscard]] std::string Summary() const {
    return state_.meta().SerializeAsString() + std::to_string(batch_.ByteSize());
  }

 private:
  static ReplicaSpec SpecOf(GroupId group) {
    ReplicaSpec spec;
    spec.group = group;
    spec.self = ReplicaId(7);
    return spec;
  }

  StateMachine cluster_;
  ApplyBatch batch_;
  ReplicaState state_;
};

// As a proposer would have sent it: mutations rarely hit upon a known format.
std::string WithKnownFormat(std::string_view payload) {
  internal::v1::Command command;
  if (!command.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return {};
  command.set_format(1);
  command.set_feature_level(1);
  if (command.has_request_id()) command.mutable_request_id()->set_client_id("sixteen bytes id");
  return command.SerializeAsString();
}

}  // namespace
}  // namespace quorate

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace quorate;  // NOLINT(google-build-using-namespace)
  fuzz::FuzzInput input(data, size);
  const uint8_t flags = input.TakeByte();
  const GroupId group((flags & 1) != 0 ? 0 : 5);
  Replica one(group);
  Replica other(group);
  while (!input.empty()) {
    std::string payload(input.TakePiece());
    if ((flags & 2) == 0) payload = WithKnownFormat(payload);
    const bool applied = one.Apply(payload);
    QUORATE_CHECK(applied == other.Apply(payload));
    QUORATE_CHECK(one.Summary() == other.Summary());
    if (!applied) break;  // no later entry may be applied
  }
  return 0;
}
