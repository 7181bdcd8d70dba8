#include "server/node.h"

#include <utility>

#include "fmt/format.h"
#include "proto/error_detail.h"
#include "rocksdb/env.h"
#include "server/cluster/address_book.h"
#include "server/cluster/cluster_state.h"
#include "server/cluster/cluster_view.h"
#include "server/cluster/identity.h"
#include "server/cluster/liveness.h"
#include "server/cluster/membership.h"
#include "server/cluster/meta_group.h"
#include "server/cluster/page_exchange.h"
#include "server/node_metrics.h"
#include "server/runtime/log.h"
#include "server/runtime/mutex.h"
#include "server/service/admin_service.h"
#include "server/service/key_value_service.h"
#include "server/service/service_context.h"
#include "server/storage/data_store.h"
#include "server/storage/log_store.h"
#include "server/storage/log_writer.h"
#include "server/storage/node_records.h"

namespace quorate {
namespace {

constexpr size_t kLogCacheBytes = size_t{64} << 20;

// One event that one thread waits for.
class Latch {
 public:
  void Open() {
    const MutexLock lock(&mutex_);
    open_ = true;
    opened_.NotifyAll();
  }
  void Wait() {
    const MutexLock lock(&mutex_);
    while (!open_) {
      opened_.Wait(&mutex_);
    }
  }

 private:
  Mutex mutex_;
  CondVar opened_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
};

// Runs the task on the loop and waits for it. A loop that has stopped runs nothing.
void RunAndWait(Executor* loop, Task task) {
  auto latch = std::make_shared<Latch>();
  if (loop->Post([latch, task = std::move(task)]() mutable {
        task();
        latch->Open();
      })) {
    latch->Wait();
  }
}

}  // namespace

// In the order of need: what stands below is destroyed before what it uses.
struct Node::Parts {
  std::unique_ptr<LogStore> log;
  std::unique_ptr<DataStore> data;
  std::unique_ptr<LogWriter> writer;
  std::unique_ptr<NodeRecords> records;
  NodeIdentity identity;  // as of this start
  ReplicaHost::Options replication;
  internal::v1::ClusterState cached;

