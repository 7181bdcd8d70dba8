#include "server/service/grpc_scan_call.h"

#include <algorithm>

#include "kv/v1/key_value.grpc.pb.h"

namespace quorate {
namespace {

constexpr Duration kPageTimeout = std::chrono::seconds(5);
constexpr size_t kDefaultPageBytes = size_t{1} << 20;
constexpr size_t kPageBytesMax = size_t{4} << 20;

}  // namespace

void GrpcScanCall::Accept(const GrpcScanMethod* method, const GrpcCallEnvironment& environment) {
  auto* call = new GrpcScanCall(method, environment);
  method->accept(&call->server_context_, &call->request_, &call->writer_, call);
}

GrpcScanCall::GrpcScanCall(const GrpcScanMethod* method, const GrpcCallEnvironment& environment)
    : method_(method), environment_(environment), writer_(&server_context_) {
  environment_.work->Begin();
}

GrpcScanCall::~GrpcScanCall() {
  if (admitted_) environment_.admission->Leave(RequestKind::kScan, charged_bytes_);
}

void GrpcScanCall::End() {
  GrpcWork* const work = environment_.work;
  delete this;
  work->End();
}

void GrpcScanCall::Proceed(bool ok) {
  if (accepted_) {
    environment_.writes->End(this);
    client_is_gone_ = !ok;
    if (EndOfStep()) AskForPages();
    return;
  }
  if (!ok) {
    End();
    return;
  }
  accepted_ = true;
  Accept(method_, environment_);
  Begin();
}

void GrpcScanCall::Begin() {
  const size_t page_bytes =
      request_.page_bytes() == 0 ? kDefaultPageBytes : size_t{request_.page_bytes()};
  charged_bytes_ = request_.ByteSizeLong() + std::min(page_bytes, kPageBytesMax);
  const absl::Status admission = environment_.admission->Enter(RequestKind::kScan, charged_bytes_);
  admitted_ = admission.ok();
  if (!admitted_) {
    observation_.Begin(method_->metrics, &request_.header(), environment_.clock->Now());
    Observe(admission);
    holders_.store(1);
    finished_ = true;
    environment_.writes->Begin(this);
    writer_.Finish(ToGrpc(admission), this);
    return;
  }
  deadline_ = ExplicitDeadline(server_context_, &request_.header(), environment_.clock->Now());
  AskForPages();
}

void GrpcScanCall::AskForPages() {
  do {
    AskForPage();
  } while (EndOfStep());
}

void GrpcScanCall::AskForPage() {
  holders_.store(2);
  observation_.Begin(method_->metrics, &request_.header(), environment_.clock->Now());
  CallContext context;
  context.deadline = deadline_.value_or(environment_.clock->Now() + kPageTimeout);
  context.trace_id = request_.header().trace().trace_id();
  method_->serve_page(context, request_, GrpcReplyOnce<GrpcScanCall, kv::v1::ScanResponse>(this));
}

void GrpcScanCall::Observe(const absl::Status& status) {
  observation_.End(status, *environment_.clock, [this] {
    return RequestDescription{.peer = server_context_.peer(), .header = &request_.header()};
  });
}

void GrpcScanCall::Reply(absl::StatusOr<kv::v1::ScanResponse> page) {
  Observe(page.status());
  environment_.writes->Begin(this);
  if (!page.ok()) {
    finished_ = true;
    writer_.Finish(ToGrpc(page.status()), this);
    return;
  }
  const auto entries = static_cast<uint64_t>(page->entries_size());
  const bool limit_reached = request_.limit() != 0 && entries >= request_.limit();
  if (page->next_page_token().empty() || request_.single_page() || limit_reached) {
    finished_ = true;
    writer_.WriteAndFinish(*page, grpc::WriteOptions(), grpc::Status::OK, this);
    return;
  }
  // The service may still be reading the request: changed only at the end of the step.
  next_page_token_ = page->next_page_token();
  next_limit_ = request_.limit() == 0 ? 0 : request_.limit() - entries;
  writer_.Write(*page, this);
}

bool GrpcScanCall::EndOfStep() {
  if (holders_.fetch_sub(1, std::memory_order_acq_rel) != 1) return false;
  if (finished_) {
    End();
    return false;
  }
  if (client_is_gone_) {
    holders_.store(1);
    finished_ = true;
    environment_.writes->Begin(this);
    writer_.Finish(grpc::Status::CANCELLED, this);
    return false;
  }
  request_.set_page_token(std::move(next_page_token_));
  request_.set_limit(next_limit_);
  return true;
}

}  // namespace quorate
