// What kvbench measures: servers of one kind, and how one operation is asked of them.
#ifndef TOOLS_KVBENCH_TARGET_GRPC_H_
#define TOOLS_KVBENCH_TARGET_GRPC_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/kvbench/options.h"

namespace quorate::kvbench {

// Of one attempt.
enum class Outcome : uint8_t {
  kDone,
  kTryAgain,  // not now, or not this server: the next attempt may go elsewhere
  kFailed,
};

// One request at a time, again and again. Its memory is reused, as a program would that cares.
class Operation {
 public:
  Operation() = default;
  virtual ~Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  // Sends the request for this key; `tag` arrives at the queue when the answer has. A repeated one
  // is the same write again and not a new one.
  virtual void Start(size_t key, bool repeated, grpc::CompletionQueue* queue, void* tag) = 0;
  // After the tag: how it ended.
  virtual Outcome End() = 0;
  // Why the last attempt was not done.
  [[nodiscard]] virtual std::string error() const = 0;
};

// Outlives its operations. Not for several threads.
class Target {
 public:
  Target() = default;
  virtual ~Target() = default;
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  // `client` is the number of the one of Options.clients that will use it.
  virtual std::unique_ptr<Operation> NewOperation(OperationKind kind, size_t client) = 0;
};

// Connects; an error says which server or keyspace is not there.
absl::StatusOr<std::unique_ptr<Target>> ConnectQuorate(const Options& options);
absl::StatusOr<std::unique_ptr<Target>> ConnectEcho(const Options& options);
absl::StatusOr<std::unique_ptr<Target>> ConnectEtcd(const Options& options);
absl::StatusOr<std::unique_ptr<Target>> Connect(const Options& options);

// ---- For the targets.

// 16 bytes each.
[[nodiscard]] std::string KeyName(size_t number);
// The connections to one server.
[[nodiscard]] std::vector<std::shared_ptr<grpc::Channel>> OpenChannels(const std::string& address,
                                                                       size_t count);
// For questions asked before the measurement.
void SetDeadline(grpc::ClientContext* context, std::chrono::seconds timeout);
// Servers say these when they cannot take a request now, or took too long: the same request may be
// sent again, since writes carry an id or the same value.
[[nodiscard]] bool IsTransient(const grpc::Status& status);

// The same for all targets, so that what differs is the server.
template <class Stub, class Request, class Response>
class UnaryOperation : public Operation {
 public:
  using Reader = grpc::ClientAsyncResponseReader<Response>;
  using Method = std::unique_ptr<Reader> (Stub::*)(grpc::ClientContext*, const Request&,
                                                   grpc::CompletionQueue*);

  explicit UnaryOperation(Method method) : method_(method) {}

  [[nodiscard]] std::string error() const override { return status_.error_message(); }

 protected:
  void Send(Stub* stub, const Request& request, grpc::CompletionQueue* queue, void* tag) {
    constexpr std::chrono::seconds kTimeout{10};
    reader_.reset();
    context_.emplace();
    SetDeadline(&*context_, kTimeout);
    reader_ = (stub->*method_)(&*context_, request, queue);
    reader_->Finish(&response_, &status_, tag);
  }
  [[nodiscard]] const grpc::Status& status() const { return status_; }
  [[nodiscard]] const Response& response() const { return response_; }

 private:
  const Method method_;
  std::optional<grpc::ClientContext> context_;
  std::unique_ptr<Reader> reader_;
  Response response_;
  grpc::Status status_;
};

}  // namespace quorate::kvbench

#endif  // TOOLS_KVBENCH_TARGET_GRPC_H_
