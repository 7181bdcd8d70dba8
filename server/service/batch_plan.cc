#include "server/service/batch_plan.h"

#include <limits>

#include "absl/container/flat_hash_set.h"
#include "fmt/format.h"
#include "proto/error_detail.h"
#include "server/service/validate.h"

namespace quorate {
namespace {

using kv::v1::BatchOperation;
using kv::v1::BatchRequest;

std::string PathOf(const BatchRequest& request, int position) {
  const BatchOperation& operation = request.operations(position);
  const std::string path = fmt::format("operations[{}]", position);
  switch (operation.kind_case()) {
    case BatchOperation::kGet:
      return path + ".get";
    case BatchOperation::kPut:
      return path + ".put";
    case BatchOperation::kDelete:
      return path + ".delete";
    case BatchOperation::kIncrement:
      return path + ".increment";
    case BatchOperation::KIND_NOT_SET:
      break;
  }
  return path;
}

// The error of a single operation with its field's path in the batch.
absl::Status Within(const BatchRequest& request, int position, const absl::Status& status) {
  auto detail = DetailOf(status);
  if (!detail) {
    return status;
  }
  const std::string path = PathOf(request, position);
  detail->set_field(path + "." + detail->field());
  return MakeError(*detail, path + "." + std::string(status.message()));
}

absl::Status CheckOne(const BatchOperation& operation) {
  if (operation.kind_case() == BatchOperation::KIND_NOT_SET) {
    return InvalidField("kind", "needs one of get, put, delete and increment");
  }
  if (absl::Status status = CheckKey(KeyOf(operation)); !status.ok()) {
    return status;
  }
  if (operation.has_put()) {
    return CheckCondition(operation.put().condition());
  }
  return CheckDeleteCondition(operation.delete_().condition());
}

absl::Status CheckSequences(const BatchRequest& request) {
  absl::flat_hash_set<uint64_t> seen;
  for (int i = 0; i < request.operations_size(); ++i) {
    const BatchOperation& operation = request.operations(i);
    const auto invalid = [&](const std::string& why) {
      return InvalidField(fmt::format("operations[{}].sequence", i), why);
    };
    if (operation.sequence() != 0 && (request.atomic() || !IsWrite(operation))) {
      return invalid("is only for writes of a batch that is not atomic");
    }
    if (operation.sequence() != 0 && !request.header().has_request_id()) {
      return invalid("needs header.request_id");
    }
    if (request.atomic() || !IsWrite(operation) || !request.header().has_request_id()) {
      continue;
    }
    const uint64_t room =
        std::numeric_limits<uint64_t>::max() - request.header().request_id().sequence();
    if (operation.sequence() == 0 && static_cast<uint64_t>(i) > room) {
      return invalid("would pass the largest sequence");
    }
    if (!seen.insert(SequenceOf(request, i)).second) {
      return invalid(fmt::format("{} names another write of this batch", SequenceOf(request, i)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

const std::string& KeyOf(const BatchOperation& operation) {
  return operation.has_put()         ? operation.put().key()
         : operation.has_delete_()   ? operation.delete_().key()
         : operation.has_increment() ? operation.increment().key()
                                     : operation.get().key();
}

bool IsWrite(const BatchOperation& operation) {
  return operation.has_put() || operation.has_delete_() || operation.has_increment();
}

uint64_t SequenceOf(const BatchRequest& request, int position) {
  const uint64_t own = request.operations(position).sequence();
  return own != 0 ? own
                  : request.header().request_id().sequence() + static_cast<uint64_t>(position);
}

absl::Status CheckBatch(const BatchRequest& request) {
  if (absl::Status status = CheckReadHeader(request.header()); !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckWriteHeader(request.header()); !status.ok()) {
    return status;
  }
  if (request.operations().empty() || request.operations_size() > kBatchOperationsMax) {
    return InvalidField("operations", fmt::format("must be 1..{}, not {}", kBatchOperationsMax,
                                                  request.operations_size()));
  }
  size_t bytes = 0;
  for (int i = 0; i < request.operations_size(); ++i) {
    if (absl::Status status = CheckOne(request.operations(i)); !status.ok()) {
      return Within(request, i, status);
    }
    bytes += KeyOf(request.operations(i)).size() + request.operations(i).put().value().size();
  }
  if (bytes > kBatchBytesMax) {
    return InvalidField("operations",
                        fmt::format("keys and values must be at most {} bytes together, not {}",
                                    kBatchBytesMax, bytes));
  }
  return CheckSequences(request);
}

absl::Status CheckBatchIn(const BatchRequest& request, RoutingRule rule, uint32_t value_bytes_max) {
  absl::flat_hash_set<std::string> written;
  const std::string_view first = RoutingKey(KeyOf(request.operations(0)), rule);
  for (int i = 0; i < request.operations_size(); ++i) {
    const BatchOperation& operation = request.operations(i);
    if (absl::Status status = CheckValue(operation.put().value(), value_bytes_max); !status.ok()) {
      return Within(request, i, status);
    }
    if (!request.atomic()) {
      continue;
    }
    if (RoutingKey(KeyOf(operation), rule) != first) {
      return InvalidField(PathOf(request, i) + ".key",
                          "an atomic batch needs keys of one routing key, and this one's is not "
                          "that of operations[0]; give them a common {hash tag}");
    }
    if (IsWrite(operation) && !written.insert(KeyOf(operation)).second) {
      return InvalidField(PathOf(request, i) + ".key", "is written twice in an atomic batch");
    }
  }
  return absl::OkStatus();
}

void BatchStages::Add(const BatchOperation& operation, int position) {
  size_t& stage = stage_of_[KeyOf(operation)];
  if (Reads(stage) == IsWrite(operation)) {
    ++stage;
  }
  if (stages_.size() <= stage) {
    stages_.resize(stage + 1);
  }
  stages_[stage].push_back(position);
}

}  // namespace quorate
