// Pages whose shares come on several threads at once; what a page holds is
// key_value_service_test's.
#include "server/service/scan.h"

#include <atomic>
#include <deque>
#include <future>
#include <thread>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "server/runtime/mutex.h"
#include "tests/fakes/fake_replica_host.h"
#include "tests/fakes/manual_loop.h"

namespace quorate {
namespace {

constexpr int kPartitions = 16;
constexpr int kThreads = 3;
constexpr int kEntries = 20;  // of each
constexpr int kScans = 3000;

// Shares that were asked for, answered by threads.
class Answerers {
 public:
  using Done = Callback<internal::v1::ReadPageResponse>;

  Answerers() {
    for (int i = 0; i < kThreads; ++i) threads_.emplace_back([this] { Run(); });
  }
  ~Answerers() {
    {
      const MutexLock lock(&mutex_);
      ended_ = true;
    }
    changed_.NotifyAll();
    for (std::thread& thread : threads_) thread.join();
  }

  void Ask(uint64_t group, Done done) {
    {
      const MutexLock lock(&mutex_);
      asked_.emplace_back(group, std::move(done));
    }
    changed_.NotifyOne();
  }

 private:
  void Run() {
    while (true) {
      mutex_.Lock();
      while (asked_.empty() && !ended_) changed_.Wait(&mutex_);
      if (asked_.empty()) {
        mutex_.Unlock();
        return;
      }
      auto [group, done] = std::move(asked_.front());
      asked_.pop_front();
      mutex_.Unlock();
      internal::v1::ReadPageResponse response;
      response.set_served(true);
      for (int i = 0; i < kEntries; ++i) {
        response.add_entries()->set_key(fmt::format("key{:02}{:02}", i, group));
      }
      done(std::move(response));
    }
  }

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::pair<uint64_t, Done>> asked_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

internal::v1::ClusterState State() {
  internal::v1::ClusterState state;
  state.set_epoch(1);
  kv::v1::Keyspace* keyspace = state.add_keyspaces();
  keyspace->set_name("k");
  for (int i = 0; i < kPartitions; ++i) {
    kv::v1::PartitionPlacement* placement = keyspace->add_partitions();
    placement->set_partition(static_cast<uint32_t>(i));
    placement->set_group_id(static_cast<uint64_t>(i));
    placement->add_replicas()->set_node_id(2);
  }
  return state;
}

// The first page of all partitions.
absl::StatusOr<PageAnswer> ScanAll(ServiceContext* context,
                                   const std::shared_ptr<const ClusterView>& view) {
  ScanPlan plan;
  plan.view = view;
  for (const auto& placement : view->keyspace("k")->partitions()) {
    plan.partitions.push_back(&placement);
  }
  plan.limit = 1000;
  plan.page_bytes = 1 << 20;
  plan.deadline = context->clock->Now() + std::chrono::hours(1);
  const auto promise = std::make_shared<std::promise<absl::StatusOr<PageAnswer>>>();
  auto future = promise->get_future();
  ScanOperation::Run(context, std::move(plan), [promise](absl::StatusOr<PageAnswer> page) {
    promise->set_value(std::move(page));
  });
  return future.get();
}

// A node on which nothing is led.
class ScanTest : public ::testing::Test {
 protected:
  ScanTest() {
    context_.clock = &clock_;
    context_.control = &loop_;
    context_.host = &host_;
  }

  fakes::ManualClock clock_;
  fakes::ManualLoop loop_{&clock_};
  fakes::FakeReplicaHost host_{1};
  Answerers answerers_;
  ServiceContext context_;
};

// A page without an entry would end the scan, and what follows be missing without a word.
TEST_F(ScanTest, ThePageIsTakenOnceWhoeverSeesTheLastShare) {
  context_.ask_page = [&](uint64_t /*node*/, const internal::v1::ReadPageRequest& request,
                          MonotonicTime /*until*/, Answerers::Done done) {
    answerers_.Ask(request.group_id(), std::move(done));
  };
  const auto view = std::make_shared<const ClusterView>(State(), 1);
  for (int i = 0; i < kScans; ++i) {
    const auto page = ScanAll(&context_, view);
    ASSERT_TRUE(page.ok()) << page.status();
    ASSERT_EQ(page->entries.size(), kPartitions * kEntries) << "scan " << i;
    ASSERT_FALSE(page->more);
  }
}

// Method: half of all partitions have a node first that is silent, and would not answer. Oracle: it
// is not asked, so the scan takes no time; where no owner is heard from, the first is asked.
TEST_F(ScanTest, WhoSeemsDownIsNotAskedFirst) {
  std::atomic<int> asked_silent{0};
  std::atomic<bool> all_silent{false};
  context_.seems_alive = [&](uint64_t node) { return !all_silent && node != 2; };
  context_.ask_page = [&](uint64_t node, const internal::v1::ReadPageRequest& request,
                          MonotonicTime /*until*/, Answerers::Done done) {
    asked_silent += node == 2 ? 1 : 0;
    answerers_.Ask(request.group_id(), std::move(done));
  };
  internal::v1::ClusterState state = State();
  for (auto& placement : *state.mutable_keyspaces(0)->mutable_partitions()) {
    if (placement.partition() % 2 == 1) placement.mutable_replicas(0)->set_node_id(4);
    placement.add_replicas()->set_node_id(3);
  }
  const auto view = std::make_shared<const ClusterView>(std::move(state), 1);
  EXPECT_TRUE(ScanAll(&context_, view).ok());
  EXPECT_EQ(asked_silent, 0);
  all_silent = true;
  EXPECT_TRUE(ScanAll(&context_, view).ok());
  EXPECT_EQ(asked_silent, (kPartitions + 1) / 2);
}

}  // namespace
}  // namespace quorate
