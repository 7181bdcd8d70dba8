#include "server/service/pending_writes.h"

#include "server/runtime/check.h"

namespace quorate {

void PendingWrites::Begin(Write* write) {
  MutexLock lock(&mutex_);
  QUORATE_CHECK(!write->waits_);
  write->waits_ = true;
  write->since_ = kUnseen;
  write->before_ = last_;
  write->behind_ = nullptr;
  (last_ == nullptr ? first_ : last_->behind_) = write;
  last_ = write;
}

void PendingWrites::End(Write* write) {
  MutexLock lock(&mutex_);
  if (write->waits_) {
    Remove(write);
  }
}

size_t PendingWrites::CutOff(MonotonicTime now, Duration timeout) {
  MutexLock lock(&mutex_);
  size_t cut = 0;
  while (first_ != nullptr && first_->since_ != kUnseen && now - first_->since_ >= timeout) {
    Write* const write = first_;
    Remove(write);
    write->CutOff();
    ++cut;
  }
  for (Write* write = last_; write != nullptr && write->since_ == kUnseen; write = write->before_) {
    write->since_ = now;
  }
  return cut;
}

void PendingWrites::Remove(Write* write) {
  (write->before_ == nullptr ? first_ : write->before_->behind_) = write->behind_;
  (write->behind_ == nullptr ? last_ : write->behind_->before_) = write->before_;
  write->waits_ = false;
}

}  // namespace quorate
