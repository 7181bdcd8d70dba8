// What a Batch request may hold, and in which order its operations are done. Pure.
#ifndef SERVER_SERVICE_BATCH_PLAN_H_
#define SERVER_SERVICE_BATCH_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "kv/v1/key_value.pb.h"
#include "server/placement/routing_key.h"

namespace quorate {

inline constexpr int kBatchOperationsMax = 1024;
// Of keys and values of a request, and of the values of an answer (of which one always fits).
inline constexpr size_t kBatchBytesMax = size_t{4} << 20;

[[nodiscard]] const std::string& KeyOf(const kv::v1::BatchOperation& operation);
[[nodiscard]] bool IsWrite(const kv::v1::BatchOperation& operation);

// All that can be said without knowing the keyspace. INVALID_FIELD, with the operation's position
// in the path of the field: operations[3].put.key.
[[nodiscard]] absl::Status CheckBatch(const kv::v1::BatchRequest& request);
// The rest.
[[nodiscard]] absl::Status CheckBatchIn(const kv::v1::BatchRequest& request, RoutingRule rule,
                                        uint32_t value_bytes_max);

// The sequence of the request id of the write at this position of a batch that is not atomic.
[[nodiscard]] uint64_t SequenceOf(const kv::v1::BatchRequest& request, int position);

// The operations on one partition in stages, to be done one after the other: reads, writes, reads
// and so on, each possibly empty. Operations on one key keep their order; beyond that as few stages
// as possible, since each costs a round trip.
class BatchStages {
 public:
  void Add(const kv::v1::BatchOperation& operation, int position);

  // Positions in their order. Stage 0, 2, … reads; 1, 3, … writes.
  [[nodiscard]] const std::vector<std::vector<int>>& stages() const { return stages_; }
  [[nodiscard]] static bool Reads(size_t stage) { return stage % 2 == 0; }

 private:
  std::vector<std::vector<int>> stages_;
  // The stage of the last operation on a key.
  absl::flat_hash_map<std::string, size_t> stage_of_;
};

}  // namespace quorate

#endif  // SERVER_SERVICE_BATCH_PLAN_H_
