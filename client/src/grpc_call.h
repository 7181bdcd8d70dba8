// One gRPC request of GrpcTransport, from waiting for its channel to its answer.
#ifndef CLIENT_SRC_GRPC_CALL_H_
#define CLIENT_SRC_GRPC_CALL_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "client/src/transport.h"
#include "kv/v1/admin.grpc.pb.h"
#include "kv/v1/key_value.grpc.pb.h"
#include "proto/error_detail.h"
#include "proto/grpc_status.h"

namespace quorate::client {

struct GrpcNode {
  std::string address;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<kv::v1::KeyValue::Stub> key_value;
  std::unique_ptr<kv::v1::Admin::Stub> admin;
};

// Owned by the transport's table of calls; its address is the completion queue's tag. At most one
// event is pending for it at any time.
class GrpcCall {
 public:
  GrpcCall(std::shared_ptr<GrpcNode> node, MonotonicTime deadline)
      : node_(std::move(node)), deadline_(deadline) {}
  virtual ~GrpcCall() = default;
  GrpcCall(const GrpcCall&) = delete;
  GrpcCall& operator=(const GrpcCall&) = delete;

  // Sends when the channel is connected, waits for it while it connects. True: an event is pending.
  // False: it never left, and why is in *failure.
  bool Begin(grpc::CompletionQueue* queue, MonotonicTime now, absl::Status* failure);
  // An event arrived. True: another one is pending. False: the answer is there, or *failure is set
  // because it never left.
  bool Advance(grpc::CompletionQueue* queue, bool ok, MonotonicTime now, absl::Status* failure);
  // Any thread, while the call exists.
  void Cancel() {
    cancelled_.store(true);
    context_.TryCancel();
  }

  // Hands the answer over, once: `failure` if it never left.
  virtual void Deliver(const absl::Status& failure) = 0;

 protected:
  // Starts the request; an event follows.
  virtual void Start(grpc::CompletionQueue* queue) = 0;
  // An event of the started request. True: another follows.
  virtual bool Proceed(bool ok) = 0;

  [[nodiscard]] void* tag() { return this; }
  [[nodiscard]] GrpcNode& node() { return *node_; }
  [[nodiscard]] grpc::ClientContext* context() { return &context_; }

 private:
  const std::shared_ptr<GrpcNode> node_;
  const MonotonicTime deadline_;
  std::atomic<bool> cancelled_{false};
  bool started_ = false;
  grpc::ClientContext context_;
};

// A request with one answer.
template <class Response, class StartFunction>
class GrpcUnaryCall final : public GrpcCall {
 public:
  GrpcUnaryCall(std::shared_ptr<GrpcNode> node, MonotonicTime deadline, StartFunction start,
                Done<Response> done)
      : GrpcCall(std::move(node), deadline), start_(std::move(start)), done_(std::move(done)) {}

  void Deliver(const absl::Status& failure) override {
    if (!failure.ok()) {
      done_(failure);
    } else if (status_.ok()) {
      done_(std::move(response_));
    } else {
      done_(FromGrpc(status_));
    }
  }

 private:
  void Start(grpc::CompletionQueue* queue) override {
    reader_ = start_(node(), context(), queue);
    reader_->Finish(&response_, &status_, tag());
  }
  bool Proceed(bool /*ok*/) override { return false; }

  StartFunction start_;
  Done<Response> done_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader_;
  Response response_;
  grpc::Status status_;
};

// The first message of a Scan with single_page.
class GrpcScanCall final : public GrpcCall {
 public:
  GrpcScanCall(std::shared_ptr<GrpcNode> node, MonotonicTime deadline, kv::v1::ScanRequest request,
               Done<kv::v1::ScanResponse> done)
      : GrpcCall(std::move(node), deadline), request_(std::move(request)), done_(std::move(done)) {}

  void Deliver(const absl::Status& failure) override;

 private:
  enum class Step : uint8_t { kStarting, kReading, kFinishing };

  void Start(grpc::CompletionQueue* queue) override;
  bool Proceed(bool ok) override;

  const kv::v1::ScanRequest request_;
  Done<kv::v1::ScanResponse> done_;
  Step step_ = Step::kStarting;
  bool got_page_ = false;
  std::unique_ptr<grpc::ClientAsyncReader<kv::v1::ScanResponse>> reader_;
  kv::v1::ScanResponse response_;
  grpc::Status status_;
};

}  // namespace quorate::client

#endif  // CLIENT_SRC_GRPC_CALL_H_
