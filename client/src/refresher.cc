#include "client/src/refresher.h"

#include <chrono>
#include <utility>

#include "fmt/format.h"
#include "proto/error_detail.h"

namespace quorate::client {
namespace {

constexpr Duration kAskTimeout = std::chrono::seconds(1);

}  // namespace

// One refresh: whom it asked, and what they said.
struct Refresher::Progress {
  uint64_t turn = 0;
  Tried asked;
  int uninitialised = 0;
  absl::Status uninitialised_status;
  absl::Status last_status = absl::UnavailableError("no endpoint");
};

void Refresher::Refresh(Waiter waiter) {
  auto progress = std::make_shared<Progress>();
  const auto is_closed = [this] {
    MutexLock lock(&mutex_);
    return closed_;
  };
  if (is_closed()) {
    waiter(absl::CancelledError("the client was closed"));
    return;
  }
  {
    // One that slips in while Close is called is answered by the end of the asking below.
    MutexLock lock(&mutex_);
    waiters_.push_back(std::move(waiter));
    if (running_) {
      return;
    }
    running_ = true;
    progress->turn = turn_++;
  }
  AskNext(std::move(progress));
}

void Refresher::Close() {
  std::vector<Waiter> waiters;
  {
    MutexLock lock(&mutex_);
    closed_ = true;
    waiters.swap(waiters_);
  }
  // They hold what holds this: an answer that never comes must not keep all of it alive.
  for (Waiter& waiter : waiters) {
    waiter(absl::CancelledError("the client was closed"));
  }
}

void Refresher::AskNext(std::shared_ptr<Progress> progress) {
  const auto target = router_->PickAny(progress->asked, clock_->Now(), progress->turn);
  bool closed = false;
  {
    MutexLock lock(&mutex_);
    closed = closed_;
  }
  if (!target || closed) {
    const bool all_uninitialised =
        progress->uninitialised > 0 &&
        progress->uninitialised == static_cast<int>(progress->asked.size());
    Complete(all_uninitialised ? progress->uninitialised_status : progress->last_status);
    return;
  }
  progress->asked.push_back(target->address);
  kv::v1::GetClusterStateRequest request;
  request.set_known_epoch(router_->epoch());
  transport_->GetClusterState(target->address, request, clock_->Now() + kAskTimeout,
                              [self = shared_from_this(), progress, target = *target](
                                  absl::StatusOr<kv::v1::GetClusterStateResponse> answer) {
                                self->OnAnswer(progress, target, std::move(answer));
                              });
}

void Refresher::OnAnswer(std::shared_ptr<Progress> progress, const Target& target,
                         absl::StatusOr<kv::v1::GetClusterStateResponse> answer) {
  absl::Status status = answer.status();
  if (status.ok()) {
    status = router_->Install(*answer);
  }
  if (status.ok()) {
    router_->NoteAnswer(target.address);
    ids_->NoteClusterTime(answer->cluster_time_us(), clock_->Now());
    Complete(absl::OkStatus());
    return;
  }
  if (ReasonOf(status) != kv::v1::REASON_UNSPECIFIED) {
    router_->NoteAnswer(target.address);
  } else {
    router_->NoteNoAnswer(target.address, clock_->Now());
  }
  if (ReasonOf(status) == kv::v1::REASON_NOT_INITIALISED) {
    ++progress->uninitialised;
    progress->uninitialised_status = status;
  }
  const std::string from = target.address;
  progress->last_status =
      absl::Status(status.code(), fmt::format("node {}: {}", from, std::string(status.message())));
  AskNext(std::move(progress));
}

void Refresher::Complete(const absl::Status& status) {
  std::vector<Waiter> waiters;
  {
    MutexLock lock(&mutex_);
    running_ = false;
    waiters.swap(waiters_);
  }
  for (Waiter& waiter : waiters) {
    waiter(status);
  }
}

}  // namespace quorate::client
