#include "client/src/grpc_transport.h"

#include <grpcpp/grpcpp.h>

#include <functional>
#include <optional>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "kv/v1/key_value.grpc.pb.h"
#include "proto/error_detail.h"
#include "proto/grpc_status.h"
#include "server/runtime/clock.h"
#include "server/runtime/event_loop.h"
#include "server/runtime/mutex.h"

namespace quorate::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Answers as the test says, on gRPC's threads.
class TestService final : public kv::v1::KeyValue::Service {
 public:
  grpc::Status Get(grpc::ServerContext* context, const kv::v1::GetRequest* request,
                   kv::v1::GetResponse* response) override {
    if (request->key() == "hang") {
      while (!context->IsCancelled()) {
        MutexLock lock(&mutex_);
        never_.WaitFor(&mutex_, milliseconds(5));
      }
      return grpc::Status::CANCELLED;
    }
    if (request->key() == "absent") {
      return ToGrpc(MakeError(kv::v1::REASON_KEY_NOT_FOUND, kv::v1::OUTCOME_NOT_DONE, "absent"));
    }
    response->set_value("value of " + request->key());
    return grpc::Status::OK;
  }

  grpc::Status Scan(grpc::ServerContext* /*context*/, const kv::v1::ScanRequest* request,
                    grpc::ServerWriter<kv::v1::ScanResponse>* writer) override {
    EXPECT_TRUE(request->single_page());
    if (request->prefix() == "bad") {
      return ToGrpc(InvalidField("prefix", "is bad"));
    }
    kv::v1::ScanResponse page;
    page.add_entries()->set_key("a");
    page.set_next_page_token("more");
    writer->Write(page);
    return grpc::Status::OK;
  }

 private:
  Mutex mutex_;
  CondVar never_;
};

class GrpcTransportTest : public testing::Test {
 protected:
  GrpcTransportTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    address_ = fmt::format("127.0.0.1:{}", port);
  }
  ~GrpcTransportTest() override {
    transport_->Shutdown();
    server_->Shutdown(std::chrono::system_clock::now());
  }

  absl::StatusOr<kv::v1::GetResponse> Get(const std::string& key, Duration timeout = seconds(60)) {
    kv::v1::GetRequest request;
    request.set_key(key);
    return Wait<kv::v1::GetResponse>([&](auto done) {
      transport_->Get(address_, request, clock_.Now() + timeout, std::move(done));
    });
  }

  template <class Response>
  absl::StatusOr<Response> Wait(const std::function<void(Done<Response>)>& start) {
    std::optional<absl::StatusOr<Response>> answer;
    start([&](absl::StatusOr<Response> a) {
      MutexLock lock(&mutex_);
      answer = std::move(a);
      answered_.NotifyAll();
    });
    MutexLock lock(&mutex_);
    while (!answer) {
      answered_.Wait(&mutex_);
    }
    return *std::move(answer);
  }

  KernelClock clock_;
  EventLoop poller_{"poller", &clock_};
  std::unique_ptr<GrpcTransport> transport_ = GrpcTransport::Create(&clock_, &poller_);
  TestService service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  Mutex mutex_;
  CondVar answered_;
};

TEST_F(GrpcTransportTest, CarriesAnswersAndTypedErrors) {
  EXPECT_EQ(Get("k")->value(), "value of k");
  const auto absent = Get("absent");
  EXPECT_EQ(ReasonOf(absent.status()), kv::v1::REASON_KEY_NOT_FOUND);
}

TEST_F(GrpcTransportTest, ReadsOnePageOfAScan) {
  const auto scan = [&](const std::string& prefix) {
    return Wait<kv::v1::ScanResponse>([&](auto done) {
      kv::v1::ScanRequest request;
      request.set_prefix(prefix);
      transport_->ScanPage(address_, request, clock_.Now() + seconds(60), std::move(done));
    });
  };
  EXPECT_EQ(scan("a")->next_page_token(), "more");
  EXPECT_EQ(ReasonOf(scan("bad").status()), kv::v1::REASON_INVALID_FIELD);
}

TEST_F(GrpcTransportTest, SentWithoutAnAnswerIsUnknown) {
  // Connected beforehand, and with time to send: without either it would rightly be "never sent".
  ASSERT_TRUE(Get("k").ok());
  const auto answer = Get("hang", seconds(2));
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(OutcomeOf(answer.status()), kv::v1::OUTCOME_UNKNOWN);
}

TEST_F(GrpcTransportTest, NoConnectionMeansNeverSent) {
  server_->Shutdown(std::chrono::system_clock::now());
  const auto answer = Get("k");
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(OutcomeOf(answer.status()), kv::v1::OUTCOME_NOT_DONE);
}

TEST_F(GrpcTransportTest, ConnectsAgainAfterTheNodeIsBack) {
  EXPECT_TRUE(Get("k").ok());
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  while (Get("k").ok()) {
  }
  TestService again;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
  builder.RegisterService(&again);
  server_ = builder.BuildAndStart();
  ASSERT_NE(server_, nullptr);
  const MonotonicTime give_up = clock_.Now() + seconds(60);
  while (!Get("k").ok() && clock_.Now() < give_up) {
  }
  EXPECT_TRUE(Get("k").ok());
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

TEST_F(GrpcTransportTest, ShutdownAnswersWhatIsUnderWayAndRefusesTheRest) {
  kv::v1::GetRequest request;
  request.set_key("hang");
  std::atomic<int> answers{0};
  for (int i = 0; i < 10; ++i) {
    transport_->Get(address_, request, clock_.Now() + seconds(60),
                    [&](const absl::StatusOr<kv::v1::GetResponse>& answer) {
                      EXPECT_FALSE(answer.ok());
                      ++answers;
                    });
  }
  transport_->Shutdown();
  EXPECT_EQ(answers, 10);
  EXPECT_EQ(OutcomeOf(Get("k").status()), kv::v1::OUTCOME_NOT_DONE);
}

}  // namespace
}  // namespace quorate::client
