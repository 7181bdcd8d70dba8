// The data API on one node.
#ifndef SERVER_SERVICE_KEY_VALUE_SERVICE_H_
#define SERVER_SERVICE_KEY_VALUE_SERVICE_H_

#include <memory>
#include <string>
#include <string_view>

#include "server/service/authorize.h"
#include "server/service/batch.h"
#include "server/service/routing.h"
#include "server/service/scan.h"
#include "server/service/service_context.h"
#include "server/service/services.h"

namespace quorate {

// Owned by the node. Threads and replies as in services.h; a lease read is answered on the calling
// thread without any hand-off.
class NodeKeyValueService final : public KeyValueService {
 public:
  // `context` outlives it.
  explicit NodeKeyValueService(const ServiceContext* context) : context_(context) {}

  void Get(const CallContext& call, const kv::v1::GetRequest& request,
           Reply<kv::v1::GetResponse> reply) override;
  void Put(const CallContext& call, const kv::v1::PutRequest& request,
           Reply<kv::v1::PutResponse> reply) override;
  void Delete(const CallContext& call, const kv::v1::DeleteRequest& request,
              Reply<kv::v1::DeleteResponse> reply) override;
  void Increment(const CallContext& call, const kv::v1::IncrementRequest& request,
                 Reply<kv::v1::IncrementResponse> reply) override;
  void Batch(const CallContext& call, const kv::v1::BatchRequest& request,
             Reply<kv::v1::BatchResponse> reply) override;
  void ScanPage(const CallContext& call, const kv::v1::ScanRequest& request,
                Reply<kv::v1::ScanResponse> reply) override;

 private:
  // A request that may go on: where to, and until when.
  struct Admitted {
    SharedView view;
    const kv::v1::Keyspace* keyspace = nullptr;
    const kv::v1::PartitionPlacement* placement = nullptr;  // null for scans
    MonotonicTime deadline;
    RequestTrace* trace = nullptr;

    [[nodiscard]] CallTerms terms() const { return {.deadline = deadline, .trace = trace}; }
    [[nodiscard]] GroupId group() const { return GroupId(placement->group_id()); }
  };

  // `valid`: how the fields of the request were found; all else is looked at only if they are.
  [[nodiscard]] absl::StatusOr<Admitted> Admit(const absl::Status& valid, const CallContext& call,
                                               Action action,
                                               const kv::v1::RequestHeader& header) const;
  [[nodiscard]] absl::StatusOr<Admitted> AdmitKey(const absl::Status& valid,
                                                  const CallContext& call, Action action,
                                                  const kv::v1::RequestHeader& header,
                                                  std::string_view key) const;
  // Puts, deletes and increments, once the command is made.
  template <class Response>
  void Write(const Admitted& admitted, internal::v1::Command command, Reply<Response> reply) const;
  [[nodiscard]] kv::v1::BatchResponse BatchResponseOf(const ClusterView& view, bool atomic,
                                                      BatchResults results) const;
  [[nodiscard]] absl::StatusOr<ScanPlan> PlanScan(const Admitted& admitted,
                                                  const kv::v1::ScanRequest& request,
                                                  uint64_t bounds_hash) const;
  void FillHeader(const ClusterView& view, std::string version, kv::v1::ServedBy served_by,
                  kv::v1::ResponseHeader* header) const;
  [[nodiscard]] kv::v1::GetResponse GetResponseOf(const ClusterView& view, ReadAnswer answer) const;

  const ServiceContext* const context_;
};

}  // namespace quorate

#endif  // SERVER_SERVICE_KEY_VALUE_SERVICE_H_
