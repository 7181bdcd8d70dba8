#include "server/storage/flush_marks.h"

#include <algorithm>

namespace quorate {

void FlushMarks::Applied(uint64_t sequence, size_t bytes, const Indexes& indexes) {
  if (indexes.empty()) return;
  const MutexLock lock(&mutex_);
  if (notes_.empty() || notes_.back().bytes >= note_bytes_) notes_.emplace_back();
  Note& note = notes_.back();
  note.sequence = std::max(note.sequence, sequence);
  note.bytes += bytes;
  for (const auto& [replica, index] : indexes) {
    uint64_t& noted = note.indexes[replica];
    noted = std::max(noted, index);
  }
  SettleNotes();  // its flush may have been faster than this call
}

void FlushMarks::Flushed(uint64_t sequence) {
  const MutexLock lock(&mutex_);
  flushed_sequence_ = std::max(flushed_sequence_, sequence);
  SettleNotes();
}

void FlushMarks::SettleNotes() {
  while (!notes_.empty() && notes_.front().sequence <= flushed_sequence_) {
    for (const auto& [replica, index] : notes_.front().indexes) {
      uint64_t& durable = durable_[replica];
      durable = std::max(durable, index);
    }
    notes_.pop_front();
  }
}

void FlushMarks::Durable(ReplicaId replica, uint64_t index) {
  const MutexLock lock(&mutex_);
  uint64_t& durable = durable_[replica];
  durable = std::max(durable, index);
}

void FlushMarks::FoundStored(ReplicaId replica, uint64_t index) {
  const MutexLock lock(&mutex_);
  const auto in_memory = [&](const Note& note) { return note.indexes.contains(replica); };
  if (std::none_of(notes_.begin(), notes_.end(), in_memory)) {
    durable_.try_emplace(replica, index);
  }
}

void FlushMarks::Forget(ReplicaId replica) {
  const MutexLock lock(&mutex_);
  durable_.erase(replica);
  for (Note& note : notes_) note.indexes.erase(replica);
}

uint64_t FlushMarks::Get(ReplicaId replica) const {
  const MutexLock lock(&mutex_);
  const auto found = durable_.find(replica);
  return found == durable_.end() ? 0 : found->second;
}

}  // namespace quorate
