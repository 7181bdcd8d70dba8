// A disk that fills up under a whole node: all of it, or only the volume of one of the two stores.
// The node says so, gives up what it leads and refuses, the others go on, and with room again it
// comes back with everything that was acknowledged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "proto/error_detail.h"
#include "tests/sim/cluster/whole_nodes.h"

namespace quorate::sim {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

constexpr char kFullKeyspace[] = "full";

constexpr int kFullKeys = 12;

class FullDiskTest : public testing::TestWithParam<const char*>, protected WholeNodes {
 protected:
  FullDiskTest() : WholeNodes(1, 3) {
    // So that the data is flushed now and then: else only the log is written to.
    cluster_.replication().log_keep_bytes = 4096;
    Found(kFullKeyspace, 4);
    WriteAll("before");
    for (uint32_t machine = 2; machine <= cluster_.size(); ++machine) {
      if (LedBy(machine) > LedBy(victim_)) victim_ = machine;
    }
  }

  // Each until it is acknowledged: of some the first answer is that nobody knows.
  void WriteAll(const std::string& value) {
    for (int i = 0; i < kFullKeys; ++i) {
      const MonotonicTime limit = scheduler_.Now() + kTimeout;
      while (!Write(kFullKeyspace, KeyOf(i), ValueOf(value, i)).ok()) {
        ASSERT_LT(scheduler_.Now(), limit) << "the others do not go on";
      }
    }
  }

  // A write that is sent to the victim alone.
  absl::Status WriteAtVictim() {
    const SimServer server = cluster_.Resolve(SimCluster::AddressOf(victim_));
    CallContext context;
    context.deadline = server.clock->Now() + seconds(1);
    kv::v1::PutRequest request;
    request.mutable_header()->set_keyspace(kFullKeyspace);
    request.set_key(KeyOf(0));
    request.set_value("refused");
    std::optional<absl::Status> ended;
    server.key_value->Put(context, request, [&](const absl::StatusOr<kv::v1::PutResponse>& answer) {
      ended = answer.status();
    });
    EXPECT_TRUE(scheduler_.RunUntilTrue([&] { return ended.has_value(); }, seconds(2)));
    return ended.value_or(absl::OkStatus());
  }

  uint32_t victim_ = 1;
};

TEST_P(FullDiskTest, IsToldAndRefusedAndSurvived) {
  SimDisk& disk = cluster_.machine(victim_).disk();
  disk.SetWriteError(DiskError::kNoSpace, GetParam());
  // What is not durable there may not be acknowledged by it; the other two are a majority.
  std::string value;
  for (int round = 0; cluster_.node(victim_)->health().ready(); ++round) {
    ASSERT_LT(round, 200) << "it never noticed";
    value = std::string(500, 'x') + std::to_string(round);
    WriteAll(value);
  }
  EXPECT_THAT(cluster_.node(victim_)->readiness().Reason(), HasSubstr("o space"));
  scheduler_.RunFor(seconds(1));
  EXPECT_EQ(LedBy(victim_), 0);
  const auto refused = DetailOf(WriteAtVictim());
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->reason(), kv::v1::REASON_STORE_POISONED);
  EXPECT_EQ(refused->outcome(), kv::v1::OUTCOME_NOT_DONE);
  WriteAll("meanwhile");
  ExpectKeys(kFullKeyspace, kFullKeys, "meanwhile");

  cluster_.Crash(victim_, CrashKind::kPowerLoss);
  disk.SetWriteError(DiskError::kNoSpace, GetParam());
  const absl::Status started = cluster_.Start(victim_);
  EXPECT_THAT(std::string(started.message()), HasSubstr("o space"));

  disk.SetWriteError(DiskError::kOk);
  ASSERT_TRUE(cluster_.Start(victim_).ok());
  WriteAll("after");
  // It has all of it, and can do without one of the others.
  scheduler_.RunFor(seconds(5));
  cluster_.Crash(victim_ % cluster_.size() + 1, CrashKind::kPowerLoss);
  ExpectKeys(kFullKeyspace, kFullKeys, "after");
  EXPECT_TRUE(cluster_.node(victim_)->readiness().ready());
}

INSTANTIATE_TEST_SUITE_P(Folders, FullDiskTest, testing::Values("", "/data/log/", "/data/data/"),
                         [](const testing::TestParamInfo<const char*>& info) {
                           const std::string folder = info.param;
                           return folder.empty() ? "Both" : folder == "/data/log/" ? "Log" : "Data";
                         });

}  // namespace
}  // namespace quorate::sim
