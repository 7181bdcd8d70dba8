#include "server/service/scan.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "fmt/format.h"
#include "proto/error_detail.h"

namespace quorate {
namespace {

using internal::v1::ReadPageRequest;
using internal::v1::ReadPageResponse;

// An evenly spread page needs 1/n of it from each partition; twice that makes a short share, which
// would end the page early, rare.
size_t ShareBytes(const ScanPlan& plan, size_t bytes_min) {
  const size_t even = 2 * plan.page_bytes / std::max<size_t>(1, plan.partitions.size());
  return std::min(plan.page_bytes, std::max(bytes_min, even));
}

ReadPageRequest ToWire(const PageQuery& query, const kv::v1::PartitionPlacement& placement) {
  ReadPageRequest request;
  request.set_group_id(placement.group_id());
  request.set_begin(query.begin);
  request.set_end(query.end);
  request.set_limit(query.limit);
  request.set_page_bytes(static_cast<uint32_t>(query.bytes_max));
  request.set_keys_only(query.keys_only);
  return request;
}

PageAnswer FromWire(ReadPageResponse response) {
  PageAnswer page;
  page.more = response.more();
  page.entries.reserve(static_cast<size_t>(response.entries_size()));
  for (kv::v1::ScanEntry& entry : *response.mutable_entries()) {
    page.entries.push_back(std::move(entry));
  }
  return page;
}

}  // namespace

void ScanOperation::Run(const ServiceContext* context, ScanPlan plan, Callback<PageAnswer> done) {
  const MonotonicTime deadline = plan.deadline;
  std::shared_ptr<ScanOperation> operation(
      new ScanOperation(context, std::move(plan), std::move(done)));
  // Weak: a finished scan must not keep its view and its page until the deadline.
  context->control->PostAt(deadline, [weak = std::weak_ptr(operation)] {
    if (const auto still = weak.lock()) {
      still->Finish(MakeError(kv::v1::REASON_DEADLINE, kv::v1::OUTCOME_NOT_DONE,
                              "the deadline passed before all partitions answered"));
    }
  });
  operation->Pump();
}

ScanOperation::ScanOperation(const ServiceContext* context, ScanPlan plan,
                             Callback<PageAnswer> done)
    : context_(context),
      plan_(std::move(plan)),
      share_bytes_(ShareBytes(plan_, kShareBytesMin)),
      merger_({.entries_max = plan_.limit, .bytes_max = plan_.page_bytes}),
      done_(std::move(done)) {}

void ScanOperation::Pump() {
  while (true) {
    Share share;
    std::optional<PageAnswer> page;
    {
      const MutexLock lock(&mutex_);
      if (pumping_ || merger_.taken() || finished_) {
        return;
      }
      if (next_ == plan_.partitions.size()) {
        if (under_way_ > 0) {
          return;
        }
        // Several threads may see the end of the last share; one takes the page.
        page = merger_.Take();
      } else if (under_way_ == kParallelMax) {
        return;
      } else {
        pumping_ = true;
        share.partition = next_++;
        ++under_way_;
      }
    }
    if (page) {
      Finish(*std::move(page));
      return;
    }
    share.node = FirstNodeOf(share.partition);
    Fetch(share);
    const MutexLock lock(&mutex_);
    pumping_ = false;
  }
}

uint64_t ScanOperation::FirstNodeOf(size_t partition) const {
  const kv::v1::PartitionPlacement& placement = *plan_.partitions[partition];
  const uint64_t leader = context_->host->LeaderOf(GroupId(placement.group_id()));
  return leader != 0 && SeemsAlive(leader) ? leader : OwnerFrom(placement, 0);
}

bool ScanOperation::SeemsAlive(uint64_t node_id) const {
  return node_id == plan_.view->self() || !context_->seems_alive || context_->seems_alive(node_id);
}

// A question to a node that is down takes the whole time of an attempt, and a scan of many
// partitions asks about many of them one after the other.
uint64_t ScanOperation::OwnerFrom(const kv::v1::PartitionPlacement& placement, int first) const {
  const int owners = placement.replicas_size();
  for (int i = 0; i < owners; ++i) {
    const uint64_t node = placement.replicas((first + i) % owners).node_id();
    if (SeemsAlive(node)) {
      return node;
    }
  }
  return owners == 0 ? 0 : placement.replicas(first % owners).node_id();
}

PageQuery ScanOperation::QueryNow() {
  PageQuery query{.begin = plan_.begin,
                  .end = plan_.end,
                  .limit = plan_.limit,
                  .bytes_max = share_bytes_,
                  .keys_only = plan_.keys_only};
  const MutexLock lock(&mutex_);
  if (merger_.horizon()) {
    // Up to and with the last key that the page can hold.
    query.end = *merger_.horizon() + '\0';
  }
  return query;
}

void ScanOperation::Fetch(const Share& share) {
  const kv::v1::PartitionPlacement& placement = *plan_.partitions[share.partition];
  PageQuery query = QueryNow();
  const MonotonicTime until = std::min(plan_.deadline, context_->clock->Now() + kAttemptTimeout);
  auto self = shared_from_this();
  if (share.node == plan_.view->self()) {
    context_->host->ReadPage(
        GroupId(placement.group_id()), std::move(query), {.deadline = until},
        [self, share](absl::StatusOr<PageAnswer> page) { self->OnPage(share, std::move(page)); });
    return;
  }
  context_->ask_page(share.node, ToWire(query, placement), until,
                     [self, share](absl::StatusOr<ReadPageResponse> response) {
                       if (!response.ok()) {
                         self->Retry(share, 0, response.status());
                       } else if (!response->served()) {
                         self->Retry(share, response->leader_node(),
                                     absl::UnavailableError("it does not lead the partition"));
                       } else {
                         self->OnPage(share, FromWire(*std::move(response)));
                       }
                     });
}

void ScanOperation::OnPage(Share share, absl::StatusOr<PageAnswer> page) {
  if (!page.ok()) {
    const auto detail = DetailOf(page.status());
    Retry(share, detail && detail->has_leader() ? detail->leader().node_id() : 0, page.status());
    return;
  }
  bool sound = false;
  {
    const MutexLock lock(&mutex_);
    if (finished_) {
      return;
    }
    sound = merger_.Add(*std::move(page));
    if (sound) {
      --under_way_;
    }
  }
  if (!sound) {
    Retry(share, 0, absl::InternalError("it says that there is more, but gave nothing"));
    return;
  }
  Pump();
}

void ScanOperation::Retry(Share share, uint64_t leader, const absl::Status& why) {
  const kv::v1::PartitionPlacement& placement = *plan_.partitions[share.partition];
  const uint64_t asked = share.node;
  ++share.attempts;
  share.node = leader != 0 && leader != asked
                   ? leader
                   : OwnerFrom(placement, static_cast<int>(share.attempts));
  const MonotonicTime now = context_->clock->Now();
  if (now + kRetryDelay >= plan_.deadline) {
    Finish(MakeError(kv::v1::REASON_DEADLINE, kv::v1::OUTCOME_NOT_DONE,
                     fmt::format("partition {} did not answer in time; node {} said last: {}",
                                 placement.partition(), asked, why.ToString())));
    return;
  }
  // A first hint is followed at once. Through the loop, so that answers on the calling thread do
  // not nest.
  const MonotonicTime when = share.attempts == 1 && leader != 0 ? now : now + kRetryDelay;
  context_->control->PostAt(when, [self = shared_from_this(), share] { self->Fetch(share); });
}

void ScanOperation::Finish(absl::StatusOr<PageAnswer> page) {
  std::optional<Callback<PageAnswer>> done;
  {
    const MutexLock lock(&mutex_);
    if (finished_) {
      return;
    }
    finished_ = true;
    done = std::move(done_);
  }
  (*done)(std::move(page));
}

}  // namespace quorate
