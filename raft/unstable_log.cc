#include "raft/unstable_log.h"

#include <algorithm>

#include "raft/check.h"

namespace quorate::raft {

std::optional<Term> UnstableLog::TermAt(LogIndex index) const {
  if (index == base_) return base_term_;
  if (index < base_ || index > last_index()) return std::nullopt;
  return At(index).term;
}

const Entry& UnstableLog::At(LogIndex index) const {
  QUORATE_CHECK(index > base_ && index <= last_index());
  return entries_[index.value() - base_.value() - 1];
}

void UnstableLog::Append(Entry entry) {
  QUORATE_CHECK(entry.index == last_index().Next());
  bytes_ += entry.ByteSize();
  entries_.push_back(std::move(entry));
}

void UnstableLog::CutAfter(LogIndex previous, Term previous_term) {
  while (!entries_.empty() && entries_.back().index > previous) {
    bytes_ -= entries_.back().ByteSize();
    entries_.pop_back();
  }
  if (previous <= base_) {
    base_ = previous;
    base_term_ = previous_term;
  }
  given_ = std::min(given_, previous);
}

void UnstableLog::Release(LogIndex index) {
  QUORATE_CHECK(index <= given_, "only what a Ready has carried can be durable");
  while (base_ < index) {
    base_term_ = entries_.front().term;
    base_ = entries_.front().index;
    bytes_ -= entries_.front().ByteSize();
    entries_.pop_front();
  }
}

std::vector<Entry> UnstableLog::TakeNew() {
  std::vector<Entry> fresh(
      entries_.begin() + static_cast<ptrdiff_t>(given_.value() - base_.value()), entries_.end());
  given_ = last_index();
  return fresh;
}

}  // namespace quorate::raft
