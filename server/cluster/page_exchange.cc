#include "server/cluster/page_exchange.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "proto/error_detail.h"

namespace quorate {
namespace {

using internal::v1::Envelope;
using internal::v1::ReadPageRequest;
using internal::v1::ReadPageResponse;

// What one page may hold at most, whatever the asker says; see kv.v1.ScanRequest.page_bytes.
constexpr size_t kPageBytesMax = size_t{4} << 20;
constexpr uint32_t kTimeoutMsMax = 60'000;

ReadPageResponse AnswerOf(absl::StatusOr<PageAnswer> page) {
  ReadPageResponse response;
  if (!page.ok()) {
    if (const auto detail = DetailOf(page.status()); detail && detail->has_leader()) {
      response.set_leader_node(detail->leader().node_id());
    }
    return response;
  }
  response.set_served(true);
  response.set_more(page->more);
  for (kv::v1::ScanEntry& entry : page->entries) {
    *response.add_entries() = std::move(entry);
  }
  return response;
}

}  // namespace

void PageExchange::Ask(uint64_t node_id, ReadPageRequest request, MonotonicTime until,
                       Callback<ReadPageResponse> done) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(until - clock_->Now()).count();
  if (left <= 0) {
    done(absl::DeadlineExceededError("no time left to read a page"));
    return;
  }
  const auto open_questions = [this] {
    const MutexLock lock(&mutex_);
    return open_.size();
  };
  // Several threads may pass at once: the bound is on memory, and a few more do no harm.
  if (open_questions() >= kQuestionsMax) {
    done(absl::ResourceExhaustedError("too many pages are being read"));
    return;
  }
  uint64_t question = 0;
  {
    const MutexLock lock(&mutex_);
    question = ++next_question_;
    open_.emplace(question, std::move(done));
  }
  request.set_question(question);
  request.set_timeout_ms(static_cast<uint32_t>(std::min<int64_t>(left, kTimeoutMsMax)));
  Envelope envelope;
  *envelope.mutable_read_page_request() = std::move(request);
  messenger_->Send(node_id, std::move(envelope));
  control_->PostAt(until, [this, question] {
    Finish(question, absl::DeadlineExceededError("no answer from the node that was asked"));
  });
}

void PageExchange::OnEnvelope(Envelope envelope) {
  if (envelope.has_read_page_request()) {
    Serve(std::move(envelope));
  } else if (envelope.has_read_page_response()) {
    const uint64_t question = envelope.read_page_response().question();
    Finish(question, std::move(*envelope.mutable_read_page_response()));
  }
}

void PageExchange::Serve(Envelope envelope) {
  const ReadPageRequest& request = envelope.read_page_request();
  const std::shared_ptr<void> served(serving_.get(),
                                     [serving = serving_](void*) { serving->fetch_sub(1); });
  if (serving_->fetch_add(1) >= kServingMax) {
    Answer(envelope, absl::ResourceExhaustedError("too many pages are being read here"));
    return;
  }
  PageQuery query{.begin = request.begin(),
                  .end = request.end(),
                  .limit = std::max<uint64_t>(1, request.limit()),
                  .bytes_max = std::min<size_t>(kPageBytesMax, request.page_bytes()),
                  .keys_only = request.keys_only()};
  const auto deadline =
      clock_->Now() + std::chrono::milliseconds(std::min(kTimeoutMsMax, request.timeout_ms()));
  const GroupId group(request.group_id());
  host_->ReadPage(group, std::move(query), {.deadline = deadline},
                  [this, served, envelope = std::move(envelope)](absl::StatusOr<PageAnswer> page) {
                    Answer(envelope, std::move(page));
                  });
}

void PageExchange::Answer(const Envelope& asked, absl::StatusOr<PageAnswer> page) {
  Envelope answer;
  *answer.mutable_read_page_response() = AnswerOf(std::move(page));
  answer.mutable_read_page_response()->set_question(asked.read_page_request().question());
  messenger_->Reply(asked, std::move(answer));
}

void PageExchange::Finish(uint64_t question, absl::StatusOr<ReadPageResponse> answer) {
  std::optional<Callback<ReadPageResponse>> done;
  {
    const MutexLock lock(&mutex_);
    const auto found = open_.find(question);
    if (found == open_.end()) {
      return;  // answered already, or a question of an earlier life
    }
    done = std::move(found->second);
    open_.erase(found);
  }
  (*done)(std::move(answer));
}

}  // namespace quorate
