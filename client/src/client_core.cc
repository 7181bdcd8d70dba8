#include "client/src/client_core.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "client/src/batch_call.h"
#include "client/src/call.h"
#include "client/src/convert.h"
#include "client/src/direct_call.h"
#include "client/src/operation.h"
#include "fmt/format.h"
#include "proto/error_detail.h"
#include "server/runtime/random.h"

namespace quorate::client {
namespace {

constexpr Duration kTimeoutMax = std::chrono::hours(24);

std::array<uint8_t, 16> ClientIdFrom(uint64_t seed) {
  SeededRandom random(MixSeed(seed, 0x636c69656e74));
  std::array<uint8_t, 16> id{};
  for (size_t i = 0; i < id.size(); i += 8) {
    uint64_t word = random.Next();
    for (size_t j = 0; j < 8; ++j) {
      id[i + j] = static_cast<uint8_t>(word);
      word >>= 8;
    }
  }
  return id;
}

std::shared_ptr<CoreParts> MakeParts(const ClientCoreOptions& options) {
  auto parts = std::make_shared<CoreParts>(options.seed);
  parts->transport = options.transport;
  parts->clock = options.clock;
  parts->executor = options.executor;
  parts->inflight_max = options.inflight_max;
  parts->inflight_bytes_max = options.inflight_bytes_max;
  parts->router = std::make_shared<Router>(options.endpoints);
  parts->ids = std::make_shared<RequestIds>(options.client_id.value_or(ClientIdFrom(options.seed)));
  parts->refresher = std::make_shared<Refresher>(parts->transport, parts->clock, parts->router,
                                                 parts->ids, parts->Turn() >> 1);
  return parts;
}

template <class R>
R ResultOf(const Ended& ended) {
  R result;
  result.status = ended.status;
  result.outcome = ended.outcome;
  result.reason = ended.reason;
  result.attempts = ended.attempts;
  return result;
}

template <class R>
R Refused(const absl::Status& status) {
  R result;
  result.status = status;
  result.outcome = Outcome::kNotDone;
  result.reason = PublicReason(status);
  return result;
}

absl::Status CheckKey(const std::string& key) {
  if (key.empty() || key.size() > kKeyBytesMax) {
    return InvalidField("key",
                        fmt::format("must have 1 to {} bytes, has {}", kKeyBytesMax, key.size()));
  }
  return absl::OkStatus();
}

absl::Status CheckWrite(const std::string& key, size_t value_bytes, const Condition& condition) {
  if (auto status = CheckKey(key); !status.ok()) {
    return status;
  }
  if (value_bytes > kValueBytesMax) {
    return InvalidField("value", fmt::format("has {} bytes; no keyspace takes more than {}",
                                             value_bytes, kValueBytesMax));
  }
  if (condition.if_absent && condition.if_version) {
    return InvalidField("condition", "if_absent and if_version exclude each other");
  }
  return absl::OkStatus();
}

OperationSpec WriteSpec(const std::string& keyspace, const std::string& key, MonotonicTime deadline,
                        const WriteOptions& options) {
  OperationSpec spec;
  spec.scope = Scope::kPartition;
  spec.keyspace = keyspace;
  spec.routing = key;
  spec.deadline = deadline;
  spec.bytes = key.size();
  spec.write = true;
  spec.named = true;
  spec.request_id = options.request_id;
  spec.repeats = options.request_id.has_value();
  return spec;
}

template <class R = WriteResult, class Response>
R WriteResultOf(const Ended& ended, const Response& response) {
  auto result = ResultOf<R>(ended);
  result.request_id = ended.request_id;
  result.current_version = ended.current_version;
  if (ended.outcome == Outcome::kDone) {
    result.version = VersionOf(response.header().version()).value_or(Version{});
    result.receipt = ReceiptOf(response.header());
  }
  return result;
}

template <class Result, class Request, class Response>
void ChangePartition(std::shared_ptr<CoreParts> parts, MonotonicTime deadline, Request request,
                     void (Transport::*method)(const std::string&, const Request&, MonotonicTime,
                                               Done<Response>),
                     Handler<Result> handler) {
  OperationSpec spec;
  spec.scope = Scope::kMeta;
  spec.deadline = deadline;
  spec.write = !request.dry_run();
  StartCall<Request, Response>(
      std::move(parts), std::move(spec), std::move(request), method,
      [handler = std::move(handler)](const Ended& ended, const Response& response) mutable {
        auto result = ResultOf<Result>(ended);
        result.partition = PartitionOf(response.placement());
        result.changed = response.changed();
        handler(std::move(result));
      });
}

}  // namespace

ClientCore::ClientCore(const ClientCoreOptions& options) : parts_(MakeParts(options)) {}

void ClientCore::Close() {
  parts_->closed.store(true, std::memory_order_release);
  parts_->refresher->Close();
  parts_->parking.Close();
}

MonotonicTime ClientCore::DeadlineAfter(std::chrono::nanoseconds timeout) const {
  return parts_->clock->Now() + std::clamp<Duration>(timeout, Duration::zero(), kTimeoutMax);
}

void ClientCore::Get(const std::string& keyspace, const std::string& key,
                     const ReadOptions& options, Handler<GetResult> handler) {
  if (auto status = CheckKey(key); !status.ok()) {
    handler(Refused<GetResult>(status));
    return;
  }
  kv::v1::GetRequest request;
  request.mutable_header()->set_keyspace(keyspace);
  request.set_key(key);
  OperationSpec spec;
  spec.scope = Scope::kPartition;
  spec.keyspace = keyspace;
  spec.routing = key;
  spec.deadline = DeadlineAfter(options.timeout);
  StartCall<kv::v1::GetRequest, kv::v1::GetResponse>(
      parts_, std::move(spec), std::move(request), &Transport::Get,
      [handler = std::move(handler)](const Ended& ended, kv::v1::GetResponse response) mutable {
        auto result = ResultOf<GetResult>(ended);
        if (result.ok()) {
          result.value = std::move(*response.mutable_value());
          result.version = VersionOf(response.header().version()).value_or(Version{});
          result.receipt = ReceiptOf(response.header());
        }
        handler(std::move(result));
      });
}

void ClientCore::Put(const std::string& keyspace, const std::string& key, const std::string& value,
                     const WriteOptions& options, Handler<WriteResult> handler) {
  if (auto status = CheckWrite(key, value.size(), options.condition); !status.ok()) {
    handler(Refused<WriteResult>(status));
    return;
  }
  kv::v1::PutRequest request;
  request.mutable_header()->set_keyspace(keyspace);
  request.set_key(key);
  request.set_value(value);
  if (options.condition.if_absent || options.condition.if_version) {
    ToWire(options.condition, request.mutable_condition());
  }
  OperationSpec spec = WriteSpec(keyspace, key, DeadlineAfter(options.timeout), options);
  spec.bytes += value.size();
  StartCall<kv::v1::PutRequest, kv::v1::PutResponse>(
      parts_, std::move(spec), std::move(request), &Transport::Put,
      [handler = std::move(handler)](const Ended& ended,
                                     const kv::v1::PutResponse& response) mutable {
        handler(WriteResultOf(ended, response));
      });
}

void ClientCore::Delete(const std::string& keyspace, const std::string& key,
                        const WriteOptions& options, Handler<WriteResult> handler) {
  if (auto status = CheckWrite(key, 0, options.condition); !status.ok()) {
    handler(Refused<WriteResult>(status));
    return;
  }
  kv::v1::DeleteRequest request;
  request.mutable_header()->set_keyspace(keyspace);
  request.set_key(key);
  if (options.condition.if_absent || options.condition.if_version) {
    ToWire(options.condition, request.mutable_condition());
  }
  StartCall<kv::v1::DeleteRequest, kv::v1::DeleteResponse>(
      parts_, WriteSpec(keyspace, key, DeadlineAfter(options.timeout), options), std::move(request),
      &Transport::Delete,
      [handler = std::move(handler)](const Ended& ended,
                                     const kv::v1::DeleteResponse& response) mutable {
        auto result = WriteResultOf(ended, response);
        result.existed = response.existed();
        handler(std::move(result));
      });
}

void ClientCore::Increment(const std::string& keyspace, const std::string& key, int64_t delta,
                           const IncrementOptions& options, Handler<IncrementResult> handler) {
  if (auto status = CheckKey(key); !status.ok()) {
    handler(Refused<IncrementResult>(status));
    return;
  }
  kv::v1::IncrementRequest request;
  request.mutable_header()->set_keyspace(keyspace);
  request.set_key(key);
  request.set_delta(delta);
  const WriteOptions write{.timeout = options.timeout, .request_id = options.request_id};
  StartCall<kv::v1::IncrementRequest, kv::v1::IncrementResponse>(
      parts_, WriteSpec(keyspace, key, DeadlineAfter(options.timeout), write), std::move(request),
      &Transport::Increment,
      [handler = std::move(handler)](const Ended& ended,
                                     const kv::v1::IncrementResponse& response) mutable {
        auto result = WriteResultOf<IncrementResult>(ended, response);
        result.value = response.value();
        handler(std::move(result));
      });
}

void ClientCore::Scan(const std::string& keyspace, const ScanRange& range,
                      const ScanOptions& options, Handler<ScanPage> handler) {
  kv::v1::ScanRequest request;
  request.mutable_header()->set_keyspace(keyspace);
  request.set_prefix(range.prefix);
  request.set_begin(range.begin);
  request.set_end(range.end);
  request.set_routing_key(range.routing_key);
  request.set_limit(options.limit);
  request.set_page_bytes(options.page_bytes);
  request.set_keys_only(options.keys_only);
  request.set_page_token(options.page_token);
  request.set_single_page(true);
  OperationSpec spec;
  spec.scope = range.routing_key.empty() ? Scope::kKeyspace : Scope::kPartition;
  spec.keyspace = keyspace;
  spec.routing = range.routing_key;
  spec.deadline = DeadlineAfter(options.timeout);
  StartCall<kv::v1::ScanRequest, kv::v1::ScanResponse>(
      parts_, std::move(spec), std::move(request), &Transport::ScanPage,
      [handler = std::move(handler)](const Ended& ended, kv::v1::ScanResponse response) mutable {
        auto page = ResultOf<ScanPage>(ended);
        if (page.ok()) {
          page.entries.reserve(static_cast<size_t>(response.entries_size()));
          for (auto& entry : *response.mutable_entries()) {
            page.entries.push_back(EntryOf(std::move(entry)));
          }
          page.next_page_token = std::move(*response.mutable_next_page_token());
          page.receipt = ReceiptOf(response.header());
        }
        handler(std::move(page));
      });
}

namespace {

// Looks a keyspace up by being routed to it, and sends nothing.
class FindOperation final : public Operation {
 public:
  FindOperation(std::shared_ptr<CoreParts> parts, OperationSpec spec, Handler<Result> handler)
      : Operation(std::move(parts), std::move(spec)), handler_(std::move(handler)) {}

