#include "quorate/testing/local_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "server/runtime/clock.h"

namespace quorate::testing {
namespace {

using client::Condition;
using client::GetResult;
using client::Keyspace;
using client::Outcome;
using client::Reason;
using client::WriteOptions;
using client::WriteResult;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::unique_ptr<LocalNode> StartNode(const std::string& data_dir = "") {
  auto node = LocalNode::Start({.data_dir = data_dir});
  EXPECT_TRUE(node.ok()) << node.status();
  return *std::move(node);
}

Keyspace NewKeyspace(LocalNode& node, const std::string& name = "orders") {
  auto keyspace = node.CreateKeyspace(name);
  EXPECT_TRUE(keyspace.ok()) << keyspace.status();
  return *std::move(keyspace);
}

// A folder for one test, gone afterwards.
class Folder {
 public:
  Folder() {
    std::string pattern = ::testing::TempDir() + "/quorate-local-node-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Threads of ours in this process, by name; those of RocksDB and gRPC stay for the process's life.
std::map<std::string, int> OurThreads() {
  std::map<std::string, int> threads;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream comm(task.path() / "comm");
    std::string name;
    std::getline(comm, name);
    for (const std::string prefix : {"worker_", "log_writer", "apply", "background", "held-answers",
                                     "client-timers", "client-poller", "grpc_clients"}) {
      if (name.starts_with(prefix)) ++threads[name];
    }
  }
  return threads;
}

// The kernel lists a thread for a moment after it was joined.
bool OurThreadsHaveEnded() {
  const KernelClock clock;
  const MonotonicTime until = clock.Now() + seconds(60);
  while (!OurThreads().empty()) {
    if (clock.Now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

// Open files below the folder.
int OpenFilesIn(const std::string& folder) {
  int open = 0;
  for (const auto& file : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    open += std::filesystem::read_symlink(file.path(), gone).string().starts_with(folder) ? 1 : 0;
  }
  return open;
}

TEST(LocalNodeTest, ServesRightAfterStart) {
  const auto node = StartNode();
  const Keyspace orders = NewKeyspace(*node);
  const WriteResult put = orders.Put("k", "v", {.condition = Condition::IfAbsent()});
  ASSERT_TRUE(put.ok()) << put.status;
  const GetResult got = orders.Get("k");
  ASSERT_TRUE(got.ok()) << got.status;
  EXPECT_EQ(got.value, "v");
  EXPECT_EQ(got.version, put.version);
  EXPECT_TRUE(got.receipt.linearizable);
  EXPECT_EQ(orders.Put("k", "w", {.condition = Condition::IfAbsent()}).reason,
            Reason::kConditionFalse);
}

TEST(LocalNodeTest, ServesClientsOfTheApplication) {
  const auto node = StartNode();
  NewKeyspace(*node);
  auto client = client::Client::Connect({.endpoints = {node->endpoint()}});
  ASSERT_TRUE(client.ok()) << client.status();
  auto orders = (*client)->OpenKeyspace("orders");
  ASSERT_TRUE(orders.ok()) << orders.status();
  EXPECT_TRUE(orders->Put("k", "v").ok());
  EXPECT_EQ((*client)->OpenKeyspace("absent").status().code(), absl::StatusCode::kNotFound);
}

TEST(LocalNodeTest, SeveralAtOnceKnowNothingOfEachOther) {
  std::vector<std::unique_ptr<LocalNode>> nodes;
  for (int i = 0; i < 4; ++i) {
    nodes.push_back(StartNode());
    const Keyspace orders = NewKeyspace(*nodes.back());
    ASSERT_TRUE(orders.Put("who", std::to_string(i)).ok());
  }
  for (int i = 0; i < 4; ++i) {
    const GetResult got =
        nodes[static_cast<size_t>(i)]->client().UncheckedKeyspace("orders").Get("who");
    EXPECT_EQ(got.value, std::to_string(i));
  }
}

TEST(LocalNodeTest, RestartKeepsDataPortAndClientInMemory) {
  const auto node = StartNode();
  const Keyspace orders = NewKeyspace(*node);
  ASSERT_TRUE(orders.Put("k", "v").ok());
  const std::string endpoint = node->endpoint();
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(node->Restart().ok());
    EXPECT_EQ(node->endpoint(), endpoint);
    const GetResult got = orders.Get("k");
    EXPECT_EQ(got.value, "v") << got.status;
  }
}

TEST(LocalNodeTest, AFolderKeepsDataForTheNextNode) {
  const Folder folder;
  {
    const auto node = StartNode(folder.path());
    ASSERT_TRUE(NewKeyspace(*node).Put("k", "v").ok());
    const auto second = LocalNode::Start({.data_dir = folder.path()});
    EXPECT_EQ(second.status().code(), absl::StatusCode::kAborted) << second.status();
  }
  EXPECT_EQ(OpenFilesIn(folder.path()), 0);
  const auto node = StartNode(folder.path());
  const GetResult got = node->client().UncheckedKeyspace("orders").Get("k");
  EXPECT_EQ(got.value, "v") << got.status;
}

TEST(LocalNodeTest, AFolderThatCannotBeUsedIsAnErrorThatNamesIt) {
  const auto node = LocalNode::Start({.data_dir = "/nonexistent/folder"});
  EXPECT_EQ(node.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(std::string(node.status().message()).find("/nonexistent/folder"), std::string::npos);
}

TEST(LocalNodeTest, StoppedItIsUnreachableUntilRestart) {
  const auto node = StartNode();
  const Keyspace orders = NewKeyspace(*node);
  node->Stop();
  node->Stop();
  const WriteResult put = orders.Put("k", "v", {.timeout = milliseconds(200)});
  EXPECT_FALSE(put.ok());
  ASSERT_TRUE(node->Restart().ok());
  EXPECT_TRUE(orders.Put("k", "v").ok());
}

TEST(LocalNodeTest, RefusedWritesAreNotDoneAndReadsGoOn) {
  const auto node = StartNode();
  const Keyspace orders = NewKeyspace(*node);
  ASSERT_TRUE(orders.Put("k", "old").ok());
  node->SetFaults({.refuse_writes = true});
  for (const WriteResult& write : {orders.Put("k", "new"), orders.Delete("k")}) {
    EXPECT_EQ(write.outcome, Outcome::kNotDone);
    EXPECT_EQ(write.reason, Reason::kOverloaded) << write.status;
    EXPECT_EQ(write.attempts, 1);
  }
  EXPECT_EQ(orders.Get("k").value, "old");
  node->SetFaults({});
  EXPECT_TRUE(orders.Put("k", "new").ok());
}

TEST(LocalNodeTest, AWriteWhoseAnswerIsLostIsDoneAndARepeatLearnsIt) {
  const auto node = StartNode();
  const Keyspace orders = NewKeyspace(*node);
  node->SetFaults({.lose_write_answers = true});
  WriteOptions options{.timeout = milliseconds(500), .condition = Condition::IfAbsent()};
  WriteResult put;
  // A write that a slow machine does not get off its hands in the time is not done: then once more.
  do {
    options.timeout *= 2;
    put = orders.Put("k", "v", options);
  } while (put.outcome == Outcome::kNotDone && options.timeout < seconds(60));
  EXPECT_EQ(put.outcome, Outcome::kUnknown) << put.status;
  const KernelClock clock;
  const MonotonicTime until = clock.Now() + seconds(60);
  while (orders.Get("k").value != "v" && clock.Now() < until) std::this_thread::yield();
  EXPECT_EQ(orders.Get("k").value, "v");
  node->SetFaults({});
  options.request_id = put.request_id;
  options.timeout = seconds(60);
  const WriteResult repeat = orders.Put("k", "v", options);
  ASSERT_TRUE(repeat.ok()) << repeat.status;
  EXPECT_EQ(repeat.receipt.served_by, client::ServedBy::kRequestMemory);
}

TEST(LocalNodeTest, DelayedAnswersComeLaterAndAreTheSame) {
  const auto node = StartNode();
  const Keyspace orders = NewKeyspace(*node);
  ASSERT_TRUE(orders.Put("k", "v").ok());
  node->SetFaults({.answer_delay = milliseconds(100)});
  const KernelClock clock;
  const MonotonicTime begin = clock.Now();
  const GetResult got = orders.Get("k");
  EXPECT_GE(clock.Now() - begin, milliseconds(100));
  EXPECT_EQ(got.value, "v") << got.status;
  EXPECT_EQ(orders.Get("k", {.timeout = milliseconds(20)}).reason, Reason::kUnreachable);
}

// Answers held back by a fault are under way for sure, whatever the machine's speed.
TEST(LocalNodeTest, EndsWithRequestsInFlight) {
  auto node = StartNode();
  const Keyspace orders = NewKeyspace(*node);
  auto other = client::Client::Connect({.endpoints = {node->endpoint()}});
  ASSERT_TRUE(other.ok()) << other.status();
  const Keyspace theirs = (*other)->UncheckedKeyspace("orders");
  ASSERT_TRUE(theirs.Get("k").reason == Reason::kKeyNotFound);
  node->SetFaults({.answer_delay = std::chrono::hours(1)});
  std::promise<WriteResult> own;
  std::promise<WriteResult> their;
  orders.PutAsync("k", "v", {.timeout = seconds(60)},
                  [&](WriteResult put) { own.set_value(std::move(put)); });
  theirs.PutAsync("k", "v", {.timeout = seconds(2)},
                  [&](WriteResult put) { their.set_value(std::move(put)); });
  node.reset();
  EXPECT_NE(own.get_future().get().outcome, Outcome::kDone);
  EXPECT_NE(their.get_future().get().outcome, Outcome::kDone);
}

TEST(LocalNodeTest, AKeyspaceThatOutlivesItsClientAnswersCancelled) {
  auto node = StartNode();
  const Keyspace orders = NewKeyspace(*node);
  ASSERT_TRUE(orders.Put("k", "v").ok());
  node.reset();
  EXPECT_EQ(orders.Get("k").reason, Reason::kCancelled);
  const WriteResult put = orders.Put("k", "w");
  EXPECT_EQ(put.outcome, Outcome::kNotDone);
  EXPECT_EQ(put.reason, Reason::kCancelled);
}

TEST(LocalNodeTest, NoThreadOfOursOutlivesIt) {
  for (int i = 0; i < 3; ++i) {
    auto node = StartNode();
    const Keyspace orders = NewKeyspace(*node);
    ASSERT_TRUE(node->Restart().ok());
    // Goes through five of them, which have then told their names.
    ASSERT_TRUE(orders.Put("k", "v").ok());
    EXPECT_GE(OurThreads().size(), 5U) << ::testing::PrintToString(OurThreads())
                                       << ": the threads have other names now; mend the test";
    node.reset();
    EXPECT_TRUE(OurThreadsHaveEnded()) << ::testing::PrintToString(OurThreads());
  }
}

}  // namespace
}  // namespace quorate::testing
