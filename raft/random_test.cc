// Random schedules from a seed: messages lost, doubled and reordered; crashes that lose what was
// not durable, losses of power that also take what was not fsynced; disks and applies that lag;
// clocks that stand and jump. The invariants run after
// each step. At the end all faults stop, and the group has to agree and to make progress.
// A failing seed is played again by QUORATE_SEED=n raft_test --gtest_filter='RandomTest.*'.
#include <algorithm>
#include <cstdlib>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "raft/quorum.h"
#include "raft/random.h"
#include "raft/test_cluster.h"

namespace quorate::raft {
namespace {

using std::chrono::milliseconds;

constexpr uint64_t kSteps = 400;

// What happens how often, drawn anew for each seed: few kinds at a high rate find other faults than
// all kinds at a low one.
struct Weights {
  uint64_t deliver = 40;
  uint64_t tick = 10;
  uint64_t propose = 6;
  uint64_t read = 3;
  uint64_t persist = 20;
  uint64_t drop = 0;
  uint64_t duplicate = 0;
  uint64_t crash = 0;
  uint64_t lose_power = 0;
  uint64_t cut = 0;
  uint64_t long_pause = 0;
  uint64_t step_down = 0;
  uint64_t transfer = 0;
  uint64_t configure = 0;
  uint64_t watch = 0;
  uint64_t compact = 0;
  uint64_t snapshot = 0;
  bool in_order = true;
  bool slow_disks = false;
};

class RandomRun {
 public:
  explicit RandomRun(uint64_t seed) : random_(seed), cluster_(DrawConfig(seed)) {
    DrawWeights();
    cluster_.SetSlowSnapshots(true);
    for (uint64_t id = 7; id <= 8; ++id) cluster_.AddSpare(id);
    for (uint64_t id : cluster_.ids()) {
      cluster_.SetSlowDisk(id, weights_.slow_disks);
      cluster_.Start(id);
    }
  }

  void Faults() {
    // To be cured takes a while.
    const uint64_t steps = buffered_ ? 2 * kSteps : kSteps;
    for (uint64_t step = 0; step < steps && cluster_.invariants().violations().empty(); ++step) {
      Step();
      CountRests();
    }
  }

  // True if the healed group has one leader, commits a new entry everywhere and answers a read.
  bool Heals() {
    cluster_.Heal();
    cluster_.WatchQuiet(true);
    for (uint64_t id : cluster_.ids()) {
      if (!cluster_.IsUp(id)) cluster_.Start(id);
      cluster_.SetSlowDisk(id, false);
      cluster_.Persist(id);
    }
    cluster_.SetSlowSnapshots(false);
    cluster_.DeliverAll();
    for (int attempt = 0; attempt < 100; ++attempt) {
      cluster_.Run(milliseconds(100));
      const uint64_t leader = cluster_.Leader();
      if (leader == 0 || !cluster_.Propose(leader, "last").ok()) continue;
      if (!cluster_.Read(leader, 1'000'000).ok()) continue;
      cluster_.Run(milliseconds(500));
      if (AllApplied() && cluster_.served().count(1'000'000) > 0) return true;
    }
    return false;
  }

  TestCluster& cluster() { return cluster_; }
  [[nodiscard]] uint64_t changes() const { return changes_; }
  // How often a leader went quiet.
  [[nodiscard]] uint64_t rests() const { return rests_; }
  [[nodiscard]] uint64_t half_installed() const { return half_installed_; }
  [[nodiscard]] uint64_t power_losses() const { return power_losses_; }
  // The last life of each replica that a leader has cured.
  [[nodiscard]] uint64_t cured() {
    uint64_t cured = 0;
    for (uint64_t id : cluster_.ids()) cured += cluster_.disk(id).InitialHardState().cured;
    return cured;
  }

