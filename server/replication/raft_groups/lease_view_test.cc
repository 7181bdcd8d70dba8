#include "server/replication/raft_groups/lease_view.h"

#include <algorithm>
#include <array>
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

// The reader is stopped between its two looks, or the lease is taken from it.
TEST(LeaseSlotTest, ReadThatOutlastsItsLeaseGivesNothing) {
  LeaseSlot slot;
  slot.Publish(kReplica, 1, At(100));
  int64_t now_ms = 99;
  const auto read = [&](int64_t takes_ms) {
    return ReadUnderLease(
        slot, [&] { return At(now_ms); },
        [&](const LeaseView& lease) {
          now_ms += takes_ms;
          return lease.replica;
        });
  };
  EXPECT_EQ(read(0), kReplica);
  EXPECT_EQ(read(1), std::nullopt);
  now_ms = 50;
  EXPECT_EQ(read(49), kReplica);
  const auto taken_away = ReadUnderLease(
      slot, [] { return At(50); },
      [&](const LeaseView&) {
        slot.Withdraw();
        return true;
      });
  EXPECT_EQ(taken_away, std::nullopt);
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

// Data that only the holder of a lease may rely on: each lease's owner fills it with its own
// number, and whoever takes it away overwrites it, word by word. So long that a reader is often
// caught in the middle, which is when its second look matters.
struct LeasedData {
  std::array<std::atomic<uint64_t>, 64> words{};
  std::atomic<int64_t> now_ms{0};

  void Fill(uint64_t number) {
    for (auto& word : words) word = number;
  }
  [[nodiscard]] bool IsAll(uint64_t number) const {
    return std::all_of(words.begin(), words.end(),
                       [&](const auto& word) { return word == number; });
  }
};

void ReadUntil(const std::atomic<bool>& done, const GroupDirectory& directory,
               const LeasedData& data, std::atomic<uint64_t>* passed,
               std::atomic<uint64_t>* wrong) {
  while (!done) {
    const LeaseSlot& lease = directory.Find(GroupId(1))->lease;
    const auto right = ReadUnderLease(
        lease, [&] { return At(data.now_ms); },
        [&](const LeaseView& view) {
          return data.IsAll(view.replica.value()) &&
                 view.placement_epoch == 2 * view.replica.value();
        });
    if (right) {
      ++*passed;
      *wrong += *right ? 0 : 1;
    }
  }
}

// Method: one thread publishes leases, extends them, and ends them by withdrawal or by letting
// their time pass, and owns the data while there is none; others read. Oracle: a read that both
// looks let pass saw nothing but the words of its lease.
TEST(LeaseStressTest, lease_rechecked_after_read) {
  const KernelClock clock;
  GroupDirectory directory;
  constexpr int kReaders = 3;
  constexpr uint64_t kRounds = 20000;
  GroupSlot* const slot = directory.FindOrMake(GroupId(1));
  LeasedData data;
  std::atomic<bool> done{false};
  std::atomic<uint64_t> passed{0};
  std::atomic<uint64_t> wrong{0};
  std::vector<std::unique_ptr<EventLoop>> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.push_back(std::make_unique<EventLoop>("reader", &clock));
    readers.back()->Post([&] { ReadUntil(done, directory, data, &passed, &wrong); });
  }
  for (uint64_t life = 1; life <= kRounds || passed < 1000; ++life) {
    data.Fill(life);
    slot->lease.Publish(ReplicaId(life), 2 * life, At(data.now_ms + 100));
    slot->lease.Publish(ReplicaId(life), 2 * life, At(data.now_ms + 200));
    directory.FindOrMake(GroupId(2 + life % 64));
    if (life % 2 == 0) {
      slot->lease.Withdraw();
    } else {
      data.now_ms += 200;
    }
    data.Fill(0);
  }
  done = true;
  readers.clear();
  EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace quorate
