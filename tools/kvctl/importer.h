// The puts of an import.
#ifndef TOOLS_KVCTL_IMPORTER_H_
#define TOOLS_KVCTL_IMPORTER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "quorate/keyspace.h"
#include "server/runtime/mutex.h"
#include "tools/kvctl/record.h"

namespace quorate::kvctl {

struct ImportCounts {
  uint64_t records = 0;  // done
  uint64_t bytes = 0;    // of their keys and values
  uint64_t unknown = 0;
  uint64_t refused = 0;
};

// Keeps up to `inflight` puts on their way. One whose time-out passes because nodes could not serve
// it is put again, under its request id where its outcome is unknown, as long as the import gets on
// somewhere: a record was done, or the import began, within kPatience. A long import then outlives
// what a short one would be told as an error. Where no node was ever reached the first failure is
// the last.
//
// Put, WaitForAll and `stalled` run on one thread; answers come on the client's.
class Importer {
 public:
  static constexpr std::chrono::minutes kPatience{5};

  using SteadyClock = std::chrono::steady_clock;
  using PutAsync = std::function<void(const Record&, const client::WriteOptions&,
                                      client::Handler<client::WriteResult>)>;
  struct Options {
    std::chrono::nanoseconds timeout{};  // of one attempt
    uint32_t inflight = 1;
    // Told once for each standstill, with what hinders a record that is being put again.
    std::function<void(const std::string& why)> stalled = [](const std::string&) {};
    std::function<SteadyClock::time_point()> now = SteadyClock::now;
  };

  Importer(PutAsync put, Options options);

  // Waits for a free place. False once a put has failed: no more are taken.
  bool Put(const Record& record, uint64_t line) ABSL_LOCKS_EXCLUDED(mutex_);
  void WaitForAll() ABSL_LOCKS_EXCLUDED(mutex_);

  [[nodiscard]] ImportCounts counts() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The first failed put, its message naming line and key; OK when none failed.
  [[nodiscard]] client::WriteResult failure() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // A record that has a place.
  struct Flight {
    Record record;
    uint64_t line = 0;
    std::optional<client::RequestId> request_id{};
  };

  void Send(Flight flight) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnAnswer(client::WriteResult result, Flight flight) ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] bool MayGoOn(const client::WriteResult& result) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Count(client::WriteResult result, const Flight& flight)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Until something changes; reports a standstill.
  void Wait() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const PutAsync put_;
  const Options options_;

  mutable Mutex mutex_;
  CondVar changed_;
  uint32_t inflight_ ABSL_GUARDED_BY(mutex_) = 0;
  bool failed_ ABSL_GUARDED_BY(mutex_) = false;
  SteadyClock::time_point moved_ ABSL_GUARDED_BY(mutex_);  // a record was done, or it began
  bool stalled_ ABSL_GUARDED_BY(mutex_) = false;           // told since then
  std::optional<std::string> to_tell_ ABSL_GUARDED_BY(mutex_);
  ImportCounts counts_ ABSL_GUARDED_BY(mutex_);
  client::WriteResult failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_IMPORTER_H_
