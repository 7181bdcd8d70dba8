// What is stored for one key: the value in an envelope that has room for what later features need.
// docs/formats.md draws the bytes.
#ifndef SERVER_STORAGE_ENVELOPE_H_
#define SERVER_STORAGE_ENVELOPE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/storage/version.h"

namespace quorate {

// Views point into the caller's bytes (encoding) or the decoded record (decoding).
struct Envelope {
  Version version{};
  // Microseconds since the epoch; 0: never.
  uint64_t expiry_us = 0;
  // The routing key's hash (server/placement/routing_key.h), so that a split need not know the
  // keyspace's routing rule.
  uint64_t key_hash = 0;
  // Encoded dotted version vector; empty in lww and raft keyspaces.
  std::string_view version_vector{};
  // Reserved for transactions over partitions; empty.
  std::string_view transaction{};
  std::string_view value{};
};

// The encoding ends in a 32-bit checksum over all of it: RocksDB's block checksums end where a
// block enters memory, this one covers the way from apply to answer (about 0.1 ns a byte).
[[nodiscard]] std::string EncodeEnvelope(const Envelope& envelope);

// Total: any bytes give an envelope or kDataLoss that says what is wrong. kUnimplemented: a newer
// format than this build knows.
[[nodiscard]] absl::StatusOr<Envelope> DecodeEnvelope(std::string_view bytes);

}  // namespace quorate

#endif  // SERVER_STORAGE_ENVELOPE_H_
