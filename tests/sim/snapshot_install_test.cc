// A crash at every change of the disk while a snapshot is staged and installed.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "server/storage/data_store.h"
#include "server/storage/replica_snapshot.h"
#include "server/storage/staged_snapshot.h"
#include "tests/sim/sim_env.h"
#include "tests/sim/sim_runtime.h"

namespace quorate::sim {
namespace {

constexpr ReplicaId kSource{7};
constexpr ReplicaId kTarget{8};
constexpr ReplicaId kNeighbour{9};
constexpr uint64_t kOld = 10;
constexpr uint64_t kNew = 50;

// Method: the same installation again and again, power lost (or the process killed) one change of
// the disk later each time, until one comes through whole. Oracle: after the restart the replica is
// all old or all new, record, data and request memory; its neighbour is unharmed; what the call
// reported as installed is there; no leftover stays.
class SnapshotInstallTest : public testing::Test {
 protected:
  struct Machine {
    explicit Machine(uint64_t seed)
        : scheduler(seed), network(&scheduler), runtime(&scheduler, &network, {.address = "n"}) {}

    std::unique_ptr<DataStore> Open() {
      StoreOptions options;
      options.path = runtime.data_directory() + "/data";
      options.env = runtime.runtime().env;
      options.adjust = [env = options.env](rocksdb::Options& rocks) {
        ApplySimOptions(&rocks, env);
      };
      auto store = DataStore::Open(options);
      EXPECT_TRUE(store.ok()) << store.status();
      return store.ok() ? *std::move(store) : nullptr;
    }

    SimScheduler scheduler;
    SimNetwork network;
    SimRuntime runtime;
  };

  static void Fill(DataStore& store, ReplicaId replica, uint64_t applied, int keys) {
    ApplyBatch batch;
    for (int i = 0; i < keys; ++i) {
      batch.PutValue(replica, "key" + std::to_string(i),
                     {.version = Version::Make(1, applied), .value = std::to_string(applied)});
    }
    internal::v1::RequestRow row;
    row.set_index(applied);
    batch.PutRequestRow(replica, row);
    internal::v1::ReplicaMeta meta;
    meta.set_format(1);
    meta.set_applied_index(applied);
    batch.PutMeta(replica, meta);
    ASSERT_TRUE(store.Apply(batch).ok());
  }

  static absl::Status StageAndInstall(DataStore& store) {
    auto reader = store.ReadReplica(kSource);
    if (!reader.ok()) return reader.status();
    auto staged = store.StageSnapshot(kTarget);
    if (!staged.ok()) return staged.status();
    while (true) {
      auto chunk = (*reader)->Next();
      if (!chunk.ok()) return chunk.status();
      if (absl::Status added = (*staged)->Add(chunk->content); !added.ok()) return added;
      if (!chunk->last) continue;
      if (absl::Status end = (*staged)->Finish(chunk->stream_checksum); !end.ok()) return end;
      return store.InstallSnapshot(**staged);
    }
  }

  // The applied index that everything of the replica agrees on; nothing: a mixture.
  static std::optional<uint64_t> StateOf(const DataStore& store, ReplicaId replica, int keys) {
    const auto meta = store.LoadMeta(replica);
    const auto rows = store.LoadRequestRows(replica);
    if (!meta.ok() || !meta->has_value() || !rows.ok() || rows->size() != 1) return std::nullopt;
    const uint64_t applied = (*meta)->applied_index();
    if (rows->front().index() != applied) return std::nullopt;
    for (int i = 0; i < keys; ++i) {
      const auto value = store.Get(replica, "key" + std::to_string(i));
      if (!value.ok() || !value->has_value() || (*value)->value != std::to_string(applied)) {
        return std::nullopt;
      }
    }
    const auto sum = store.Checksum(store.Snapshot(), replica);
    return sum.ok() && sum->keys == static_cast<uint64_t>(keys) ? std::optional(applied)
                                                                : std::nullopt;
  }

  // Returns whether the crash came before the end.
  static bool CrashAt(uint64_t step, CrashKind kind) {
    Machine machine(step);
    auto store = machine.Open();
    Fill(*store, kSource, kNew, 30);
    Fill(*store, kTarget, kOld, 60);  // more keys: a remainder of the old would be seen
    Fill(*store, kNeighbour, kOld, 5);
    EXPECT_TRUE(store->Flush().ok());
    machine.runtime.ArmCrashAtDiskOperation(step);
    const absl::Status installed = StageAndInstall(*store);
    const bool crashed = machine.runtime.crash_pending();
    EXPECT_TRUE(crashed || installed.ok()) << installed;
    machine.runtime.Crash(kind);
    store.reset();
    machine.runtime.Restart();
    store = machine.Open();
    if (store == nullptr) return crashed;

    const bool is_new = StateOf(*store, kTarget, 30) == kNew;
    const bool is_old = StateOf(*store, kTarget, 60) == kOld;
    EXPECT_TRUE(is_new || is_old) << "a mixture after a crash at step " << step;
    EXPECT_TRUE(is_new || !installed.ok() || crashed) << "reported as installed, and gone";
    EXPECT_EQ(StateOf(*store, kNeighbour, 5), kOld) << step;
    EXPECT_EQ(StateOf(*store, kSource, 30), kNew) << step;
    for (const std::string& path : machine.runtime.disk().Paths()) {
      EXPECT_EQ(path.find("data-incoming/"), std::string::npos) << path;
    }
    return crashed;
  }
};

TEST_F(SnapshotInstallTest, crash_at_each_install_step_old_or_new) {
  for (const CrashKind kind :
       {CrashKind::kProcess, CrashKind::kPowerLoss, CrashKind::kPowerLossWorst}) {
    uint64_t step = 1;
    while (CrashAt(step, kind) && !HasFailure()) ++step;
    EXPECT_GT(step, 8u) << "the installation was not under way";
    EXPECT_LT(step, 500u);
  }
}

}  // namespace
}  // namespace quorate::sim