 private:
  TestGroup DrawConfig(uint64_t seed) {
    TestGroup config;
    const uint64_t shape = random_.Below(6);
    const uint64_t voters = shape == 0 ? 1 : shape < 4 ? 3 : 5;
    for (uint64_t id = 1; id <= voters; ++id) config.initial.voters.emplace_back(id);
    if (shape == 3) config.initial.learners = {ReplicaId(4)};
    if (shape == 4) config.initial.outgoing = {ReplicaId(1), ReplicaId(2), ReplicaId(6)};
    config.seed = seed;
    if (random_.Below(2) == 0) config.append_bytes_max = 80;
    if (random_.Below(2) == 0) config.inflight_messages_max = 2;
    if (random_.Below(3) == 0) config.inflight_bytes_max = 100;
    if (random_.Below(3) == 0) config.apply_bytes_max = 50;
    if (random_.Below(3) == 0) config.cached_bytes_max = 100;
    if (random_.Below(4) == 0) config.unapplied_bytes_max = 1;
    if (random_.Below(2) == 0) config.quiet_after = milliseconds(1 + random_.Below(200));
    config.commit_rides_along = random_.Below(2) == 0;
    if (random_.Below(4) == 0) config.wait_step_max = milliseconds(100);
    config.buffered = buffered_ = voters > 1 && random_.Below(2) == 0;
    returning_max_ = shape == 5 ? 2 : 1;
    return config;
  }

  void DrawWeights() {
    const auto maybe = [this](uint64_t max) {
      return random_.Below(2) == 0 ? 0 : 1 + random_.Below(max);
    };
    weights_.drop = maybe(20);
    weights_.duplicate = maybe(10);
    weights_.crash = maybe(4);
    weights_.lose_power = buffered_ ? 1 + random_.Below(4) : 0;
    weights_.cut = maybe(4);
    weights_.long_pause = maybe(4);
    weights_.step_down = maybe(2);
    weights_.transfer = maybe(4);
    weights_.configure = maybe(12);
    if (weights_.configure > 0) returning_max_ = 1;
    weights_.watch = maybe(4);
    // Groups that are asked for little, so that some go quiet between.
    if (random_.Below(4) == 0) {
      weights_.propose = 1;
      weights_.read = random_.Below(2);
    }
    weights_.compact = maybe(20);
    weights_.snapshot = weights_.compact == 0 ? 0 : 1 + random_.Below(8);
    weights_.in_order = random_.Below(2) == 0;
    weights_.slow_disks = random_.Below(2) == 0;
  }

  uint64_t AnyReplica() {
    const std::vector<uint64_t> ids = cluster_.ids();
    return ids[random_.Below(ids.size())];
  }

  uint64_t Leaderish() {
    const uint64_t leader = cluster_.Leader();
    return leader != 0 && random_.Below(4) != 0 ? leader : AnyReplica();
  }

  void Step() {
    uint64_t total = weights_.deliver + weights_.tick + weights_.propose + weights_.read +
                     weights_.persist + weights_.drop + weights_.duplicate + weights_.crash +
                     weights_.lose_power + weights_.cut + weights_.long_pause + weights_.step_down +
                     weights_.transfer + weights_.configure + weights_.watch + weights_.compact +
                     weights_.snapshot;
    uint64_t draw = random_.Below(total);
    const auto falls_on = [&draw](uint64_t weight) {
      if (draw < weight) return true;
      draw -= weight;
      return false;
    };
    if (falls_on(weights_.deliver)) return Deliver();
    if (falls_on(weights_.tick)) return Pass(milliseconds(random_.Below(120)));
    if (falls_on(weights_.propose)) return Propose();
    if (falls_on(weights_.read)) return Read();
    if (falls_on(weights_.persist)) return Persist();
    if (falls_on(weights_.drop)) return Drop();
    if (falls_on(weights_.duplicate)) return Duplicate();
    if (falls_on(weights_.crash)) return CrashOrStart();
    if (falls_on(weights_.lose_power)) return LosePower();
    if (falls_on(weights_.cut)) return CutOrHeal();
    if (falls_on(weights_.long_pause)) return cluster_.Advance(milliseconds(random_.Below(2000)));
    if (falls_on(weights_.step_down)) return StepDown();
    if (falls_on(weights_.transfer)) return Transfer();
    if (falls_on(weights_.watch)) return cluster_.SuspectLostLeaders();
    if (falls_on(weights_.compact)) return Compact();
    if (falls_on(weights_.snapshot)) return Snapshot();
    return Configure();
  }

  void CountRests() {
    const uint64_t leader = cluster_.Leader();
    const bool quiet = leader != 0 && cluster_.node(leader).quiet();
    if (quiet && !was_quiet_) ++rests_;
    was_quiet_ = quiet;
  }

