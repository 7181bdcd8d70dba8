// Requests of the data API as they come out of gRPC's decoder, session and page tokens included:
// each is answered exactly once, and an error says that nothing was done or that it is not known.
#include <string>

#include "proto/error_detail.h"
#include "raft/check.h"
#include "server/service/key_value_service.h"
#include "tests/fakes/fake_replica_host.h"
#include "tests/fakes/manual_loop.h"
#include "tests/fuzz/fuzz_input.h"

namespace quorate {
namespace {

constexpr uint32_t kPartitions = 4;

// Node 1, which leads all partitions of keyspace "k".
class OneNode {
 public:
  OneNode() {
    internal::v1::ClusterState state;
    state.set_epoch(3);
    state.add_nodes()->mutable_node()->set_node_id(1);
    kv::v1::Keyspace* keyspace = state.add_keyspaces();
    keyspace->set_keyspace_id(5);
    keyspace->set_name("k");
    keyspace->set_era(2);
    keyspace->mutable_policy()->set_partitions(kPartitions);
    keyspace->mutable_policy()->set_routing(kv::v1::ROUTING_TAG);
    keyspace->mutable_policy()->set_value_bytes_max(1000);
    for (uint32_t i = 0; i < kPartitions; ++i) {
      kv::v1::PartitionPlacement* placement = keyspace->add_partitions();
      placement->set_partition(i);
      placement->set_group_id(10 + i);
      placement->set_epoch(4);
      placement->add_replicas()->set_node_id(1);
      host_.leaders[GroupId(10 + i)] = 1;
    }
    view_.Set(std::make_shared<const ClusterView>(state, 1));
    context_.clock = &clock_;
    context_.control = &loop_;
    context_.host = &host_;
    context_.view = &view_;
  }

  template <class Request, class Response>
  void Try(std::string_view bytes, bool right_keyspace,
           void (KeyValueService::*call)(const CallContext&, const Request&, Reply<Response>)) {
    Request request;
    if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    if (right_keyspace) request.mutable_header()->set_keyspace("k");
    int answers = 0;
    (service_.*call)(CallContext(), request, [&](const absl::StatusOr<Response>& answer) {
      ++answers;
      QUORATE_CHECK(answer.ok() || DetailOf(answer.status()).has_value());
    });
    loop_.RunFor(std::chrono::hours(2));
    QUORATE_CHECK(answers == 1) << answers;
  }

 private:
  fakes::ManualClock clock_;
  fakes::ManualLoop loop_{&clock_};
  fakes::FakeReplicaHost host_{1};
  PublishedView view_;
  ServiceContext context_;
  NodeKeyValueService service_{&context_};
};

}  // namespace
}  // namespace quorate

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using quorate::KeyValueService;
  quorate::fuzz::FuzzInput input(data, size);
  quorate::OneNode node;
  while (!input.empty()) {
    const uint8_t method = input.TakeByte();
    const bool right_keyspace = (method & 4) == 0;
    const std::string_view bytes = input.TakePiece();
    switch (method & 3) {
      case 0:
        node.Try(bytes, right_keyspace, &KeyValueService::Get);
        break;
      case 1:
        node.Try(bytes, right_keyspace, &KeyValueService::Put);
        break;
      case 2:
        node.Try(bytes, right_keyspace, &KeyValueService::Delete);
        break;
      default:
        node.Try(bytes, right_keyspace, &KeyValueService::ScanPage);
    }
  }
  return 0;
}
