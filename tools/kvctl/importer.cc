#include "tools/kvctl/importer.h"

#include <utility>

#include "fmt/format.h"
#include "tools/kvctl/encoding.h"

namespace quorate::kvctl {
namespace {

using client::Reason;

std::string NameOfRecord(const Record& record, uint64_t line, const client::WriteResult& result) {
  return fmt::format("line {}, key {}: {}", line, Printable(record.key),
                     std::string(result.status.message()));
}

}  // namespace

Importer::Importer(PutAsync put, Options options)
    : put_(std::move(put)), options_(std::move(options)), moved_(options_.now()) {}

bool Importer::Put(const Record& record, uint64_t line) {
  {
    MutexLock lock(&mutex_);
    while (inflight_ >= options_.inflight && !failed_) Wait();
    if (failed_) return false;
    ++inflight_;
  }
  Send({.record = record, .line = line});
  return true;
}

void Importer::WaitForAll() {
  MutexLock lock(&mutex_);
  while (inflight_ > 0) Wait();
}

void Importer::Wait() {
  if (!to_tell_) {
    changed_.Wait(&mutex_);
    return;
  }
  const std::string why = *std::exchange(to_tell_, std::nullopt);
  mutex_.Unlock();
  options_.stalled(why);
  mutex_.Lock();
}

ImportCounts Importer::counts() const {
  MutexLock lock(&mutex_);
  return counts_;
}

client::WriteResult Importer::failure() const {
  MutexLock lock(&mutex_);
  return failure_;
}

void Importer::Send(Flight flight) {
  client::WriteOptions write;
  write.timeout = options_.timeout;
  write.request_id = flight.request_id;
  const Record record = flight.record;
  put_(record, write, [this, flight = std::move(flight)](client::WriteResult result) mutable {
    OnAnswer(std::move(result), std::move(flight));
  });
}

void Importer::OnAnswer(client::WriteResult result, Flight flight) {
  {
    MutexLock lock(&mutex_);
    if (!MayGoOn(result)) {
      // With the lock held: the importer may be gone as soon as its last answer is in.
      Count(std::move(result), flight);
      changed_.NotifyAll();
      return;
    }
    if (!std::exchange(stalled_, true)) {
      to_tell_ = NameOfRecord(flight.record, flight.line, result);
      changed_.NotifyAll();
    }
  }
  // What was definitely not done is a new write.
  const bool unknown = result.outcome == client::Outcome::kUnknown;
  flight.request_id = unknown ? result.request_id : std::nullopt;
  Send(std::move(flight));
}

bool Importer::MayGoOn(const client::WriteResult& result) const {
  if (result.ok() || failed_ || options_.now() - moved_ >= kPatience) return false;
  if (result.outcome == client::Outcome::kUnknown && !result.request_id) return false;
  switch (result.reason) {
    case Reason::kDeadline:
    case Reason::kCannotServe:
    case Reason::kOverloaded:
      return true;
    case Reason::kUnreachable:
      return counts_.records > 0;
    default:
      return false;
  }
}

void Importer::Count(client::WriteResult result, const Flight& flight) {
  --inflight_;
  if (result.ok()) {
    ++counts_.records;
    counts_.bytes += flight.record.key.size() + flight.record.value.size();
    moved_ = options_.now();
    stalled_ = false;
    to_tell_.reset();
    return;
  }
  ++(result.outcome == client::Outcome::kUnknown ? counts_.unknown : counts_.refused);
  if (!std::exchange(failed_, true)) {
    result.status =
        absl::Status(result.status.code(), NameOfRecord(flight.record, flight.line, result));
    failure_ = std::move(result);
  }
}

}  // namespace quorate::kvctl
