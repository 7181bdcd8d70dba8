#include "client/src/batch_share.h"

#include <string>

#include "client/src/convert.h"
#include "proto/error_detail.h"

namespace quorate::client {

absl::Status StatusOf(const kv::v1::BatchResult& result) {
  if (result.code() == 0) {
    return absl::OkStatus();
  }
  if (result.has_error()) {
    return MakeError(result.error(), result.message());
  }
  return {static_cast<absl::StatusCode>(result.code()), result.message()};
}

void Fill(const kv::v1::ConsistencyReceipt& receipt, kv::v1::BatchResult&& from,
          BatchOperationResult* to) {
  to->version = VersionOf(from.version()).value_or(Version{});
  to->value = std::move(*from.mutable_value());
  to->existed = from.existed();
  to->number = from.number();
  kv::v1::ResponseHeader header;
  header.mutable_receipt()->set_served_by(from.served_by());
  header.mutable_receipt()->set_node_id(receipt.node_id());
  header.mutable_receipt()->set_linearizable(true);
  to->receipt = ReceiptOf(header);
  to->current_version = VersionOf(from.error().current_version());
}

BatchShare::BatchShare(std::shared_ptr<CoreParts> parts, OperationSpec spec,
                       std::shared_ptr<BatchCall> call, const std::vector<size_t>& positions)
    : Operation(std::move(parts), std::move(spec)), call_(std::move(call)) {
  for (const size_t position : positions) {
    left_.push_back({.position = position,
                     .write = call_->operation(position).kind != BatchOperation::Kind::kGet});
  }
}

void BatchShare::Send(const Target& target, const Stamp& stamp, MonotonicTime deadline) {
  call_->Enqueue({.share = std::static_pointer_cast<BatchShare>(shared_from_this()),
                  .target = target,
                  .stamp = stamp,
                  .deadline = deadline});
}

void BatchShare::AddTo(const Stamp& stamp, kv::v1::BatchRequest* request) {
  for (const Item& item : left_) {
    kv::v1::BatchOperation* const operation = request->add_operations();
    ToWire(call_->operation(item.position), operation);
    BatchOperationResult& result = call_->result(item.position);
    ++result.attempts;
    if (item.write && stamp.request_id) {
      result.request_id = stamp.request_id;
      result.request_id->sequence += item.position;
      operation->set_sequence(result.request_id->sequence);
    }
  }
}

void BatchShare::OnFailed(const Target& target, const absl::Status& status) {
  for (Item& item : left_) {
    item.maybe_applied |= EndOf(status, item.write, true, item.maybe_applied).maybe_applied;
  }
  OnAttemptEnd(target, status);
}

bool BatchShare::Take(Item& item, const kv::v1::ConsistencyReceipt& receipt,
                      kv::v1::BatchResult& result, absl::Status* failure) {
  const absl::Status status = StatusOf(result);
  BatchOperationResult& to = call_->result(item.position);
  if (status.ok()) {
    Fill(receipt, std::move(result), &to);
    return true;
  }
  const AttemptEnd end = EndOf(status, item.write, true, item.maybe_applied);
  const Decision decision = Decide(end);
  item.maybe_applied |= end.maybe_applied;
  const bool ends =
      decision.action == Action::kGiveUp && end.reason != kv::v1::REASON_ANSWER_TOO_LARGE;
  if (!ends) {
    if (failure->ok()) {
      *failure = status;
    }
    return false;
  }
  Fill(receipt, std::move(result), &to);
  to.status = status;
  to.reason = PublicReason(status);
  const bool unknown = item.maybe_applied && !decision.settles_earlier_attempts;
  to.outcome = unknown ? Outcome::kUnknown : Outcome::kNotDone;
  return true;
}

void BatchShare::OnResults(const Target& target, const kv::v1::ConsistencyReceipt& receipt,
                           google::protobuf::RepeatedPtrField<kv::v1::BatchResult>* results,
                           int* next) {
  absl::Status failure;
  std::vector<Item> left;
  for (Item& item : left_) {
    if (!Take(item, receipt, *results->Mutable((*next)++), &failure)) {
      left.push_back(item);
    }
  }
  left_ = std::move(left);
  if (ReasonOf(failure) == kv::v1::REASON_ANSWER_TOO_LARGE) {
    // Each answer holds at least one value, so this ends.
    OnPartlyServed(target);
  } else {
    OnAttemptEnd(target, failure);
  }
}

void BatchShare::Finish(Ended ended) {
  for (const Item& item : left_) {
    BatchOperationResult& to = call_->result(item.position);
    to.reason = ended.reason;
    to.outcome = item.maybe_applied ? Outcome::kUnknown : Outcome::kNotDone;
    to.status = ended.status;
    if (ended.outcome == Outcome::kUnknown && !item.maybe_applied) {
      to.status = absl::Status(ended.status.code(),
                               "nothing was applied; the call ended while other "
                               "operations of the batch were under way");
    }
  }
  call_->OnShareEnd();
}

}  // namespace quorate::client