  void Deliver() {
    // Several at once: most schedules should get somewhere.
    for (uint64_t count = 1 + random_.Below(6); count > 0; --count) {
      if (cluster_.network().empty()) return;
      cluster_.DeliverAt(Position());
    }
  }
  size_t Position() { return weights_.in_order ? 0 : random_.Below(cluster_.network().size()); }
  void Pass(Duration duration) {
    cluster_.Advance(duration);
    for (uint64_t id : cluster_.ids()) {
      if (cluster_.IsUp(id) && random_.Below(10) != 0) cluster_.Tick(id);
    }
  }
  void Propose() {
    const uint64_t id = Leaderish();
    if (!cluster_.IsUp(id)) return;
    for (uint64_t count = 1 + random_.Below(3); count > 0; --count) {
      (void)cluster_.Propose(id, fmt::format("v{}", ++proposals_));
    }
  }
  void Read() {
    const uint64_t id = Leaderish();
    if (!cluster_.IsUp(id)) return;
    const LogIndex committed = cluster_.invariants().LastCommitted();
    if (cluster_.Read(id, ++reads_).ok()) read_bounds_[reads_] = committed;
    for (const auto& [context, index] : cluster_.served()) {
      EXPECT_GE(index, read_bounds_[context]) << "read " << context << " is stale";
    }
  }
  void Persist() {
    const uint64_t id = AnyReplica();
    if (cluster_.IsUp(id)) cluster_.Persist(id, 1 + random_.Below(4));
  }
  void Drop() {
    if (cluster_.network().empty()) return;
    cluster_.network().erase(cluster_.network().begin() + static_cast<ptrdiff_t>(Position()));
  }
  void Duplicate() {
    if (cluster_.network().empty() || cluster_.network().size() > 200) return;
    const Message copy = cluster_.network()[Position()];
    cluster_.network().push_back(copy);
  }
  void CrashOrStart() {
    const uint64_t id = AnyReplica();
    if (!cluster_.IsUp(id)) {
      // The state machine keeps what was applied up to some earlier point.
      const LogIndex applied(random_.Below(cluster_.Applied(id).value() + 1));
      return cluster_.Start(id, applied);
    }
    cluster_.WriteUnreported(id, random_.Below(3));
    cluster_.Crash(id);
  }
  bool IsReturning(uint64_t id) {
    const HardState state = cluster_.disk(id).InitialHardState();
    return state.life > state.cured;
  }
  // Of a minority only, and not before as many of those that lost it are whole again.
  void LosePower() {
    const std::vector<uint64_t> ids = cluster_.ids();
    // Mostly they come back before the next one goes.
    for (uint64_t down : ids) {
      if (cluster_.IsUp(down) || !IsReturning(down) || random_.Below(4) == 0) continue;
      return cluster_.Start(down, LogIndex(random_.Below(cluster_.Applied(down).value() + 1)));
    }
    const uint64_t id = AnyReplica();
    const auto others = std::count_if(
        ids.begin(), ids.end(), [&](uint64_t other) { return other != id && IsReturning(other); });
    if (others >= returning_max_) return;
    cluster_.WriteUnreported(id, random_.Below(3));
    const LogIndex flushed(random_.Below(cluster_.Applied(id).value() + 1));
    cluster_.LosePower(id, random_.Below(2) == 0 ? SIZE_MAX : random_.Below(8), flushed);
    ++power_losses_;
  }
  void CutOrHeal() {
    if (random_.Below(3) == 0) return cluster_.Heal();
    cluster_.Cut(AnyReplica(), AnyReplica());
  }
  void StepDown() {
    const uint64_t id = Leaderish();
    if (!cluster_.IsUp(id)) return;
    cluster_.node(id).StepDown(cluster_.now());
    cluster_.Pump(id);
  }

  void Transfer() {
    const uint64_t id = Leaderish();
    if (cluster_.IsUp(id)) (void)cluster_.Transfer(id, AnyReplica());
  }

