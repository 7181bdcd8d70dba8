#include "server/storage/log_sizes.h"

namespace quorate {
namespace {

constexpr uint64_t kRunBytes = 64 << 10;

}  // namespace

uint64_t LogSizes::Run::Share(uint64_t entries) const {
  return static_cast<uint64_t>(static_cast<double>(bytes) * static_cast<double>(entries) /
                               static_cast<double>(count()));
}

void LogSizes::Append(raft::LogIndex index, uint64_t bytes) {
  total_ += bytes;
  if (runs_.empty() || runs_.back().bytes + bytes > kRunBytes) {
    runs_.push_back({.first = index, .last = index, .bytes = bytes});
    return;
  }
  runs_.back().last = index;
  runs_.back().bytes += bytes;
}

void LogSizes::CutFrom(raft::LogIndex first) {
  while (!runs_.empty() && runs_.back().first >= first) {
    total_ -= runs_.back().bytes;
    runs_.pop_back();
  }
  if (runs_.empty() || runs_.back().last < first) return;
  Run& run = runs_.back();
  const uint64_t gone = run.Share(run.last.value() - first.value() + 1);
  run.last = first.Previous();
  run.bytes -= gone;
  total_ -= gone;
}

void LogSizes::DropTo(raft::LogIndex last) {
  while (!runs_.empty() && runs_.front().last <= last) {
    total_ -= runs_.front().bytes;
    runs_.pop_front();
  }
  if (runs_.empty() || runs_.front().first > last) return;
  Run& run = runs_.front();
  const uint64_t gone = run.Share(last.value() - run.first.value() + 1);
  run.first = last.Next();
  run.bytes -= gone;
  total_ -= gone;
}

void LogSizes::Clear() {
  runs_.clear();
  total_ = 0;
}

raft::LogIndex LogSizes::LastBefore(uint64_t bytes) const {
  uint64_t kept = 0;
  for (auto run = runs_.rbegin(); run != runs_.rend(); ++run) {
    kept += run->bytes;
    if (kept < bytes) continue;
    const auto spare = static_cast<double>(kept - bytes) / static_cast<double>(run->bytes);
    const auto entries = static_cast<uint64_t>(spare * static_cast<double>(run->count()));
    return raft::LogIndex(run->first.Previous().value() + entries);
  }
  return raft::LogIndex();
}

}  // namespace quorate
