// KeyValue.Scan: a server stream made of pages.
#ifndef SERVER_SERVICE_GRPC_SCAN_CALL_H_
#define SERVER_SERVICE_GRPC_SCAN_CALL_H_

#include <grpcpp/support/async_stream.h>

#include <atomic>
#include <functional>
#include <optional>

#include "server/service/grpc_call.h"

namespace quorate {

// See GrpcUnaryMethod.
struct GrpcScanMethod {
  using Writer = grpc::ServerAsyncWriter<kv::v1::ScanResponse>;
  std::function<void(grpc::ServerContext*, kv::v1::ScanRequest*, Writer*, void* tag)> accept;
  std::function<void(const CallContext&, const kv::v1::ScanRequest&, Reply<kv::v1::ScanResponse>)>
      serve_page;
  RequestMethodMetrics* metrics = nullptr;  // null: not observed; each page is a request
};

// Asks for a page, writes it, and asks for the next one only when the network has taken it: a slow
// reader slows its own scan and holds one page of memory, which is charged to the admission for as
// long as the scan lives. A client that went away fails the write, which ends the scan; one that
// does not take a page for too long is cut off (PendingWrites).
//
// Owns itself, as GrpcUnaryCall. A step is over when both the service has returned and the network
// has taken the page; steps never overlap.
class GrpcScanCall final : public GrpcTag, public PendingWrites::Write {
 public:
  static void Accept(const GrpcScanMethod* method, const GrpcCallEnvironment& environment);

  void Proceed(bool ok) override;
  void CutOff() override { BreakOffUnread(server_context_); }

  // For GrpcReplyOnce. Any thread.
  void Reply(absl::StatusOr<kv::v1::ScanResponse> page);
  [[nodiscard]] static bool writes() { return false; }

 private:
  GrpcScanCall(const GrpcScanMethod* method, const GrpcCallEnvironment& environment);
  ~GrpcScanCall();
  void End();

  void Begin();
  void AskForPages();
  void AskForPage();
  void Observe(const absl::Status& status);
  // Called by both holders of a step. True for the one that is to ask for the next page; after
  // false the call may be gone.
  bool EndOfStep();

  const GrpcScanMethod* const method_;
  const GrpcCallEnvironment environment_;
  grpc::ServerContext server_context_;
  kv::v1::ScanRequest request_;
  grpc::ServerAsyncWriter<kv::v1::ScanResponse> writer_;
  RequestObservation observation_;  // of the present page
  bool accepted_ = false;
  bool admitted_ = false;
  bool finished_ = false;  // the stream's end has been given to gRPC
  bool client_is_gone_ = false;
  size_t charged_bytes_ = 0;
  // Of the whole scan; without one each page has kPageTimeout.
  std::optional<MonotonicTime> deadline_;
  // Where the next page starts; set by Reply for the next step.
  std::string next_page_token_;
  uint64_t next_limit_ = 0;
  std::atomic<int> holders_{0};
};

}  // namespace quorate

#endif  // SERVER_SERVICE_GRPC_SCAN_CALL_H_
