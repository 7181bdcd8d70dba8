// The client port over real sockets on loopback, with services made up by each test.
#include "server/service/grpc_server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <iostream>
#include <thread>

#include "grpc/health/v1/health.grpc.pb.h"
#include "kv/v1/admin.grpc.pb.h"
#include "kv/v1/key_value.grpc.pb.h"
#include "proto/error_detail.h"
#include "proto/grpc_status.h"
#include "server/runtime/clock.h"
#include "server/runtime/mutex.h"
#include "server/service/fake_admin.h"
#include "server/service/fake_key_value.h"

namespace quorate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

// For what has no reason to take long, on a machine that does nothing else.
constexpr seconds kPatience(60);

class GrpcServerTest : public testing::Test {
 protected:
  void Start(GrpcServerOptions options = {}) {
    options.listen = "127.0.0.1:0";
    auto server = GrpcServer::Start(options, &clock_, &key_value_, &admin_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = grpc::CreateChannel(fmt::format("127.0.0.1:{}", server_->port()),
                                   grpc::InsecureChannelCredentials());
    stub_ = kv::v1::KeyValue::NewStub(channel_);
  }

  absl::Status Get(const std::string& key, kv::v1::GetResponse* response,
                   milliseconds timeout = kPatience) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + timeout);
    kv::v1::GetRequest request;
    request.set_key(key);
    return FromGrpc(stub_->Get(&context, request, response));
  }

  absl::Status Put(const std::string& value) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    kv::v1::PutRequest request;
    request.set_value(value);
    kv::v1::PutResponse response;
    return FromGrpc(stub_->Put(&context, request, &response));
  }

  // Pages of `page_size` numbered keys out of `total`.
  void ServeNumbers(uint64_t total, uint64_t page_size) {
    key_value_.scan = [=, this](const auto&, const kv::v1::ScanRequest& request, auto reply) {
      ++pages_;
      kv::v1::ScanResponse page;
      uint64_t next = request.page_token().empty() ? 0 : std::stoull(request.page_token());
      const uint64_t limit = request.limit() == 0 ? total : request.limit();
      for (uint64_t i = 0; i < page_size && i < limit && next < total; ++i, ++next) {
        page.add_entries()->set_key(std::to_string(next));
      }
      if (next < total) page.set_next_page_token(std::to_string(next));
      reply(std::move(page));
    };
  }

  // Until the condition holds; false: not for a long time.
  template <class Condition>
  static bool Await(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return true;
  }
  bool AwaitIdle() {
    return Await([&] { return server_->requests_inflight() == 0; });
  }

  struct ScanResult {
    std::vector<std::string> keys;
    int messages = 0;
    absl::Status status;
  };
  ScanResult Scan(const kv::v1::ScanRequest& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    auto reader = stub_->Scan(&context, request);
    ScanResult result;
    kv::v1::ScanResponse page;
    while (reader->Read(&page)) {
      ++result.messages;
      for (const auto& entry : page.entries()) result.keys.push_back(entry.key());
    }
    result.status = FromGrpc(reader->Finish());
    return result;
  }

  KernelClock clock_;
  FakeKeyValue key_value_;
  FakeAdmin admin_;
  std::atomic<int> pages_{0};
  std::unique_ptr<GrpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<kv::v1::KeyValue::Stub> stub_;
};

TEST_F(GrpcServerTest, AnswersAndPassesTypedErrors) {
  Start();
  kv::v1::GetResponse response;
  ASSERT_TRUE(Get("k", &response).ok());
  EXPECT_EQ(response.value(), "value of k");
  grpc::ClientContext context;
  kv::v1::DeleteResponse deleted;
  const absl::Status status = FromGrpc(stub_->Delete(&context, {}, &deleted));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(status), kv::v1::REASON_NOT_LEADER);
  EXPECT_EQ(OutcomeOf(status), kv::v1::OUTCOME_NOT_DONE);
  grpc::ClientContext admin_context;
  kv::v1::InitResponse init;
  ASSERT_TRUE(kv::v1::Admin::NewStub(channel_)->Init(&admin_context, {}, &init).ok());
  EXPECT_EQ(init.cluster_id(), "c1");
}