 private:
  void Send(const Target& target, const Stamp& /*stamp*/, MonotonicTime /*deadline*/) override {
    OnAttemptEnd(target, absl::OkStatus());
  }
  void Finish(Ended ended) override { handler_(ResultOf<Result>(ended)); }

  Handler<Result> handler_;
};

}  // namespace

void ClientCore::FindKeyspace(const std::string& keyspace, const ReadOptions& options,
                              Handler<Result> handler) {
  OperationSpec spec;
  spec.scope = Scope::kKeyspace;
  spec.keyspace = keyspace;
  spec.deadline = DeadlineAfter(options.timeout);
  std::make_shared<FindOperation>(parts_, std::move(spec), std::move(handler))->Start();
}

void ClientCore::Batch(const std::string& keyspace, const BatchOperations& operations,
                       const BatchOptions& options, Handler<BatchResult> handler) {
  const size_t count = operations.all().size();
  if (auto status = CheckBatch(operations, options); !status.ok()) {
    handler(RefusedBatch(count, Refused<Result>(status)));
    return;
  }
  const MonotonicTime deadline = DeadlineAfter(options.timeout);
  if (options.atomic) {
    StartAtomicBatch(parts_, keyspace, operations, options, deadline, std::move(handler));
    return;
  }
  // Only who knows the partitions can split.
  FindKeyspace(keyspace, {.timeout = options.timeout},
               [parts = parts_, keyspace, operations, deadline,
                handler = std::move(handler)](const Result& found) mutable {
                 if (!found.ok()) {
                   handler(RefusedBatch(operations.all().size(), found));
                   return;
                 }
                 std::make_shared<BatchCall>(std::move(parts), keyspace, std::move(operations),
                                             deadline, std::move(handler))
                     ->Start();
               });
}

void ClientCore::GetClusterState(const AdminOptions& options, Handler<ClusterStateResult> handler) {
  OperationSpec spec;
  spec.deadline = DeadlineAfter(options.timeout);
  StartCall<kv::v1::GetClusterStateRequest, kv::v1::GetClusterStateResponse>(
      parts_, std::move(spec), {}, &Transport::GetClusterState,
      [parts = parts_, handler = std::move(handler)](
          const Ended& ended, const kv::v1::GetClusterStateResponse& response) mutable {
        if (ended.outcome == Outcome::kDone) {
          if (auto status = parts->router->Install(response); !status.ok()) {
            handler(Refused<ClusterStateResult>(status));
            return;
          }
          parts->ids->NoteClusterTime(response.cluster_time_us(), parts->clock->Now());
        }
        auto result = ResultOf<ClusterStateResult>(ended);
        result.state = StateOf(response);
        handler(std::move(result));
      });
}

void ClientCore::CreateKeyspace(const std::string& name, const Policy& policy,
                                const AdminOptions& options,
                                Handler<CreateKeyspaceResult> handler) {
  kv::v1::CreateKeyspaceRequest request;
  request.set_name(name);
  ToWire(policy, request.mutable_policy());
  request.set_dry_run(options.dry_run);
  OperationSpec spec;
  spec.scope = Scope::kMeta;
  spec.deadline = DeadlineAfter(options.timeout);
  spec.write = !options.dry_run;
  StartCall<kv::v1::CreateKeyspaceRequest, kv::v1::CreateKeyspaceResponse>(
      parts_, std::move(spec), std::move(request), &Transport::CreateKeyspace,
      [parts = parts_, dry_run = options.dry_run, handler = std::move(handler)](
          const Ended& ended, const kv::v1::CreateKeyspaceResponse& response) mutable {
        auto result = ResultOf<CreateKeyspaceResult>(ended);
        if (result.ok()) {
          result.keyspace = KeyspaceOf(response.keyspace());
          result.created = response.created();
          if (!dry_run && response.keyspace().partitions_size() > 0) {
            parts->router->AddKeyspace(response.keyspace());
          }
        }
        handler(std::move(result));
      });
}

void ClientCore::DropKeyspace(const std::string& name, const AdminOptions& options,
                              Handler<DropKeyspaceResult> handler) {
  kv::v1::DropKeyspaceRequest request;
  request.set_name(name);
  request.set_dry_run(options.dry_run);
  OperationSpec spec;
  spec.scope = Scope::kMeta;
  spec.deadline = DeadlineAfter(options.timeout);
  spec.write = !options.dry_run;
  // Another keyspace of this name may have been created since.
  spec.repeatable = options.dry_run;
  StartCall<kv::v1::DropKeyspaceRequest, kv::v1::DropKeyspaceResponse>(
      parts_, std::move(spec), std::move(request), &Transport::DropKeyspace,
      [parts = parts_, name, dry_run = options.dry_run, handler = std::move(handler)](
          const Ended& ended, const kv::v1::DropKeyspaceResponse& response) mutable {
        auto result = ResultOf<DropKeyspaceResult>(ended);
        result.keyspace = KeyspaceOf(response.keyspace());
        if (result.ok() && !dry_run) {
          parts->router->RemoveKeyspace(name);
        }
        handler(std::move(result));
      });
}

void ClientCore::RecoverPartition(const PartitionRecovery& recovery, const AdminOptions& options,
                                  Handler<RecoverPartitionResult> handler) {
  kv::v1::RecoverPartitionRequest request;
  request.set_keyspace(recovery.keyspace);
  request.set_partition(recovery.partition);
  request.set_from_node(recovery.from_node);
  request.set_incarnation(recovery.incarnation);
  request.set_accept_loss(recovery.accept_loss);
  request.set_dry_run(options.dry_run);
  ChangePartition(parts_, DeadlineAfter(options.timeout), std::move(request),
                  &Transport::RecoverPartition, std::move(handler));
}

void ClientCore::MovePartition(const PartitionMove& move, bool cancel, const AdminOptions& options,
                               Handler<MovePartitionResult> handler) {
  kv::v1::MovePartitionRequest request;
  request.set_keyspace(move.keyspace);
  request.set_partition(move.partition);
  request.set_from_node(move.from_node);
  request.set_to_node(move.to_node);
  request.set_cancel(cancel);
  request.set_dry_run(options.dry_run);
  ChangePartition(parts_, DeadlineAfter(options.timeout), std::move(request),
                  &Transport::MovePartition, std::move(handler));
}

void ClientCore::DrainNode(uint64_t node_id, bool undo, const AdminOptions& options,
                           Handler<DrainNodeResult> handler) {
  kv::v1::DrainNodeRequest request;
  request.set_node_id(node_id);
  request.set_undo(undo);
  request.set_dry_run(options.dry_run);
  OperationSpec spec;
  spec.scope = Scope::kMeta;
  spec.deadline = DeadlineAfter(options.timeout);
  spec.write = !options.dry_run;
  StartCall<kv::v1::DrainNodeRequest, kv::v1::DrainNodeResponse>(
      parts_, std::move(spec), std::move(request), &Transport::DrainNode,
      [handler = std::move(handler)](const Ended& ended,
                                     const kv::v1::DrainNodeResponse& response) mutable {
        auto result = ResultOf<DrainNodeResult>(ended);
        result.node = NodeOf(response.node());
        result.changed = response.changed();
        for (const auto& move : response.moves()) {
          result.moves.push_back({.keyspace = move.keyspace(),
                                  .partition = move.partition(),
                                  .from_node = move.from_node(),
                                  .to_node = move.to_node()});
        }
        handler(std::move(result));
      });
}

void ClientCore::TransferLeader(const std::string& address, const PartitionMove& to,
                                const AdminOptions& options,
                                Handler<TransferLeaderResult> handler) {
  using Response = kv::v1::TransferLeaderResponse;
  kv::v1::TransferLeaderRequest request;
  request.set_keyspace(to.keyspace);
  request.set_partition(to.partition);
  request.set_to_node(to.to_node);
  StartDirect<kv::v1::TransferLeaderRequest, Response, TransferLeaderResult>(
      parts_,
      {.address = address,
       .request = std::move(request),
       .method = &Transport::TransferLeader,
       .write = true,
       .deadline = DeadlineAfter(options.timeout)},
      std::move(handler), [](const Response& response, TransferLeaderResult& result) {
        result.leader_node = response.leader_node();
      });
}

void ClientCore::Init(const std::string& address, bool force, const AdminOptions& options,
                      Handler<InitResult> handler) {
  kv::v1::InitRequest request;
  request.set_force(force);
  using Response = kv::v1::InitResponse;
  StartDirect<kv::v1::InitRequest, Response, InitResult>(
      parts_,
      {.address = address,
       .request = std::move(request),
       .method = &Transport::Init,
       .write = true,
       .deadline = DeadlineAfter(options.timeout)},
      std::move(handler), [](const Response& response, InitResult& result) {
        result.cluster_id = response.cluster_id();
        result.created = response.created();
        result.node_id = response.node_id();
      });
}

void ClientCore::GetNodeStatus(const std::string& address, const AdminOptions& options,
                               Handler<NodeStatusResult> handler) {
  using Response = kv::v1::GetNodeStatusResponse;
  StartDirect<kv::v1::GetNodeStatusRequest, Response, NodeStatusResult>(
      parts_,
      {.address = address,
       .request = {},
       .method = &Transport::GetNodeStatus,
       .deadline = DeadlineAfter(options.timeout)},
      std::move(handler), [](const Response& response, NodeStatusResult& result) {
        result.node = NodeStatusOf(response);
      });
}

void ClientCore::ListReplicas(const std::string& address, const std::string& keyspace,
                              bool checksum, const AdminOptions& options,
                              Handler<ListReplicasResult> handler) {
  using Response = kv::v1::ListReplicasResponse;
  kv::v1::ListReplicasRequest request;
  request.set_keyspace(keyspace);
  request.set_checksum(checksum);
  StartDirect<kv::v1::ListReplicasRequest, Response, ListReplicasResult>(
      parts_,
      {.address = address,
       .request = std::move(request),
       .method = &Transport::ListReplicas,
       .deadline = DeadlineAfter(options.timeout)},
      std::move(handler), [](const Response& response, ListReplicasResult& result) {
        result.node_id = response.node_id();
        for (const auto& replica : response.replicas()) {
          result.replicas.push_back(ReplicaOf(replica));
        }
      });
}

}  // namespace quorate::client