  // Mostly all that may go, which leaves followers behind.
  void Compact() {
    const uint64_t id = random_.Below(2) == 0 ? Leaderish() : AnyReplica();
    if (!cluster_.IsUp(id)) return;
    const uint64_t applied = cluster_.node(id).Status().applied.value();
    (void)cluster_.Compact(id, LogIndex(applied - std::min(applied, random_.Below(4))));
  }
  // A stream arrives, comes to nothing, or arrives but nobody hears of it.
  void Snapshot() {
    if (cluster_.snapshots().empty()) return;
    const size_t position = random_.Below(cluster_.snapshots().size());
    const uint64_t fate = random_.Below(8);
    if (fate == 0) return cluster_.FailSnapshotAt(position);
    if (fate == 1) {
      const TestCluster::SnapshotStream copy = cluster_.snapshots()[position];
      if (cluster_.IsUp(copy.to.value())) cluster_.InstallSnapshot(copy);
      return;
    }
    const uint64_t to = cluster_.snapshots()[position].to.value();
    cluster_.DeliverSnapshotAt(position);
    if ((fate == 2 || fate == 3) && cluster_.IsUp(to)) CrashWhileInstalling(to);
  }
  void CrashWhileInstalling(uint64_t id) {
    const uint64_t installed = cluster_.installed_snapshots();
    cluster_.IngestUnreported(id);
    if (cluster_.installed_snapshots() == installed) return;
    ++half_installed_;
    cluster_.Crash(id);
  }

  // Adds or drops one member, promotes or demotes one, or draws a membership from all replicas.
  void Configure() {
    const uint64_t id = Leaderish();
    if (!cluster_.IsUp(id)) return;
    Configuration target = cluster_.node(id).Status().configuration;
    target.outgoing.clear();
    const bool all_new = random_.Below(4) == 0;
    for (uint64_t other : cluster_.ids()) {
      if (!all_new && other != AnyReplica()) continue;
      const ReplicaId replica(other);
      std::erase(target.voters, replica);
      std::erase(target.learners, replica);
      const uint64_t becomes = random_.Below(4);
      if (becomes < 2) target.voters.push_back(replica);
      if (becomes == 2) target.learners.push_back(replica);
    }
    std::sort(target.voters.begin(), target.voters.end());
    std::sort(target.learners.begin(), target.learners.end());
    // One returning voter shall be a minority always.
    if (buffered_ && target.voters.size() < 3) return;
    if (cluster_.Configure(id, target).ok()) ++changes_;
  }

  bool AllApplied() {
    for (ReplicaId member : Members(cluster_.node(cluster_.Leader()).Status().configuration)) {
      const uint64_t id = member.value();
      if (cluster_.Applied(id) != cluster_.invariants().LastCommitted()) return false;
      if (cluster_.node(id).Status().returning) return false;
    }
    return true;
  }

  Random random_;
  bool buffered_ = false;
  int64_t returning_max_ = 0;
  TestCluster cluster_;
  Weights weights_;
  uint64_t proposals_ = 0;
  uint64_t changes_ = 0;
  uint64_t rests_ = 0;
  bool was_quiet_ = false;
  uint64_t half_installed_ = 0;
  uint64_t power_losses_ = 0;
  uint64_t reads_ = 0;
  std::map<uint64_t, LogIndex> read_bounds_;
};

uint64_t EnvironmentNumber(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(RandomTest, KeepsInvariantsAndHeals) {
  const uint64_t only = EnvironmentNumber("QUORATE_SEED", 0);
  const uint64_t first = only != 0 ? only : 1;
  const uint64_t last = only != 0 ? only : EnvironmentNumber("QUORATE_SEEDS", 3000);
  uint64_t committed = 0;
  uint64_t served = 0;
  uint64_t changes = 0;
  uint64_t rests = 0;
  uint64_t installed = 0;
  uint64_t half_installed = 0;
  uint64_t power_losses = 0;
  uint64_t cured = 0;
  for (uint64_t seed = first; seed <= last; ++seed) {
    RandomRun run(seed);
    run.Faults();
    committed += run.cluster().invariants().LastCommitted().value();
    served += run.cluster().served().size();
    changes += run.changes();
    rests += run.rests();
    installed += run.cluster().installed_snapshots();
    half_installed += run.half_installed();
    power_losses += run.power_losses();
    cured += run.cured();
    const bool heals = run.Heals();
    ASSERT_THAT(run.cluster().invariants().violations(), testing::IsEmpty()) << "seed " << seed;
    ASSERT_TRUE(heals) << "seed " << seed;
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
  }
  if (only != 0) return;
  // A run in which nothing happens proves nothing.
  EXPECT_GT(committed, 5 * last);
  EXPECT_GT(served, last / 2);
  EXPECT_GT(changes, last / 5);
  EXPECT_GT(rests, last / 10);
  EXPECT_GT(installed, last / 20);
  EXPECT_GT(half_installed, last / 400);
  EXPECT_GT(power_losses, last);
  EXPECT_GT(cured, last / 20);
}

}  // namespace
}  // namespace quorate::raft
