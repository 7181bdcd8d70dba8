// What a request may hold. Pure functions; every error is INVALID_FIELD naming the field by its
// path in the proto, or NOT_AVAILABLE_YET, and never done.
#ifndef SERVER_SERVICE_VALIDATE_H_
#define SERVER_SERVICE_VALIDATE_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "kv/v1/key_value.pb.h"
#include "server/runtime/runtime.h"
#include "server/service/services.h"

namespace quorate {

inline constexpr size_t kKeyBytesMax = 4096;
inline constexpr size_t kTraceIdBytesMax = 32;
inline constexpr uint32_t kTimeoutMsMax = 3'600'000;
inline constexpr Duration kTimeoutDefault = std::chrono::seconds(5);

[[nodiscard]] absl::Status CheckReadHeader(const kv::v1::RequestHeader& header);
[[nodiscard]] absl::Status CheckWriteHeader(const kv::v1::RequestHeader& header);
[[nodiscard]] absl::Status CheckKey(std::string_view key);
[[nodiscard]] absl::Status CheckValue(std::string_view value, uint32_t value_bytes_max);
[[nodiscard]] absl::Status CheckCondition(const kv::v1::Condition& condition);
[[nodiscard]] absl::Status CheckDeleteCondition(const kv::v1::Condition& condition);
[[nodiscard]] absl::Status CheckScan(const kv::v1::ScanRequest& request);

// When the request ends: the earlier of the caller's deadline and header.timeout_ms from now. A
// caller without a deadline (zero or the largest time) and without timeout_ms gets kTimeoutDefault.
[[nodiscard]] MonotonicTime DeadlineOf(const CallContext& context, uint32_t timeout_ms,
                                       MonotonicTime now);

}  // namespace quorate

#endif  // SERVER_SERVICE_VALIDATE_H_
