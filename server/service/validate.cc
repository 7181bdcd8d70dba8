#include "server/service/validate.h"

#include <algorithm>
#include <string>

#include "fmt/format.h"
#include "proto/error_detail.h"
#include "server/cluster/keyspace_policy.h"

namespace quorate {
namespace {

constexpr size_t kClientIdBytes = 16;
constexpr size_t kVersionBytes = 16;
constexpr uint32_t kPageBytesMax = 4u << 20;

absl::Status NotYet(const std::string& field, std::string_view what) {
  kv::v1::ErrorDetail detail;
  detail.set_reason(kv::v1::REASON_NOT_AVAILABLE_YET);
  detail.set_outcome(kv::v1::OUTCOME_NOT_DONE);
  detail.set_field(field);
  return MakeError(detail, fmt::format("{}: {} is not yet available in this version", field, what));
}

absl::Status CheckHeader(const kv::v1::RequestHeader& header) {
  if (absl::Status status = CheckKeyspaceName("header.keyspace", header.keyspace()); !status.ok()) {
    return status;
  }
  if (header.timeout_ms() > kTimeoutMsMax) {
    return InvalidField("header.timeout_ms", fmt::format("must be at most {}, not {}",
                                                         kTimeoutMsMax, header.timeout_ms()));
  }
  if (header.trace().trace_id().size() > kTraceIdBytesMax) {
    return InvalidField("header.trace.trace_id",
                        fmt::format("must be at most {} bytes, not {}", kTraceIdBytesMax,
                                    header.trace().trace_id().size()));
  }
  if (header.fence() != 0) {
    return NotYet("header.fence", "a fencing token");
  }
  for (const kv::v1::SessionTokenEntry& entry : header.session_token().entries()) {
    if (entry.version().size() != kVersionBytes) {
      return InvalidField(
          "header.session_token.entries.version",
          fmt::format("must be {} bytes, not {}", kVersionBytes, entry.version().size()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckReadHeader(const kv::v1::RequestHeader& header) {
  switch (header.read_mode()) {
    case kv::v1::READ_MODE_UNSPECIFIED:
    case kv::v1::READ_MODE_LINEARIZABLE:
      return CheckHeader(header);
    case kv::v1::READ_MODE_BOUNDED:
    case kv::v1::READ_MODE_SESSION:
    case kv::v1::READ_MODE_ANY:
      return NotYet("header.read_mode", "a read mode other than linearizable");
    default:
      return InvalidField("header.read_mode", "unknown value; use linearizable");
  }
}

absl::Status CheckWriteHeader(const kv::v1::RequestHeader& header) {
  if (header.has_request_id()) {
    const kv::v1::RequestId& id = header.request_id();
    if (id.client_id().size() != kClientIdBytes) {
      return InvalidField(
          "header.request_id.client_id",
          fmt::format("must be {} bytes, not {}", kClientIdBytes, id.client_id().size()));
    }
    if (id.sequence() == 0) {
      return InvalidField("header.request_id.sequence", "must be at least 1");
    }
  }
  return CheckHeader(header);
}

absl::Status CheckKey(std::string_view key) {
  if (key.empty() || key.size() > kKeyBytesMax) {
    return InvalidField("key",
                        fmt::format("must be 1..{} bytes, not {}", kKeyBytesMax, key.size()));
  }
  return absl::OkStatus();
}

absl::Status CheckValue(std::string_view value, uint32_t value_bytes_max) {
  const uint32_t bound = std::min(value_bytes_max, kValueBytesMax);
  if (value.size() > bound) {
    return InvalidField("value", fmt::format("must be at most {} bytes in this keyspace, not {}",
                                             bound, value.size()));
  }
  return absl::OkStatus();
}

absl::Status CheckCondition(const kv::v1::Condition& condition) {
  switch (condition.test_case()) {
    case kv::v1::Condition::kIfAbsent:
      return condition.if_absent() ? absl::OkStatus()
                                   : InvalidField("condition.if_absent", "must be true when set");
    case kv::v1::Condition::kIfVersion:
      return condition.if_version().size() == kVersionBytes
                 ? absl::OkStatus()
                 : InvalidField("condition.if_version",
                                fmt::format("must be {} bytes, not {}", kVersionBytes,
                                            condition.if_version().size()));
    case kv::v1::Condition::TEST_NOT_SET:
      break;
  }
  return absl::OkStatus();
}

absl::Status CheckDeleteCondition(const kv::v1::Condition& condition) {
  return condition.has_if_absent()
             ? InvalidField("condition.if_absent", "has no meaning for a delete")
             : CheckCondition(condition);
}

absl::Status CheckScan(const kv::v1::ScanRequest& request) {
  if (absl::Status status = CheckReadHeader(request.header()); !status.ok()) {
    return status;
  }
  if (!request.prefix().empty() && !(request.begin().empty() && request.end().empty())) {
    return InvalidField("prefix", "excludes begin and end");
  }
  for (const auto& [field, bytes] :
       {std::pair("prefix", &request.prefix()), std::pair("begin", &request.begin()),
        std::pair("end", &request.end()), std::pair("routing_key", &request.routing_key())}) {
    if (bytes->size() > kKeyBytesMax) {
      return InvalidField(
          field, fmt::format("must be at most {} bytes, not {}", kKeyBytesMax, bytes->size()));
    }
  }
  if (!request.end().empty() && request.end() < request.begin()) {
    return InvalidField("end", "must not be before begin");
  }
  if (request.page_bytes() > kPageBytesMax) {
    return InvalidField("page_bytes", fmt::format("must be at most {}, not {}", kPageBytesMax,
                                                  request.page_bytes()));
  }
  return absl::OkStatus();
}

MonotonicTime DeadlineOf(const CallContext& context, uint32_t timeout_ms, MonotonicTime now) {
  const bool unset =
      context.deadline == MonotonicTime() || context.deadline == MonotonicTime::max();
  if (timeout_ms == 0) {
    return unset ? now + kTimeoutDefault : context.deadline;
  }
  const MonotonicTime by_header = now + std::chrono::milliseconds(timeout_ms);
  return unset ? by_header : std::min(by_header, context.deadline);
}

}  // namespace quorate
