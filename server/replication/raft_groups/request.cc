#include "server/replication/raft_groups/request.h"

#include "proto/error_detail.h"
#include "server/runtime/check.h"

namespace quorate {
namespace {

constexpr uint32_t kCommandFormat = 1;
constexpr uint32_t kFeatureLevel = 4;
constexpr size_t kTimesBytesMax = 22;  // tag and varint of each

// Appends a number in protobuf's wire form. A message is the merge of its concatenated parts, so
// the big part is encoded on the caller's thread and only this on the worker.
void AppendNumber(int field, uint64_t value, std::string* encoded) {
  encoded->push_back(static_cast<char>(field << 3));  // wire type 0, varint
  while (value >= 0x80) {
    encoded->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  encoded->push_back(static_cast<char>(value));
}

}  // namespace

bool OpenRequest::Claim() {
  if (claimed_.exchange(true, std::memory_order_acq_rel)) {
    return false;
  }
  if (terms_.trace != nullptr) {
    terms_.trace->stages.CopyFrom(stages);
  }
  return true;
}

void OpenRequest::Refuse(const Refusal& refusal) {
  if (!Claim()) {
    return;
  }
  kv::v1::ErrorDetail detail;
  detail.set_reason(refusal.reason);
  detail.set_outcome(OutcomeNow());
  detail.set_retry_delay_ms(refusal.retry_delay_ms);
  if (refusal.leader_node != 0) {
    detail.mutable_leader()->set_node_id(refusal.leader_node);
  }
  Finish(MakeError(detail, refusal.message));
}

WriteRequest::WriteRequest(GroupId group, internal::v1::Command command, CallTerms terms,
                           Callback<WriteAnswer> done)
    : OpenRequest(group, terms), command_(std::move(command)), done_(std::move(done)) {
  command_.set_format(kCommandFormat);
  command_.set_feature_level(kFeatureLevel);
  command_.clear_stamp();
  command_.clear_elapsed_us();
  bytes_ = command_.ByteSizeLong() + kTimesBytesMax;
  encoded_.reserve(bytes_);
  command_.AppendToString(&encoded_);
}

WriteRequest::~WriteRequest() {
  if (charged_) {
    charged_->fetch_sub(bytes_, std::memory_order_relaxed);
  }
}

bool WriteRequest::Charge(std::shared_ptr<std::atomic<size_t>> used, size_t most) {
  const size_t before = used->fetch_add(bytes_, std::memory_order_relaxed);
  if (before != 0 && before + bytes_ > most) {
    used->fetch_sub(bytes_, std::memory_order_relaxed);
    return false;
  }
  charged_ = std::move(used);
  return true;
}

std::shared_ptr<const std::string> WriteRequest::TakePayload(uint64_t stamp, uint64_t elapsed_us) {
  QUORATE_CHECK(!proposed());
  command_.set_stamp(stamp);
  AppendNumber(internal::v1::Command::kStampFieldNumber, stamp, &encoded_);
  if (elapsed_us > 0) {
    command_.set_elapsed_us(elapsed_us);
    AppendNumber(internal::v1::Command::kElapsedUsFieldNumber, elapsed_us, &encoded_);
  }
  return std::make_shared<const std::string>(std::move(encoded_));
}

void WriteRequest::MarkProposed(raft::Term term, raft::LogIndex index) {
  term_ = term;
  index_ = index;
  proposed_.store(true, std::memory_order_relaxed);
}

void WriteRequest::Answer(absl::StatusOr<WriteAnswer> answer) {
  if (Claim()) {
    done_(std::move(answer));
  }
}

void TransferRequest::Answer() {
  if (Claim()) {
    done_(absl::OkStatus());
  }
}

void ReadRequest::Answer(absl::StatusOr<ReadAnswer> answer) {
  if (Claim()) {
    std::get<Get>(what_).done(std::move(answer));
  }
}

void ReadRequest::Answer(absl::StatusOr<PageAnswer> answer) {
  if (Claim()) {
    std::get<Page>(what_).done(std::move(answer));
  }
}

void ReadRequest::Answer(absl::StatusOr<std::vector<ReadAnswer>> answer) {
  if (Claim()) {
    std::get<GetMany>(what_).done(std::move(answer));
  }
}

void ReadRequest::Finish(absl::Status error) {
  std::visit([&](auto& what) { what.done(std::move(error)); }, what_);
}

}  // namespace quorate
