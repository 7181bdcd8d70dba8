#include "server/replication/raft_groups/snapshot_exchange.h"

#include <utility>

namespace quorate {

SnapshotExchange::SnapshotExchange(std::shared_ptr<HostContext> context, Sinks sinks)
    : context_(std::move(context)),
      sender_(
          context_.get(), [this](MonotonicTime when, Task task) { PostAt(when, std::move(task)); },
          std::move(sinks.ended)),
      receiver_(
          context_.get(), [this](MonotonicTime when, Task task) { PostAt(when, std::move(task)); },
          std::move(sinks.arrived)) {}

void SnapshotExchange::Post(Task task) {
  context_->runtime.background->Post([self = shared_from_this(), task = std::move(task)]() mutable {
    self->gate_.Run([&] { task(); });
  });
}

void SnapshotExchange::PostAt(MonotonicTime when, Task task) {
  context_->runtime.background->PostAt(
      when, [self = shared_from_this(), task = std::move(task)]() mutable {
        self->gate_.Run([&] { task(); });
      });
}

void SnapshotExchange::Offer(const SnapshotRoute& route, uint64_t node) {
  Post([this, route, node] { sender_.Offer(route, node); });
}

void SnapshotExchange::Withdraw(GroupId group) {
  Post([this, group] { sender_.Withdraw(group); });
}

void SnapshotExchange::Accept(uint64_t from_node, internal::v1::SnapshotMessage offer) {
  Post([this, from_node, offer = std::move(offer)] { receiver_.OnOffer(from_node, offer); });
}

void SnapshotExchange::OnMessage(uint64_t from_node, internal::v1::SnapshotMessage message) {
  Post([this, from_node, message = std::move(message)] {
    // An end concerns one of the two; the other does not know the stream.
    if (!message.has_chunk()) sender_.OnMessage(from_node, message);
    if (!message.has_request()) receiver_.OnMessage(from_node, message);
  });
}

void SnapshotExchange::Forget(GroupId group) {
  Post([this, group] {
    sender_.Withdraw(group);
    receiver_.Forget(group);
  });
}

void SnapshotExchange::Answer(const ArrivedSnapshot& arrived, bool taken, std::string why) {
  internal::v1::SnapshotMessage message = SnapshotHead(arrived.route, arrived.stream);
  message.mutable_end()->set_complete(taken);
  message.mutable_end()->set_reason(std::move(why));
  context_->hooks.send_snapshot(arrived.node, std::move(message));
}

void SnapshotExchange::Discard(std::shared_ptr<StagedSnapshot> staged) {
  {
    const MutexLock lock(&discarded_mutex_);
    discarded_.push_back(std::move(staged));
  }
  Post([this] {
    std::vector<std::shared_ptr<StagedSnapshot>> all;
    const MutexLock lock(&discarded_mutex_);
    all.swap(discarded_);
  });
}

void SnapshotExchange::Close() {
  gate_.Close([this] {
    sender_.Close();
    receiver_.Close();
    const MutexLock lock(&discarded_mutex_);
    discarded_.clear();
  });
}

}  // namespace quorate