TEST_F(GrpcServerTest, ServesManyCallsAtOnceFromAnotherThread) {
  std::vector<std::thread> repliers;
  Mutex mutex;
  key_value_.get = [&](const auto&, const auto& request, auto reply) {
    MutexLock lock(&mutex);
    repliers.emplace_back([key = request.key(), done = std::move(reply)]() mutable {
      kv::v1::GetResponse response;
      response.set_value(key);
      done(std::move(response));
    });
  };
  GrpcServerOptions options;
  options.polling_threads = 2;
  options.accepts_per_method = 2;
  Start(options);
  std::vector<std::thread> clients;
  std::atomic<int> right{0};
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&, i] {
      for (int n = 0; n < 50; ++n) {
        const std::string key = fmt::format("{}-{}", i, n);
        kv::v1::GetResponse response;
        if (Get(key, &response).ok() && response.value() == key) ++right;
      }
    });
  }
  for (auto& client : clients) client.join();
  {
    // The last reply may be there before its thread is in the list.
    MutexLock lock(&mutex);
    clients.swap(repliers);
  }
  for (auto& replier : clients) replier.join();
  EXPECT_EQ(right.load(), 400);
}

TEST_F(GrpcServerTest, DeadlineIsTheEarlierOfHeaderAndGrpc) {
  MonotonicTime deadline;
  MonotonicTime arrived;
  key_value_.get = [&](const CallContext& context, const auto&, auto reply) {
    deadline = context.deadline;
    arrived = clock_.Now();
    reply(kv::v1::GetResponse());
  };
  Start();
  const auto expect = [&](seconds expected, seconds header_timeout, seconds grpc_timeout) {
    SCOPED_TRACE(expected.count());
    const MonotonicTime begin = clock_.Now();
    grpc::ClientContext context;
    if (grpc_timeout.count() != 0) {
      context.set_deadline(std::chrono::system_clock::now() + grpc_timeout);
    }
    kv::v1::GetRequest request;
    request.mutable_header()->set_timeout_ms(
        static_cast<uint32_t>(milliseconds(header_timeout).count()));
    kv::v1::GetResponse response;
    ASSERT_TRUE(stub_->Get(&context, request, &response).ok());
    // Counted from some moment between these two, however far apart they are; less a little, so
    // that the answer comes before gRPC gives up; and gRPC rounds up on the way.
    EXPECT_GE(deadline, begin + expected - milliseconds(200));
    EXPECT_LE(deadline, arrived + expected + seconds(1));
  };
  expect(seconds(5), seconds(0), seconds(0));
  expect(seconds(30), seconds(30), seconds(0));
  expect(seconds(30), seconds(30), seconds(90));
  expect(seconds(60), seconds(300), seconds(60));
}

TEST_F(GrpcServerTest, BatchesAndIncrementsPassThrough) {
  Start();
  grpc::ClientContext context;
  kv::v1::BatchRequest request;
  request.add_operations()->mutable_get()->set_key("a");
  request.add_operations()->mutable_get()->set_key("b");
  kv::v1::BatchResponse response;
  ASSERT_TRUE(stub_->Batch(&context, request, &response).ok());
  ASSERT_EQ(response.results_size(), 2);
  EXPECT_EQ(response.results(1).value(), "value of b");

  grpc::ClientContext another;
  kv::v1::IncrementRequest increment;
  increment.set_delta(-7);
  kv::v1::IncrementResponse sum;
  ASSERT_TRUE(stub_->Increment(&another, increment, &sum).ok());
  EXPECT_EQ(sum.value(), -7);
}

TEST_F(GrpcServerTest, DroppedReplyIsStillAnAnswer) {
  key_value_.put = [](const auto&, const auto&, auto reply) { auto dropped = std::move(reply); };
  key_value_.get = [](const auto&, const auto&, auto reply) { auto dropped = std::move(reply); };
  Start();
  const absl::Status put = Put("v");
  EXPECT_EQ(ReasonOf(put), kv::v1::REASON_SHUTTING_DOWN);
  EXPECT_EQ(OutcomeOf(put), kv::v1::OUTCOME_UNKNOWN);
  kv::v1::GetResponse response;
  EXPECT_EQ(OutcomeOf(Get("k", &response)), kv::v1::OUTCOME_NOT_DONE);
}

