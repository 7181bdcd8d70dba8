#include "server/replication/raft_groups/lease_view.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "server/replication/raft_groups/group_directory.h"
#include "server/runtime/clock.h"
#include "server/runtime/event_loop.h"

namespace quorate {
namespace {

constexpr ReplicaId kReplica(3);

MonotonicTime At(int64_t ms) { return MonotonicTime(std::chrono::milliseconds(ms)); }

TEST(LeaseSlotTest, NothingWhereNothingWasPublished) {
  LeaseSlot slot;
  EXPECT_FALSE(slot.Load(At(0)).has_value());
}

TEST(LeaseSlotTest, HoldsUntilItsEndExclusive) {
  LeaseSlot slot;
  slot.Publish(kReplica, 8, At(100));
  const auto view = slot.Load(At(99));
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->replica, kReplica);
  EXPECT_EQ(view->placement_epoch, 8u);
  EXPECT_TRUE(slot.StillHolds(*view, At(99)));
  EXPECT_FALSE(slot.StillHolds(*view, At(100))) << "expired while the data was read";
  EXPECT_FALSE(slot.Load(At(100)).has_value());
}

TEST(LeaseSlotTest, ExtensionKeepsReadersAndNeverShortens) {
  LeaseSlot slot;
  slot.Publish(kReplica, 1, At(100));
  const auto view = slot.Load(At(50));
  slot.Publish(kReplica, 1, At(200));
  EXPECT_TRUE(slot.StillHolds(*view, At(60)));
  slot.Publish(kReplica, 1, At(150));
  EXPECT_EQ(slot.Load(At(60))->valid_until, At(200));
}

TEST(LeaseSlotTest, WithdrawnLeaseEndsReadsUnderWay) {
  LeaseSlot slot;
  slot.Publish(kReplica, 1, At(100));
  const auto view = slot.Load(At(50));
  slot.Withdraw();
  EXPECT_FALSE(slot.StillHolds(*view, At(50)));
  EXPECT_FALSE(slot.Load(At(50)).has_value());
  slot.Publish(kReplica, 1, At(100));
  EXPECT_FALSE(slot.StillHolds(*view, At(50))) << "another lease, though it looks the same";
}

TEST(LeaseSlotTest, OtherReplicaOrEpochIsAnotherLease) {
  LeaseSlot slot;
  slot.Publish(kReplica, 1, At(100));
  const auto view = slot.Load(At(50));
  slot.Publish(kReplica, 2, At(100));
  EXPECT_FALSE(slot.StillHolds(*view, At(50)));
  const auto second = slot.Load(At(50));
  slot.Publish(ReplicaId(4), 2, At(100));
  EXPECT_FALSE(slot.StillHolds(*second, At(50)));
}

TEST(GroupDirectoryTest, SlotsStayWhereTheyAre) {
  GroupDirectory directory;
  EXPECT_EQ(directory.Find(GroupId(5)), nullptr);
  GroupSlot* const slot = directory.FindOrMake(GroupId(5));
  GroupSlot* const neighbour = directory.FindOrMake(GroupId(5 + 4096));  // the same bucket
  EXPECT_EQ(directory.FindOrMake(GroupId(5)), slot);
  EXPECT_EQ(directory.Find(GroupId(5)), slot);
  EXPECT_EQ(directory.Find(GroupId(5 + 4096)), neighbour);
  slot->leader_node = 9;
  EXPECT_TRUE(directory.Leaders().empty()) << "only wanted groups are reported";
  slot->wanted = true;
  EXPECT_EQ(directory.Leaders(), (std::map<GroupId, uint64_t>{{GroupId(5), 9}}));
}

// Method: one thread publishes and withdraws leases, and owns `data` while none is published;
// others read as TryLeaseGet does. Oracle: a read that both looks let pass never saw the data in
// the hands of the owner, nor values of two leases mixed.
TEST(LeaseStressTest, ReadsNeverSeeWhatALeaseForbids) {
  const KernelClock clock;
  GroupDirectory directory;
  constexpr int kReaders = 3;
  constexpr int kRounds = 20000;
  GroupSlot* const slot = directory.FindOrMake(GroupId(1));
  std::atomic<uint64_t> data{0};
  std::atomic<bool> done{false};
  std::atomic<uint64_t> passed{0};
  std::atomic<uint64_t> wrong{0};
  std::vector<std::unique_ptr<EventLoop>> loops;
  for (int i = 0; i < kReaders; ++i) {
    loops.push_back(std::make_unique<EventLoop>("reader", &clock));
    loops.back()->Post([&] {
      while (!done) {
        const GroupSlot* const found = directory.Find(GroupId(1));
        const auto view = found->lease.Load(At(0));
        if (!view) {
          continue;
        }
        const uint64_t read = data;
        if (found->lease.StillHolds(*view, At(0))) {
          ++passed;
          if (read != view->replica.value() || view->placement_epoch != 2 * read) {
            ++wrong;
          }
        }
      }
    });
  }
  for (uint64_t life = 1; life <= kRounds || passed < 1000; ++life) {
    data = life;
    slot->lease.Publish(ReplicaId(life), 2 * life, At(1000));
    slot->lease.Publish(ReplicaId(life), 2 * life, At(2000));
    directory.FindOrMake(GroupId(2 + life % 64));
    slot->lease.Withdraw();
    data = 0;
  }
  done = true;
  loops.clear();
  EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace quorate
