#include "client/src/batch_call.h"

#include <algorithm>

#include "client/src/batch_share.h"
#include "client/src/call.h"
#include "client/src/convert.h"
#include "fmt/format.h"
#include "proto/error_detail.h"

namespace quorate::client {
namespace {

bool Writes(const BatchOperations& operations) {
  return std::any_of(operations.all().begin(), operations.all().end(), [](const auto& operation) {
    return operation.kind != BatchOperation::Kind::kGet;
  });
}

// It could not be done, whatever the others of its atomic batch.
bool IsCulprit(const BatchOperationResult& result) {
  const kv::v1::Reason reason = ReasonOf(result.status);
  return reason == kv::v1::REASON_CONDITION_FALSE || reason == kv::v1::REASON_NOT_A_NUMBER ||
         reason == kv::v1::REASON_NUMBER_OVERFLOW;
}

// The whole's outcome from the operations'.
void Summarise(BatchResult* result) {
  const BatchOperationResult* worst = nullptr;
  for (const BatchOperationResult& each : result->operations) {
    result->attempts = std::max(result->attempts, each.attempts);
    const bool matters = !each.ok() && each.reason != Reason::kKeyNotFound;
    if (matters && (worst == nullptr ||
                    (each.outcome == Outcome::kUnknown && worst->outcome != Outcome::kUnknown))) {
      worst = &each;
    }
  }
  if (worst != nullptr) {
    result->status = worst->status;
    result->outcome = worst->outcome;
    result->reason = worst->reason;
  }
}

BatchResult AtomicResultOf(const Ended& ended, size_t count, kv::v1::BatchResponse response) {
  Result whole;
  whole.status = ended.status;
  whole.outcome = ended.outcome;
  whole.reason = ended.reason;
  whole.attempts = ended.attempts;
  BatchResult result = RefusedBatch(count, whole);
  result.request_id = ended.request_id;
  if (!whole.ok()) {
    return result;
  }
  if (static_cast<size_t>(response.results_size()) != count) {
    whole.status = absl::InternalError("the node answered another number of operations");
    whole.outcome = Outcome::kUnknown;
    whole.reason = Reason::kInternal;
    return RefusedBatch(count, whole);
  }
  for (size_t i = 0; i < count; ++i) {
    kv::v1::BatchResult& from = *response.mutable_results(static_cast<int>(i));
    BatchOperationResult& to = result.operations[i];
    to.status = StatusOf(from);
    if (!to.status.ok()) {
      to.outcome = Outcome::kNotDone;
      to.reason = PublicReason(to.status);
    }
    Fill(response.header().receipt(), std::move(from), &to);
  }
  Summarise(&result);
  // Of all that were not applied, the one that could not be says why.
  for (const BatchOperationResult& each : result.operations) {
    if (IsCulprit(each)) {
      result.status = each.status;
      result.reason = each.reason;
      break;
    }
  }
  return result;
}

}  // namespace

absl::Status CheckBatch(const BatchOperations& operations, const BatchOptions& options) {
  const size_t count = operations.all().size();
  if (count == 0 || count > kBatchOperationsMax) {
    return InvalidField("operations",
                        fmt::format("must be 1 to {}, are {}", kBatchOperationsMax, count));
  }
  if (operations.bytes() > kBatchBytesMax) {
    return InvalidField("operations",
                        fmt::format("have {} bytes of keys and values, at most {} fit",
                                    operations.bytes(), kBatchBytesMax));
  }
  if (options.request_id && !options.atomic) {
    return InvalidField("request_id", "names atomic batches only");
  }
  for (size_t i = 0; i < count; ++i) {
    const BatchOperation& operation = operations.all()[i];
    const auto field = [i](const char* name) { return fmt::format("operations[{}].{}", i, name); };
    if (operation.key.empty() || operation.key.size() > kKeyBytesMax) {
      return InvalidField(field("key"), fmt::format("must have 1 to {} bytes, has {}", kKeyBytesMax,
                                                    operation.key.size()));
    }
    if (operation.condition.if_absent && operation.condition.if_version) {
      return InvalidField(field("condition"), "if_absent and if_version exclude each other");
    }
  }
  return absl::OkStatus();
}

BatchResult RefusedBatch(size_t operations, const Result& why) {
  BatchResult result;
  static_cast<Result&>(result) = why;
  result.operations.resize(operations);
  for (BatchOperationResult& each : result.operations) {
    static_cast<Result&>(each) = why;
  }
  return result;
}

void StartAtomicBatch(std::shared_ptr<CoreParts> parts, const std::string& keyspace,
                      const BatchOperations& operations, const BatchOptions& options,
                      MonotonicTime deadline, Handler<BatchResult> handler) {
  kv::v1::BatchRequest request;
  request.mutable_header()->set_keyspace(keyspace);
  request.set_atomic(true);
  for (const BatchOperation& operation : operations.all()) {
    ToWire(operation, request.add_operations());
  }
  OperationSpec spec;
  spec.bytes = operations.bytes();
  spec.scope = Scope::kPartition;
  spec.keyspace = keyspace;
  spec.routing = operations.all().front().key;
  spec.deadline = deadline;
  spec.write = spec.named = Writes(operations);
  if (spec.write) {
    spec.request_id = options.request_id;
    spec.repeats = options.request_id.has_value();
  }
  StartCall<kv::v1::BatchRequest, kv::v1::BatchResponse>(
      std::move(parts), std::move(spec), std::move(request), &Transport::Batch,
      [count = operations.all().size(), handler = std::move(handler)](
          const Ended& ended, kv::v1::BatchResponse response) mutable {
        handler(AtomicResultOf(ended, count, std::move(response)));
      });
}

BatchCall::BatchCall(std::shared_ptr<CoreParts> parts, std::string keyspace,
                     BatchOperations operations, MonotonicTime deadline,
                     Handler<BatchResult> handler)
    : parts_(std::move(parts)),
      keyspace_(std::move(keyspace)),
      operations_(std::move(operations)),
      deadline_(deadline),
      handler_(std::move(handler)) {
  result_.operations.resize(operations_.all().size());
}

void BatchCall::Start() {
  std::map<uint64_t, std::vector<size_t>> positions;
  for (size_t i = 0; i < operations_.all().size(); ++i) {
    Route route;
    // An unknown keyspace is told by the share.
    (void)parts_->router->FindKey(keyspace_, operation(i).key, &route);
    positions[route.group].push_back(i);
  }
  OperationSpec spec;
  spec.scope = Scope::kPartition;
  spec.keyspace = keyspace_;
  spec.deadline = deadline_;
  if (Writes(operations_)) {
    spec.names = operations_.all().size();
    spec.request_id = parts_->ids->Next(parts_->clock->Now(), spec.names);
  }
  std::vector<std::shared_ptr<BatchShare>> shares;
  for (const auto& [group, of_group] : positions) {
    OperationSpec of_share = spec;
    of_share.routing = operation(of_group.front()).key;
    for (size_t position : of_group) {
      of_share.bytes += operation(position).key.size() + operation(position).value.size();
    }
    of_share.write = of_share.named = std::any_of(
        of_group.begin(), of_group.end(),
        [this](size_t position) { return operation(position).kind != BatchOperation::Kind::kGet; });
    shares.push_back(
        std::make_shared<BatchShare>(parts_, std::move(of_share), shared_from_this(), of_group));
  }
  {
    MutexLock lock(&mutex_);
    shares_left_ = shares.size();
  }
  OpenScope();
  for (const auto& share : shares) {
    share->Start();
  }
  CloseScope();
}

void BatchCall::OpenScope() {
  MutexLock lock(&mutex_);
  ++scopes_;
}

void BatchCall::Enqueue(Part part) {
  OpenScope();
  {
    MutexLock lock(&mutex_);
    gathered_.push_back(std::move(part));
  }
  CloseScope();
}

void BatchCall::CloseScope() {
  std::vector<Part> gathered;
  {
    MutexLock lock(&mutex_);
    if (--scopes_ > 0) {
      return;
    }
    gathered.swap(gathered_);
  }
  std::map<std::pair<std::string, uint64_t>, std::vector<Part>> requests;
  for (Part& part : gathered) {
    const uint64_t name = part.stamp.request_id ? part.stamp.request_id->sequence : 0;
    requests[{part.target.address, name}].push_back(std::move(part));
  }
  for (auto& [to, parts] : requests) {
    Send(std::move(parts));
  }
}

void BatchCall::Send(std::vector<Part> parts) {
  kv::v1::BatchRequest request;
  auto* const header = request.mutable_header();
  header->set_keyspace(keyspace_);
  Stamp common = parts.front().stamp;
  MonotonicTime deadline = parts.front().deadline;
  for (const Part& part : parts) {
    // Newer than all that the router knew; a partition that has moved since is newer still.
    common.placement_epoch = std::max(common.placement_epoch, part.stamp.placement_epoch);
    common.timeout_ms = std::min(common.timeout_ms, part.stamp.timeout_ms);
    deadline = std::min(deadline, part.deadline);
    part.share->AddTo(part.stamp, &request);
  }
  header->set_placement_epoch(common.placement_epoch);
  header->set_policy_epoch(common.policy_epoch);
  header->set_timeout_ms(common.timeout_ms);
  if (common.request_id) {
    ToWire(*common.request_id, header->mutable_request_id());
  }
  const std::string address = parts.front().target.address;
  parts_->transport->Batch(address, request, deadline,
                           [self = shared_from_this(), parts = std::move(parts)](
                               absl::StatusOr<kv::v1::BatchResponse> answer) {
                             self->OnAnswer(parts, std::move(answer));
                           });
}

void BatchCall::OnAnswer(const std::vector<Part>& parts,
                         absl::StatusOr<kv::v1::BatchResponse> answer) {
  size_t expected = 0;
  for (const Part& part : parts) {
    expected += part.share->left();
  }
  if (answer.ok() && static_cast<size_t>(answer->results_size()) != expected) {
    answer = absl::InternalError("the node answered another number of operations");
  }
  OpenScope();
  if (answer.ok()) {
    parts_->ids->NoteClusterTime(answer->header().cluster_time_us(), parts_->clock->Now());
  }
  int next = 0;
  for (const Part& part : parts) {
    if (answer.ok()) {
      part.share->OnResults(part.target, answer->header().receipt(), answer->mutable_results(),
                            &next);
    } else {
      part.share->OnFailed(part.target, answer.status());
    }
  }
  CloseScope();
}

void BatchCall::OnShareEnd() {
  {
    MutexLock lock(&mutex_);
    if (--shares_left_ > 0) {
      return;
    }
  }
  Summarise(&result_);
  handler_(std::move(result_));
}

}  // namespace quorate::client
