#include "server/replication/raft_groups/status_query.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <tuple>
#include <utility>

#include "proto/error_detail.h"
#include "server/storage/data_store.h"

namespace quorate {
namespace {

using Statuses = std::vector<std::pair<kv::v1::ReplicaStatus, std::shared_ptr<ReplicaState>>>;

absl::Status ShuttingDown() {
  return MakeError(kv::v1::REASON_SHUTTING_DOWN, kv::v1::OUTCOME_NOT_DONE, "the node is stopping");
}

// What the workers give, until the last one has.
struct Collection {
  Mutex mutex;
  Statuses statuses ABSL_GUARDED_BY(mutex);
  size_t missing ABSL_GUARDED_BY(mutex) = 0;
};

bool InOrder(const kv::v1::ReplicaStatus& a, const kv::v1::ReplicaStatus& b) {
  return std::forward_as_tuple(a.keyspace(), a.partition(), a.group_id()) <
         std::forward_as_tuple(b.keyspace(), b.partition(), b.group_id());
}

void AddChecksums(HostContext& context, const DataSnapshot& snapshot,
                  StatusQuery::Answers* statuses) {
  for (kv::v1::ReplicaStatus& status : *statuses) {
    if (!status.fault().empty()) {
      continue;
    }
    const auto sum = context.data->Checksum(snapshot, ReplicaId(status.incarnation()));
    if (!sum.ok()) {
      context.damaged.AddIfDamage(GroupId(status.group_id()),
                                  {.replica = ReplicaId(status.incarnation())}, sum.status());
      status.set_fault(std::string(sum.status().message()));
      continue;
    }
    status.set_checksum(sum->hash);
    status.set_records(sum->keys);
    status.set_checksum_index(status.applied_index());
  }
}

// Apply loop.
void Complete(const std::shared_ptr<HostContext>& context, const std::shared_ptr<Applier>& applier,
              Statuses collected, bool checksum, std::shared_ptr<StatusQuery> query) {
  StatusQuery::Answers statuses;
  for (auto& [status, state] : collected) {
    if (state != nullptr) {
      status.set_applied_index(state->meta().applied_index());
      status.set_applied_hash(state->meta().applied_hash());
      status.set_commit_index(std::max(status.commit_index(), status.applied_index()));
      status.set_last_index(std::max(status.last_index(), status.applied_index()));
    }
    statuses.push_back(std::move(status));
  }
  std::sort(statuses.begin(), statuses.end(), InOrder);
  if (!checksum) {
    query->Answer(std::move(statuses));
    return;
  }
  query->snapshot.emplace(context->data->Snapshot());
  applier->PostBackground(
      [context, statuses = std::move(statuses), query = std::move(query)]() mutable {
        AddChecksums(*context, *query->snapshot, &statuses);
        query->snapshot.reset();
        query->Answer(std::move(statuses));
      });
}

}  // namespace

void StatusQuery::Answer(absl::StatusOr<Answers> answers) {
  if (!answered_.exchange(true)) {
    done_(std::move(answers));
  }
}

std::shared_ptr<StatusQuery> OpenQueries::Open(Callback<StatusQuery::Answers> done) {
  auto query = std::make_shared<StatusQuery>(std::move(done));
  {
    MutexLock lock(&mutex_);
    std::erase_if(open_, [](const auto& old) { return old->answered(); });
    if (!closed_) {
      open_.push_back(query);
      return query;
    }
  }
  query->Answer(ShuttingDown());
  return nullptr;
}

void OpenQueries::Close() {
  std::vector<std::shared_ptr<StatusQuery>> open;
  {
    MutexLock lock(&mutex_);
    closed_ = true;
    open.swap(open_);
  }
  for (const auto& query : open) {
    query->snapshot.reset();
    query->Answer(ShuttingDown());
  }
}

void CollectStatus(const std::shared_ptr<HostContext>& context,
                   const std::shared_ptr<Applier>& applier,
                   const std::vector<std::shared_ptr<Worker>>& workers, bool checksum,
                   std::shared_ptr<StatusQuery> query) {
  auto collection = std::make_shared<Collection>();
  {
    MutexLock lock(&collection->mutex);
    collection->missing = workers.size();
  }
  for (const auto& worker : workers) {
    worker->Enqueue(Worker::Control([=](Worker& on) {
      Statuses all;
      {
        MutexLock lock(&collection->mutex);
        on.AppendStatus(&collection->statuses);
        if (--collection->missing > 0) {
          return;
        }
        all.swap(collection->statuses);
      }
      applier->Post([=, all = std::move(all)]() mutable {
        Complete(context, applier, std::move(all), checksum, query);
      });
    }));
  }
}

}  // namespace quorate