  std::unique_ptr<AddressBook> addresses;
  std::unique_ptr<PeerMessenger> messenger;
  PublishedView view;
  std::unique_ptr<Liveness> liveness;
  ServiceContext context;
  Readiness readiness{&context};
  std::unique_ptr<MetaGroup> meta;
  std::unique_ptr<ReplicaHost> host;
  std::unique_ptr<PageExchange> pages;
  std::unique_ptr<Membership> membership;
  std::unique_ptr<NodeKeyValueService> key_value;
  std::unique_ptr<NodeAdminService> admin;
  std::unique_ptr<NodeMetrics> metrics;
  bool started = false;
  bool stopped = false;
};

Node::Node(const Runtime& runtime, NodeOptions options)
    : runtime_(runtime), options_(std::move(options)), parts_(std::make_unique<Parts>()) {}

Node::~Node() {
  if (parts_->started && !parts_->stopped) {
    parts_->messenger->Stop();
    // Ends what is under way while those who asked for it are still there.
    parts_->host->Stop();
  }
}

absl::Status Node::Start() {
  for (const auto step : {&Node::OpenStores, &Node::LoadRecords}) {
    if (absl::Status status = (this->*step)(); !status.ok()) {
      return status;
    }
  }
  Compose();
  ComposeMetrics();
  Parts& parts = *parts_;
  LogInfo("node/started", {{"data_dir", options_.data_dir},
                           {"node_id", parts.identity.node_id},
                           {"cluster_id", HexId(parts.identity.cluster_id)},
                           {"boot", parts.identity.boot},
                           {"epoch", parts.cached.epoch()},
                           {"peer_address", options_.peer_address}});
  parts.membership->Start(std::move(parts.cached));
  parts.messenger->Start(
      {.raft =
           [host = parts.host.get()](uint64_t from,
                                     std::vector<internal::v1::RaftMessage> messages) {
             host->StepRaft(from, std::move(messages));
           },
       .snapshot =
           [host = parts.host.get()](uint64_t from, internal::v1::SnapshotMessage message) {
             host->StepSnapshot(from, std::move(message));
           },
       .pages = [pages = parts.pages.get()](
                    internal::v1::Envelope envelope) { pages->OnEnvelope(std::move(envelope)); },
       .control =
           [membership = parts.membership.get()](internal::v1::Envelope envelope) {
             membership->OnEnvelope(std::move(envelope));
           }});
  parts.started = true;
  return absl::OkStatus();
}

absl::Status Node::OpenStores() {
  rocksdb::Env* env = runtime_.env != nullptr ? runtime_.env : rocksdb::Env::Default();
  if (const rocksdb::Status made = env->CreateDirIfMissing(options_.data_dir); !made.ok()) {
    return absl::UnavailableError(
        fmt::format("the data folder {} cannot be made: {}; check --data-dir "
                    "and its parent's permissions",
                    options_.data_dir, made.ToString()));
  }
  StoreOptions store{.path = options_.data_dir + "/log",
                     .env = runtime_.env,
                     .cache_bytes = kLogCacheBytes,
                     .adjust = options_.adjust_storage};
  auto log = LogStore::Open(store);
  if (!log.ok()) {
    return log.status();
  }
  parts_->log = *std::move(log);
  store.path = options_.data_dir + "/data";
  store.cache_bytes = options_.cache_bytes;
  auto data = DataStore::Open(store);
  if (!data.ok()) {
    return data.status();
  }
  parts_->data = *std::move(data);
  return absl::OkStatus();
}

absl::Status Node::LoadRecords() {
  Parts& parts = *parts_;
  parts.records = std::make_unique<NodeRecords>(parts.log.get());
  auto cached = parts.records->LoadClusterCache();
  if (!cached.ok()) {
    return cached.status();
  }
  if (!parts.cached.ParseFromString(*cached)) {
    return absl::DataLossError(fmt::format(
        "the cluster state stored in {} cannot be read: wipe the folder and let the node join anew",
        options_.data_dir));
  }
  if (parts.cached.format() > kClusterStateFormat) {
    return absl::FailedPreconditionError(
        fmt::format("the cluster state stored in {} has format {}, this version knows {}: start a "
                    "newer version",
                    options_.data_dir, parts.cached.format(), kClusterStateFormat));
  }
  if (const auto rolled_back = parts.records->LoadRolledBack(); !rolled_back.ok()) {
    return rolled_back.status();
  }
  const auto power_losses = CountPowerLosses(parts.log.get(), runtime_.boot_id);
  if (!power_losses.ok()) {
    return power_losses.status();
  }
  parts.replication = options_.replication;
  parts.replication.power_losses = *power_losses;
  auto identity = BeginBoot(parts.records.get(), runtime_.seed);
  if (!identity.ok()) {
    return identity.status();
  }
  parts.identity = *std::move(identity);
  if (parts.cached.epoch() != 0 && parts.cached.cluster_id() != parts.identity.cluster_id) {
    return absl::FailedPreconditionError(fmt::format(
        "{} belongs to cluster {} but holds the state of cluster {}: two folders were mixed; "
        "restore the right one, or wipe it and let the node join anew",
        options_.data_dir, HexId(parts.identity.cluster_id), HexId(parts.cached.cluster_id())));
  }
  return absl::OkStatus();
}

void Node::Compose() {
  Parts& parts = *parts_;
  parts.writer = LogWriter::Create(runtime_, parts.log.get());
  parts.addresses = std::make_unique<AddressBook>(options_.peer_addresses);
  parts.messenger = std::make_unique<PeerMessenger>(
      runtime_.network, parts.addresses.get(),
      [writer = parts.writer.get()] { return writer->DurableBatch(); });
  parts.liveness = std::make_unique<Liveness>(options_.membership.dead_after);
  parts.meta = std::make_unique<MetaGroup>(
      [&parts](const internal::v1::ClusterState& state) { parts.membership->OnApplied(state); });
  ReplicaHost::Hooks hooks{
      .send_raft =
          [messenger = parts.messenger.get()](uint64_t node,
                                              std::vector<internal::v1::RaftMessage> messages) {
            messenger->SendRaft(node, std::move(messages));
          },
      .send_snapshot =
          [messenger = parts.messenger.get()](uint64_t node,
                                              internal::v1::SnapshotMessage message) {
            internal::v1::Envelope envelope;
            *envelope.mutable_snapshot() = std::move(message);
            messenger->Send(node, std::move(envelope));
          },
      .cluster = parts.meta.get(),
      .leader_changed = [](GroupId, uint64_t) {},
      .membership_settled =
          [&parts](GroupId group, uint64_t placement_epoch, const std::vector<ReplicaId>& voters) {
            parts.membership->OnSettled(group, placement_epoch, voters);
          },
      .store_poisoned =
          [&parts](const absl::Status& why) {
            LogError("node/store_failed", {{"why", why.ToString()}});
            parts.readiness.SetPoisoned(why);
          }};
  parts.host = ReplicaHost::Create(runtime_, parts.replication, parts.data.get(), parts.log.get(),
                                   parts.writer.get(), std::move(hooks));
  parts.pages = std::make_unique<PageExchange>(runtime_, parts.messenger.get(), parts.host.get(),
                                               parts.identity.nonce);
  ComposeMembership();
  ComposeContext();
  parts.key_value = std::make_unique<NodeKeyValueService>(&parts.context);
  parts.admin = std::make_unique<NodeAdminService>(
      NodeAdminService::Parts{.context = &parts.context,
                              .membership = parts.membership.get(),
                              .messenger = parts.messenger.get(),
                              .liveness = parts.liveness.get(),
                              .readiness = &parts.readiness,
                              .version = options_.version,
                              .started = runtime_.clock->Now(),
                              .metrics = runtime_.metrics.get()});
}

void Node::ComposeMetrics() {
  Parts& parts = *parts_;
  parts.metrics = std::make_unique<NodeMetrics>(
      runtime_, NodeMetrics::Parts{.host = parts.host.get(),
                                   .log = parts.log.get(),
                                   .data = parts.data.get(),
                                   .writer = parts.writer.get(),
                                   .messenger = parts.messenger.get(),
                                   .liveness = parts.liveness.get(),
                                   .readiness = &parts.readiness,
                                   .view = &parts.view,
                                   .data_dir = options_.data_dir,
                                   .version = options_.version,
                                   .power_losses = parts.replication.power_losses});
}

void Node::ComposeContext() {
  Parts& parts = *parts_;
  parts.context.clock = runtime_.clock;
  parts.context.control = runtime_.workers[0];
  parts.context.host = parts.host.get();
  parts.context.view = &parts.view;
  parts.context.ask_page = [pages = parts.pages.get()](
                               uint64_t node, internal::v1::ReadPageRequest request,
                               MonotonicTime until, Callback<internal::v1::ReadPageResponse> done) {
    pages->Ask(node, std::move(request), until, std::move(done));
  };
  parts.context.seems_alive = [liveness = parts.liveness.get(),
                               clock = runtime_.clock](uint64_t node) {
    return liveness->MayBeAlive(node, clock->Now());
  };
}

void Node::ComposeMembership() {
  Parts& parts = *parts_;
  MembershipOptions options{.announced = {},
                            .join = options_.join,
                            .timing = options_.membership,
                            .seed = runtime_.seed,
                            .ready = [&parts] { return parts.readiness.Get().ready(); }};
  options.announced.set_address(options_.client_address);
  options.announced.set_peer_address(options_.peer_address);
  options.announced.set_http_address(options_.http_address);
  options.announced.set_zone(options_.zone);
  options.announced.set_weight(options_.weight);
  parts.membership =
      std::make_unique<Membership>(runtime_,
                                   Membership::Parts{.messenger = parts.messenger.get(),
                                                     .addresses = parts.addresses.get(),
                                                     .records = parts.records.get(),
                                                     .host = parts.host.get(),
                                                     .view = &parts.view,
                                                     .liveness = parts.liveness.get()},
                                   std::move(options), parts.identity);
}

void Node::HandOverLeadership(absl::AnyInvocable<void()> done) {
  parts_->host->HandOverLeadership(std::move(done));
}

void Node::Stop() {
  Parts& parts = *parts_;
  if (!parts.started || parts.stopped) {
    return;
  }
  parts.stopped = true;
  parts.context.stopping = true;
  parts.messenger->Stop();
  RunAndWait(runtime_.workers[0], [&parts] { parts.membership->StopOnLoop(); });
  parts.host->Stop();
  // What membership was writing is through; the last act is to say that nothing was cut short.
  RunAndWait(runtime_.log_writer, [&parts] {
    auto identity = parts.records->LoadIdentity();
    if (identity.ok() && identity->has_value() && parts.log->Health().ok()) {
      (*identity)->clean_stop = true;
      (void)parts.records->SaveIdentity(**identity);
    }
  });
  LogInfo("node/stopped", {{"data_dir", options_.data_dir}});
}

KeyValueService* Node::key_value_service() { return parts_->key_value.get(); }

AdminService* Node::admin_service() { return parts_->admin.get(); }

ReplicaHost* Node::replica_host() { return parts_->host.get(); }

NodeReadiness Node::readiness() const {
  if (!parts_->started) {
    return {.causes = {{.what = "the node is starting", .fix = ""}}};
  }
  return parts_->readiness.Get();
}

NodeReadiness Node::health() const { return parts_->readiness.Health(); }

PeerSelf Node::identity() const { return parts_->messenger->self(); }

std::shared_ptr<const ClusterView> Node::cluster_view() const { return parts_->view.Get(); }

}  // namespace quorate