TEST_F(GrpcServerTest, RefusesBeyondItsBoundAndRecovers) {
  std::promise<Reply<kv::v1::PutResponse>> held;
  key_value_.put = [&](const auto&, const kv::v1::PutRequest& request, auto reply) {
    if (request.value() != "first") {
      reply(kv::v1::PutResponse());
      return;
    }
    held.set_value(std::move(reply));
  };
  GrpcServerOptions options;
  options.limits.writes.requests_max = 1;
  Start(options);
  auto first = std::async(std::launch::async, [&] { return Put("first"); });
  auto reply = held.get_future().get();
  const absl::Status refused = Put("second");
  EXPECT_EQ(ReasonOf(refused), kv::v1::REASON_QUEUE_FULL);
  EXPECT_EQ(OutcomeOf(refused), kv::v1::OUTCOME_NOT_DONE);
  EXPECT_GT(DetailOf(refused)->retry_delay_ms(), 0U);
  kv::v1::GetResponse response;
  EXPECT_TRUE(Get("k", &response).ok()) << "writes must not hold up reads";
  reply(kv::v1::PutResponse());
  EXPECT_TRUE(first.get().ok());
  absl::Status after;
  Await([&] {
    after = Put("third");
    return after.ok();
  });
  EXPECT_TRUE(after.ok()) << after;
}

TEST_F(GrpcServerTest, RefusesBeyondItsBoundOfBytes) {
  std::promise<Reply<kv::v1::PutResponse>> held;
  key_value_.put = [&](const auto&, const auto&, auto reply) { held.set_value(std::move(reply)); };
  GrpcServerOptions options;
  options.limits.writes.bytes_max = 1000;
  Start(options);
  auto first = std::async(std::launch::async, [&] { return Put(std::string(5000, 'x')); });
  auto reply = held.get_future().get();  // alone, it passes though larger than the bound
  EXPECT_EQ(ReasonOf(Put("y")), kv::v1::REASON_QUEUE_FULL);
  reply(kv::v1::PutResponse());
  EXPECT_TRUE(first.get().ok());
}

TEST_F(GrpcServerTest, ShedsWhileMemoryIsShortAndAsksForItBack) {
  std::atomic<size_t> memory{0};
  std::atomic<int> asked{0};
  GrpcServerOptions options;
  options.limits.memory_bytes_max = 1000;
  options.memory_bytes = [&] { return memory.load(); };
  options.return_memory = [&] { ++asked; };
  Start(options);
  EXPECT_TRUE(Put("v").ok());
  const auto await_put = [&](kv::v1::Reason reason) {
    absl::Status status;
    EXPECT_TRUE(Await([&] {
      status = Put("v");
      return ReasonOf(status) == reason;
    })) << status;
    return status;
  };
  memory = 850;
  const absl::Status refused = await_put(kv::v1::REASON_MEMORY_PRESSURE);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(OutcomeOf(refused), kv::v1::OUTCOME_NOT_DONE);
  EXPECT_GT(DetailOf(refused)->retry_delay_ms(), 0U);
  kv::v1::GetResponse response;
  EXPECT_TRUE(Get("k", &response).ok()) << "reads go on";
  EXPECT_GT(asked.load(), 0);
  memory = 100;
  EXPECT_TRUE(await_put(kv::v1::REASON_UNSPECIFIED).ok());
}

