#include "client/src/grpc_call.h"

#include <algorithm>

#include "fmt/format.h"

namespace quorate::client {
namespace {

// Relative to gRPC's own monotonic clock, so that a jump of the wall clock changes nothing.
gpr_timespec FromNow(Duration left) {
  return gpr_time_from_nanos(std::max<int64_t>(left.count(), 0), GPR_TIMESPAN);
}

// A call that waits for its channel looks this often whether it was cancelled.
constexpr Duration kConnectWait = std::chrono::milliseconds(100);

}  // namespace

bool GrpcCall::Begin(grpc::CompletionQueue* queue, MonotonicTime now, absl::Status* failure) {
  if (cancelled_.load()) {
    *failure = NeverSent("the client was closed");
    return false;
  }
  const Duration left = deadline_ - now;
  if (left <= Duration::zero()) {
    *failure = NeverSent("no connection in time");
    return false;
  }
  const grpc_connectivity_state state = node_->channel->GetState(/*try_to_connect=*/true);
  switch (state) {
    case GRPC_CHANNEL_READY:
      started_ = true;
      context_.set_deadline(FromNow(left));
      Start(queue);
      return true;
    case GRPC_CHANNEL_TRANSIENT_FAILURE:
    case GRPC_CHANNEL_SHUTDOWN:
      *failure = NeverSent("cannot connect");
      return false;
    default:
      node_->channel->NotifyOnStateChange(state, FromNow(std::min(left, kConnectWait)), queue,
                                          tag());
      return true;
  }
}

bool GrpcCall::Advance(grpc::CompletionQueue* queue, bool ok, MonotonicTime now,
                       absl::Status* failure) {
  return started_ ? Proceed(ok) : Begin(queue, now, failure);
}

void GrpcScanCall::Start(grpc::CompletionQueue* queue) {
  // Prepared first: the event of a call that is started may come before its reader is returned.
  reader_ = node().key_value->PrepareAsyncScan(context(), request_, queue);
  reader_->StartCall(tag());
}

bool GrpcScanCall::Proceed(bool ok) {
  switch (step_) {
    case Step::kStarting:
      if (ok) {
        step_ = Step::kReading;
        reader_->Read(&response_, tag());
        return true;
      }
      step_ = Step::kFinishing;
      reader_->Finish(&status_, tag());
      return true;
    case Step::kReading:
      got_page_ = ok;
      step_ = Step::kFinishing;
      reader_->Finish(&status_, tag());
      return true;
    case Step::kFinishing:
      break;
  }
  return false;
}

void GrpcScanCall::Deliver(const absl::Status& failure) {
  if (!failure.ok()) {
    done_(failure);
  } else if (!status_.ok()) {
    done_(FromGrpc(status_));
  } else if (!got_page_) {
    done_(absl::InternalError("the scan ended without a page"));
  } else {
    done_(std::move(response_));
  }
}

}  // namespace quorate::client
