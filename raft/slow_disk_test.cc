// Groups on disks whose every fsync takes about as long as an election time-out, or longer.
#include <map>

#include "gtest/gtest.h"
#include "raft/random.h"
#include "raft/test_cluster.h"

namespace quorate::raft {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kStep = milliseconds(20);
constexpr int kStepsBetweenWrites = 5;

TestGroup Group(uint64_t voters, uint64_t seed) {
  TestGroup group;
  for (uint64_t id = 1; id <= voters; ++id) group.initial.voters.emplace_back(id);
  group.seed = seed;
  return group;
}

// One fsync at a time for each replica: what was queued when it began is durable when it ends.
class SlowDisks {
 public:
  SlowDisks(uint64_t voters, uint64_t seed, Duration least, Duration most)
      : random_(seed), least_(least), most_(most), cluster_(Group(voters, seed)) {
    for (uint64_t id : cluster_.ids()) {
      cluster_.SetSlowDisk(id, true);
      cluster_.Start(id);
    }
  }

  void Run(Duration duration, bool write) {
    for (const MonotonicTime end = cluster_.now() + duration; cluster_.now() < end;) {
      cluster_.Run(kStep);
      const uint64_t leader = cluster_.Leader();
      if (leader != last_leader_ && leader != 0) {
        ++leaders_;
        last_leader_ = leader;
      }
      if (write && ++steps_ % kStepsBetweenWrites == 0 && leader != 0) {
        (void)cluster_.Propose(leader, "x");
      }
      for (uint64_t id : cluster_.ids()) Fsync(id);
    }
  }

  void Stop(uint64_t id) { stuck_ = id; }
  TestCluster& cluster() { return cluster_; }
  [[nodiscard]] int leaders() const { return leaders_; }
  LogIndex LastCommitted() { return cluster_.invariants().LastCommitted(); }

 private:
  struct Write {
    size_t writes;
    MonotonicTime ends;
  };

  void Fsync(uint64_t id) {
    if (id == stuck_) return;
    const auto running = fsyncs_.find(id);
    if (running != fsyncs_.end()) {
      if (cluster_.now() < running->second.ends) return;
      cluster_.Persist(id, running->second.writes);
      fsyncs_.erase(id);
    }
    const size_t writes = cluster_.QueuedWrites(id);
    if (writes == 0) return;
    const auto spread = static_cast<uint64_t>((most_ - least_).count());
    const Duration takes = least_ + Duration(static_cast<int64_t>(random_.Below(spread + 1)));
    fsyncs_[id] = {writes, cluster_.now() + takes};
  }

  Random random_;
  const Duration least_;
  const Duration most_;
  TestCluster cluster_;
  std::map<uint64_t, Write> fsyncs_;
  uint64_t stuck_ = 0;
  uint64_t last_leader_ = 0;
  int leaders_ = 0;
  int steps_ = 0;
};

class SlowDiskTest : public testing::TestWithParam<uint64_t> {};

// With fixed time-outs, no group here is ever led for long: campaigns end before their votes are
// durable, and leaders step down before their entries are.
TEST_P(SlowDiskTest, ElectsAndKeepsALeader) {
  for (const uint64_t voters : {3, 5}) {
    SlowDisks disks(voters, GetParam(), milliseconds(300), milliseconds(900));
    disks.Run(seconds(20), true);
    const int leaders_at_first = disks.leaders();
    const LogIndex committed = disks.LastCommitted();
    disks.Run(seconds(60), true);
    EXPECT_LE(disks.leaders() - leaders_at_first, 1) << voters << " voters";
    // An entry each 100 ms, and each second without a leader costs 10 of 600.
    EXPECT_GT(disks.LastCommitted().value(), committed.value() + 500) << voters << " voters";
    EXPECT_TRUE(disks.cluster().invariants().violations().empty());
  }
}

// Where disks were idle for long, nothing is known of their pace.
TEST_P(SlowDiskTest, TheFirstWriteAfterARestDeposesNobody) {
  SlowDisks disks(3, GetParam(), milliseconds(800), milliseconds(1100));
  disks.Run(seconds(20), true);
  const int leaders_before = disks.leaders();
  disks.Run(seconds(30), false);
  disks.Run(seconds(10), true);
  EXPECT_EQ(disks.leaders(), leaders_before);
}

TEST_P(SlowDiskTest, AStuckDiskAmongSlowOnesIsFound) {
  SlowDisks disks(3, GetParam(), milliseconds(100), milliseconds(300));
  disks.Run(seconds(20), true);
  const uint64_t stuck = disks.cluster().Leader();
  ASSERT_NE(stuck, 0u);
  disks.Stop(stuck);
  disks.Run(seconds(5), true);
  EXPECT_NE(disks.cluster().Leader(), stuck);
  EXPECT_NE(disks.cluster().Leader(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SlowDiskTest, testing::Range<uint64_t>(1, 6));

}  // namespace
}  // namespace quorate::raft