TEST_F(GrpcServerTest, ClosesConnectionsAboveTheirBound) {
  GrpcServerOptions options;
  options.connections_max = 2;
  Start(options);
  const auto get = [&](const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    kv::v1::GetResponse response;
    return FromGrpc(kv::v1::KeyValue::NewStub(channel)->Get(&context, {}, &response));
  };
  const auto new_channel = [&] {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(fmt::format("127.0.0.1:{}", server_->port()),
                                     grpc::InsecureChannelCredentials(), arguments);
  };
  EXPECT_TRUE(get(channel_).ok());
  auto second = new_channel();
  EXPECT_TRUE(get(second).ok());
  EXPECT_EQ(server_->connections(), 2U);
  EXPECT_EQ(get(new_channel()).code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(get(channel_).ok()) << "those there are stay";
  second.reset();
  absl::Status status;
  Await([&] {
    status = get(new_channel());
    return status.ok();
  });
  EXPECT_TRUE(status.ok()) << "a place became free: " << status;
}

TEST_F(GrpcServerTest, ScanOfASlowReaderIsCutOff) {
  key_value_.scan = [&](const auto&, const auto&, auto reply) {
    kv::v1::ScanResponse page;
    page.add_entries()->set_value(std::string(size_t{1} << 20, 'x'));
    page.set_next_page_token("more");
    reply(std::move(page));
  };
  GrpcServerOptions options;
  options.slow_reader_timeout = seconds(2);  // the reader gets its first part in that time
  Start(options);
  grpc::ClientContext context;
  auto reader = stub_->Scan(&context, {});
  kv::v1::ScanResponse page;
  ASSERT_TRUE(reader->Read(&page));
  EXPECT_TRUE(AwaitIdle()) << "it still holds a page for a reader that sleeps";
  while (reader->Read(&page)) {
  }
  EXPECT_EQ(FromGrpc(reader->Finish()).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(GrpcServerTest, UnreadAnswerIsDropped) {
  key_value_.get = [](const auto&, const auto&, auto reply) {
    kv::v1::GetResponse response;
    response.set_value(std::string(size_t{8} << 20, 'x'));
    reply(std::move(response));
  };
  GrpcServerOptions options;
  options.slow_reader_timeout = seconds(2);  // the reader gets its first part in that time
  Start(options);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  auto call = stub_->PrepareAsyncGet(&context, {}, &queue);
  call->StartCall();
  call->ReadInitialMetadata(nullptr);  // and nothing else
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_TRUE(AwaitIdle());
  kv::v1::GetResponse response;
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
}

TEST_F(GrpcServerTest, TakesLargeMessagesAndRefusesLargerOnes) {
  Start();
  EXPECT_TRUE(Put(std::string(size_t{17} << 20, 'x')).ok());
  EXPECT_EQ(Put(std::string(size_t{21} << 20, 'x')).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(GrpcServerTest, ScanStreamsAllPages) {
  ServeNumbers(1000, 10);
  Start();
  const ScanResult all = Scan({});
  EXPECT_TRUE(all.status.ok()) << all.status;
  EXPECT_EQ(all.messages, 100);
  ASSERT_EQ(all.keys.size(), 1000U);
  EXPECT_EQ(all.keys.back(), "999");
}

TEST_F(GrpcServerTest, ScanHonoursLimitAndSinglePage) {
  ServeNumbers(100, 10);
  Start();
  kv::v1::ScanRequest request;
  request.set_limit(25);
  EXPECT_EQ(Scan(request).keys.size(), 25U);
  request.set_limit(20);  // ends exactly with a page
  pages_ = 0;
  EXPECT_EQ(Scan(request).keys.size(), 20U);
  EXPECT_EQ(pages_.load(), 2);
  request.set_limit(0);
  request.set_single_page(true);
  EXPECT_EQ(Scan(request).keys.size(), 10U);
}

TEST_F(GrpcServerTest, ScanEndsWithThePagesError) {
  key_value_.scan = [&](const auto&, const auto&, auto reply) {
    if (++pages_ == 3) {
      reply(MakeError(kv::v1::REASON_NO_LEADER, kv::v1::OUTCOME_NOT_DONE, "no leader"));
      return;
    }
    kv::v1::ScanResponse page;
    page.set_next_page_token("more");
    reply(std::move(page));
  };
  Start();
  const ScanResult result = Scan({});
  EXPECT_EQ(result.messages, 2);
  EXPECT_EQ(ReasonOf(result.status), kv::v1::REASON_NO_LEADER);
}

TEST_F(GrpcServerTest, SlowReaderSlowsTheScanAndALeavingOneEndsIt) {
  key_value_.scan = [&](const auto&, const auto&, auto reply) {
    ++pages_;
    kv::v1::ScanResponse page;
    page.add_entries()->set_value(std::string(size_t{1} << 20, 'x'));
    page.set_next_page_token("more");
    reply(std::move(page));
  };
  Start();
  grpc::ClientContext context;
  auto reader = stub_->Scan(&context, {});
  kv::v1::ScanResponse page;
  ASSERT_TRUE(reader->Read(&page));
  // Long enough for thousands of pages of a scan that nothing slows.
  std::this_thread::sleep_for(milliseconds(300));
  context.TryCancel();
  EXPECT_FALSE(reader->Finish().ok());
  EXPECT_TRUE(AwaitIdle());
  EXPECT_LT(pages_.load(), 30) << "pages are produced though nobody reads";
}

TEST_F(GrpcServerTest, HealthFollowsServing) {
  Start();
  const auto stub = grpc::health::v1::Health::NewStub(channel_);
  const auto check = [&](const std::string& service) {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    grpc::health::v1::HealthCheckResponse response;
    const grpc::Status status = stub->Check(&context, request, &response);
    return status.ok() ? static_cast<int>(response.status()) : -status.error_code();
  };
  EXPECT_EQ(check(""), grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  server_->SetServing(true);
  EXPECT_EQ(check(""), grpc::health::v1::HealthCheckResponse::SERVING);
  EXPECT_EQ(check("kv.v1.KeyValue"), grpc::health::v1::HealthCheckResponse::SERVING);
  EXPECT_EQ(check("kv.v1.Admin"), grpc::health::v1::HealthCheckResponse::SERVING);
  EXPECT_EQ(check("other"), -grpc::StatusCode::NOT_FOUND);
}

// As in a test of an application, which has a server of its own.
TEST_F(GrpcServerTest, AnotherServerMayComeFirst) {
  grpc::ServerBuilder builder;
  const auto queue = builder.AddCompletionQueue();
  const auto another = builder.BuildAndStart();
  Start();
  kv::v1::GetResponse response;
  EXPECT_TRUE(Get("a", &response).ok());
  another->Shutdown();
  queue->Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) {
  }
}

TEST_F(GrpcServerTest, TakenPortIsNamed) {
  Start();
  GrpcServerOptions options;
  options.listen = fmt::format("127.0.0.1:{}", server_->port());
  const auto second = GrpcServer::Start(options, &clock_, &key_value_, &admin_);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(fmt::format("port {} is taken", server_->port())));
}

TEST_F(GrpcServerTest, DrainLetsRequestsInFlightFinish) {
  std::promise<Reply<kv::v1::PutResponse>> held;
  key_value_.put = [&](const auto&, const auto&, auto reply) { held.set_value(std::move(reply)); };
  Start();
  auto put = std::async(std::launch::async, [&] { return Put("v"); });
  auto reply = held.get_future().get();
  auto drained = std::async(std::launch::async, [&] { server_->Drain(kPatience); });
  EXPECT_EQ(drained.wait_for(milliseconds(100)), std::future_status::timeout);
  reply(kv::v1::PutResponse());
  EXPECT_TRUE(put.get().ok());
  EXPECT_EQ(drained.wait_for(kPatience), std::future_status::ready);
  kv::v1::GetResponse response;
  EXPECT_EQ(Get("k", &response).code(), absl::StatusCode::kUnavailable);
}

TEST_F(GrpcServerTest, DrainIsBoundedAndALateReplyIsHarmless) {
  std::promise<Reply<kv::v1::PutResponse>> held;
  key_value_.put = [&](const auto&, const auto&, auto reply) { held.set_value(std::move(reply)); };
  Start();
  auto put = std::async(std::launch::async, [&] { return Put("v"); });
  auto reply = held.get_future().get();
  const auto begin = std::chrono::steady_clock::now();
  server_->Drain(milliseconds(200));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::cout << "drained in " << took.count() << " s\n";
  EXPECT_LT(took, seconds(10)) << "it waits for a reply that does not come";
  EXPECT_FALSE(put.get().ok());
  reply(kv::v1::PutResponse());
  server_.reset();
}

}  // namespace
}  // namespace quorate
