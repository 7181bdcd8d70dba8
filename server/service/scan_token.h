// Where a scan goes on: the opaque page token.
#ifndef SERVER_SERVICE_SCAN_TOKEN_H_
#define SERVER_SERVICE_SCAN_TOKEN_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "kv/v1/key_value.pb.h"

namespace quorate {

// A token is: format byte, hash of the scan's bounds, count of (hash range, version) pairs (zero in
// this version), last key, checksum. It names no partition, so it outlives a split. It holds no
// secret and gives no right: a forged one reads what any scan may.
//
// The hash covers keyspace id, prefix, begin, end and routing key: what must be the same on the
// next call. Limit, page size and keys_only may change from page to page.
[[nodiscard]] uint64_t ScanBoundsHash(uint64_t keyspace_id, const kv::v1::ScanRequest& request);

[[nodiscard]] std::string EncodeScanToken(uint64_t bounds_hash, std::string_view last_key);

// The last key. INVALID_FIELD naming page_token: not a token, damaged, of a newer version, or of
// another scan.
[[nodiscard]] absl::StatusOr<std::string> DecodeScanToken(uint64_t bounds_hash,
                                                          std::string_view token);

}  // namespace quorate

#endif  // SERVER_SERVICE_SCAN_TOKEN_H_
