#include "server/service/key_value_service.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "proto/error_detail.h"
#include "server/cluster/replica_specs.h"
#include "server/service/batch_result.h"
#include "server/service/scan_token.h"
#include "server/service/validate.h"
#include "server/storage/version.h"

namespace quorate {
namespace {

constexpr size_t kPageBytesDefault = size_t{1} << 20;
// Entries of a page without a limit: bounds the cost of very small ones.
constexpr uint64_t kPageEntriesMax = 65536;

kv::v1::ServedBy ServedByOf(const WriteAnswer& answer) {
  return answer.repeated ? kv::v1::SERVED_BY_REQUEST_MEMORY : kv::v1::SERVED_BY_COMMIT;
}

absl::Status FirstError(std::initializer_list<absl::Status> statuses) {
  for (const absl::Status& status : statuses) {
    if (!status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

internal::v1::Command CommandOf(const kv::v1::RequestHeader& header) {
  internal::v1::Command command;
  if (header.has_request_id()) {
    *command.mutable_request_id() = header.request_id();
  }
  return command;
}

// First key behind all keys with this prefix; empty: there is none.
std::string PrefixEnd(std::string prefix) {
  while (!prefix.empty() && static_cast<uint8_t>(prefix.back()) == 0xff) {
    prefix.pop_back();
  }
  if (!prefix.empty()) {
    ++prefix.back();
  }
  return prefix;
}

// A session of an earlier history of this keyspace, or of this partition, can never be met.
absl::Status CheckEras(const kv::v1::SessionToken& token, const kv::v1::Keyspace& keyspace) {
  for (const kv::v1::SessionTokenEntry& entry : token.entries()) {
    const auto version = Version::FromBytes(entry.version());
    if (entry.keyspace_id() != keyspace.keyspace_id() || !version ||
        keyspace.partitions().empty()) {
      continue;
    }
    const uint32_t partition =
        PartitionOfHash(entry.hash_begin(), static_cast<uint32_t>(keyspace.partitions_size()));
    if (version->era() < EraOf(keyspace, keyspace.partitions(static_cast<int>(partition)))) {
      return MakeError(kv::v1::REASON_TOKEN_OF_OLDER_ERA, kv::v1::OUTCOME_NOT_DONE,
                       "the session token is of an earlier history of this keyspace");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NodeKeyValueService::Admitted> NodeKeyValueService::Admit(
    const absl::Status& valid, const CallContext& call, Action action,
    const kv::v1::RequestHeader& header) const {
  if (!valid.ok()) {
    return valid;
  }
  Admitted admitted;
  const MonotonicTime now = context_->clock->Now();
  admitted.deadline = DeadlineOf(call, header.timeout_ms(), now);
  if (admitted.deadline <= now) {
    return MakeError(kv::v1::REASON_DEADLINE, kv::v1::OUTCOME_NOT_DONE,
                     "the deadline had passed when the request arrived");
  }
  auto view = context_->View();
  if (!view.ok()) {
    return view.status();
  }
  admitted.view = *std::move(view);
  const auto keyspace = RequireKeyspace(*admitted.view, header.keyspace());
  if (!keyspace.ok()) {
    return keyspace.status();
  }
  admitted.keyspace = *keyspace;
  if (absl::Status status = Authorize(call, action, header.keyspace()); !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckEras(header.session_token(), **keyspace); !status.ok()) {
    return status;
  }
  return admitted;
}

absl::StatusOr<NodeKeyValueService::Admitted> NodeKeyValueService::AdmitKey(
    const absl::Status& valid, const CallContext& call, Action action,
    const kv::v1::RequestHeader& header, std::string_view key) const {
  auto admitted = Admit(FirstError({valid, CheckKey(key)}), call, action, header);
  if (!admitted.ok()) {
    return admitted;
  }
  const auto placement = RouteKey(*admitted->view, *admitted->keyspace, header, key);
  if (!placement.ok()) {
    return placement.status();
  }
  admitted->placement = *placement;
  if (call.trace != nullptr) {
    call.trace->routed = true;
    call.trace->group = admitted->group();
    call.trace->partition = admitted->placement->partition();
    admitted->trace = call.trace;
  }
  return admitted;
}

void NodeKeyValueService::FillHeader(const ClusterView& view, std::string version,
                                     kv::v1::ServedBy served_by,
                                     kv::v1::ResponseHeader* header) const {
  header->set_version(std::move(version));
  header->mutable_receipt()->set_served_by(served_by);
  header->mutable_receipt()->set_node_id(view.self());
  header->mutable_receipt()->set_linearizable(served_by != kv::v1::SERVED_BY_PARTITION_MERGE);
  header->set_cluster_time_us(context_->ClusterTimeMicros());
}

kv::v1::GetResponse NodeKeyValueService::GetResponseOf(const ClusterView& view,
                                                       ReadAnswer answer) const {
  kv::v1::GetResponse response;
  FillHeader(view, std::move(answer.version), answer.served_by, response.mutable_header());
  response.set_value(std::move(answer.value));
  return response;
}

void NodeKeyValueService::Get(const CallContext& call, const kv::v1::GetRequest& request,
                              Reply<kv::v1::GetResponse> reply) {
  const auto admitted = AdmitKey(CheckReadHeader(request.header()), call, Action::kRead,
                                 request.header(), request.key());
  if (!admitted.ok()) {
    reply(admitted.status());
    return;
  }
  auto leased = context_->host->TryLeaseGet(admitted->group(), request.key());
  if (leased) {
    if (leased->found) {
      reply(GetResponseOf(*admitted->view, *std::move(leased)));
    } else {
      reply(KeyNotFound());
    }
    return;
  }
  context_->host->Get(admitted->group(), request.key(), admitted->terms(),
                      [this, view = admitted->view,
                       reply = std::move(reply)](absl::StatusOr<ReadAnswer> answer) mutable {
                        if (!answer.ok()) {
                          reply(WithLeaderAddress(answer.status(), *view));
                        } else if (!answer->found) {
                          reply(KeyNotFound());
                        } else {
                          reply(GetResponseOf(*view, *std::move(answer)));
                        }
                      });
}

template <class Response>
void NodeKeyValueService::Write(const Admitted& admitted, internal::v1::Command command,
                                Reply<Response> reply) const {
  context_->host->Write(admitted.group(), std::move(command), admitted.terms(),
                        [this, view = admitted.view,
                         reply = std::move(reply)](absl::StatusOr<WriteAnswer> answer) mutable {
                          if (!answer.ok()) {
                            reply(WithLeaderAddress(answer.status(), *view));
                            return;
                          }
                          if (absl::Status refused = RefusalOf(answer->result); !refused.ok()) {
                            reply(std::move(refused));
                            return;
                          }
                          Response response;
                          FillHeader(*view, answer->result.version(), ServedByOf(*answer),
                                     response.mutable_header());
                          if constexpr (requires { response.set_existed(true); }) {
                            response.set_existed(answer->result.existed());
                          }
                          if constexpr (requires { response.set_value(int64_t{1}); }) {
                            response.set_value(answer->result.number());
                          }
                          reply(std::move(response));
                        });
}

void NodeKeyValueService::Put(const CallContext& call, const kv::v1::PutRequest& request,
                              Reply<kv::v1::PutResponse> reply) {
  const auto admitted = AdmitKey(
      FirstError({CheckWriteHeader(request.header()), CheckCondition(request.condition())}), call,
      Action::kWrite, request.header(), request.key());
  if (!admitted.ok()) {
    reply(admitted.status());
    return;
  }
  absl::Status fits = CheckValue(request.value(), admitted->keyspace->policy().value_bytes_max());
  if (!fits.ok()) {
    reply(std::move(fits));
    return;
  }
  internal::v1::Command command = CommandOf(request.header());
  command.mutable_put()->set_key(request.key());
  command.mutable_put()->set_value(request.value());
  if (request.has_condition()) {
    *command.mutable_put()->mutable_condition() = request.condition();
  }
  Write(*admitted, std::move(command), std::move(reply));
}

void NodeKeyValueService::Delete(const CallContext& call, const kv::v1::DeleteRequest& request,
                                 Reply<kv::v1::DeleteResponse> reply) {
  const auto admitted = AdmitKey(
      FirstError({CheckWriteHeader(request.header()), CheckDeleteCondition(request.condition())}),
      call, Action::kWrite, request.header(), request.key());
  if (!admitted.ok()) {
    reply(admitted.status());
    return;
  }
  internal::v1::Command command = CommandOf(request.header());
  command.mutable_delete_()->set_key(request.key());
  if (request.has_condition()) {
    *command.mutable_delete_()->mutable_condition() = request.condition();
  }
  Write(*admitted, std::move(command), std::move(reply));
}

void NodeKeyValueService::Increment(const CallContext& call,
                                    const kv::v1::IncrementRequest& request,
                                    Reply<kv::v1::IncrementResponse> reply) {
  const auto admitted = AdmitKey(CheckWriteHeader(request.header()), call, Action::kWrite,
                                 request.header(), request.key());
  if (!admitted.ok()) {
    reply(admitted.status());
    return;
  }
  internal::v1::Command command = CommandOf(request.header());
  command.mutable_increment()->set_key(request.key());
  command.mutable_increment()->set_delta(request.delta());
  Write(*admitted, std::move(command), std::move(reply));
}

kv::v1::BatchResponse NodeKeyValueService::BatchResponseOf(const ClusterView& view, bool atomic,
                                                           BatchResults results) const {
  kv::v1::BatchResponse response;
  FillHeader(view, "", atomic ? results.front().served_by() : kv::v1::SERVED_BY_PARTITION_MERGE,
             response.mutable_header());
  response.mutable_results()->Reserve(static_cast<int>(results.size()));
  for (kv::v1::BatchResult& result : results) {
    *response.add_results() = std::move(result);
  }
  return response;
}

void NodeKeyValueService::Batch(const CallContext& call, const kv::v1::BatchRequest& request,
                                Reply<kv::v1::BatchResponse> reply) {
  const auto& operations = request.operations();
  const bool writes = std::any_of(operations.begin(), operations.end(), IsWrite);
  const bool reads = !std::all_of(operations.begin(), operations.end(), IsWrite);
  const auto admitted =
      Admit(CheckBatch(request), call, writes ? Action::kWrite : Action::kRead, request.header());
  if (!admitted.ok()) {
    reply(admitted.status());
    return;
  }
  absl::Status allowed =
      FirstError({reads && writes ? Authorize(call, Action::kRead, request.header().keyspace())
                                  : absl::OkStatus(),
                  CheckBatchIn(request, RoutingRuleOf(*admitted->keyspace),
                               admitted->keyspace->policy().value_bytes_max())});
  if (!allowed.ok()) {
    reply(std::move(allowed));
    return;
  }
  BatchPlan plan{
      .view = admitted->view,
      .keyspace = admitted->keyspace,
      .terms = {.deadline = admitted->deadline, .trace = request.atomic() ? call.trace : nullptr},
      .request = request};
  auto answer = [this, view = admitted->view, atomic = request.atomic(),
                 reply = std::move(reply)](absl::StatusOr<BatchResults> results) mutable {
    if (results.ok()) {
      reply(BatchResponseOf(*view, atomic, *std::move(results)));
    } else {
      reply(results.status());
    }
  };
  if (request.atomic()) {
    RunAtomicBatch(context_, std::move(plan), std::move(answer));
  } else {
    BatchRun::Start(context_, std::move(plan), std::move(answer));
  }
}

absl::StatusOr<ScanPlan> NodeKeyValueService::PlanScan(const Admitted& admitted,
                                                       const kv::v1::ScanRequest& request,
                                                       uint64_t bounds_hash) const {
  const kv::v1::Keyspace& keyspace = *admitted.keyspace;
  ScanPlan plan;
  plan.view = admitted.view;
  plan.deadline = admitted.deadline;
  plan.begin = request.prefix().empty() ? request.begin() : request.prefix();
  plan.end = request.prefix().empty() ? request.end() : PrefixEnd(request.prefix());
  plan.limit = request.limit() == 0 ? kPageEntriesMax : std::min(request.limit(), kPageEntriesMax);
  plan.page_bytes = request.page_bytes() == 0 ? kPageBytesDefault : request.page_bytes();
  plan.keys_only = request.keys_only();
  if (!request.page_token().empty()) {
    auto last_key = DecodeScanToken(bounds_hash, request.page_token());
    if (!last_key.ok()) {
      return last_key.status();
    }
    plan.begin = std::max(plan.begin, *last_key + '\0');
  }
  if (!plan.end.empty() && plan.begin >= plan.end) {
    return plan;  // of no partition: an empty page
  }
  const auto of_prefix = RoutingKeyOfPrefix(request.prefix(), RoutingRuleOf(keyspace));
  if (!request.routing_key().empty() || of_prefix) {
    const std::string_view routing_key =
        request.routing_key().empty() ? *of_prefix : std::string_view(request.routing_key());
    const uint32_t partition =
        PartitionOfHash(RoutingHash(routing_key), keyspace.policy().partitions());
    plan.partitions.push_back(&keyspace.partitions(static_cast<int>(partition)));
    return plan;
  }
  for (const kv::v1::PartitionPlacement& placement : keyspace.partitions()) {
    plan.partitions.push_back(&placement);
  }
  return plan;
}

void NodeKeyValueService::ScanPage(const CallContext& call, const kv::v1::ScanRequest& request,
                                   Reply<kv::v1::ScanResponse> reply) {
  const auto admitted = Admit(CheckScan(request), call, Action::kRead, request.header());
  if (!admitted.ok()) {
    reply(admitted.status());
    return;
  }
  const uint64_t bounds_hash = ScanBoundsHash(admitted->keyspace->keyspace_id(), request);
  auto plan = PlanScan(*admitted, request, bounds_hash);
  if (!plan.ok()) {
    reply(plan.status());
    return;
  }
  const kv::v1::ServedBy served_by = plan->partitions.size() > 1
                                         ? kv::v1::SERVED_BY_PARTITION_MERGE
                                         : kv::v1::SERVED_BY_LEADER_READ_INDEX;
  ScanOperation::Run(
      context_, *std::move(plan),
      [this, view = admitted->view, bounds_hash, served_by,
       reply = std::move(reply)](absl::StatusOr<PageAnswer> page) mutable {
        if (!page.ok()) {
          reply(page.status());
          return;
        }
        kv::v1::ScanResponse response;
        FillHeader(*view, "", served_by, response.mutable_header());
        if (page->more && !page->entries.empty()) {
          response.set_next_page_token(EncodeScanToken(bounds_hash, page->entries.back().key()));
        }
        for (kv::v1::ScanEntry& entry : page->entries) {
          *response.add_entries() = std::move(entry);
        }
        reply(std::move(response));
      });
}

}  // namespace quorate
