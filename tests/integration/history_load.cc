// history_load run HOST:PORT,… KEYSPACE FILE SEED
// history_load check FILE
//
// run: logical clients read, write, delete, compare and set few hot keys and increment counters,
// through the client library, until SIGINT. Then every key is read, the history of what each client
// saw is written to FILE (docs/formats.md; counters are not in it) and checked as the simulator
// checks its own. Prints counts as JSON.
// check: checks a history that was written before.
// Exit code: 0 right, 1 wrong (the reason goes to stderr), 2 called wrongly.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "quorate/client.h"
#include "server/runtime/mutex.h"
#include "server/runtime/random.h"
#include "tests/sim/checkers/counter.h"
#include "tests/sim/checkers/history.h"
#include "tests/sim/checkers/hot_keys.h"
#include "tests/sim/checkers/linearizability.h"

namespace quorate {
namespace {

using client::Outcome;
using client::Reason;
using sim::CounterOperation;
using sim::History;
using sim::HistoryOp;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr size_t kUsers = 6;
constexpr uint32_t kHotKeys = 5;
constexpr uint32_t kPicksPerKey = 200;
constexpr size_t kCounters = 3;
// Of one operation at the end, when nothing is broken any more.
constexpr seconds kPatience(120);

nanoseconds Now() { return std::chrono::steady_clock::now().time_since_epoch(); }

// What all users saw. Any thread.
class Record {
 public:
  std::string PickKey(Random& random) {
    MutexLock lock(&mutex_);
    return keys_.Pick(random);
  }
  uint64_t NewNumber() { return ++numbers_; }

  size_t Begin(uint64_t process, const std::string& key, HistoryOp op,
               std::optional<std::string> expected, std::optional<std::string> value) {
    MutexLock lock(&mutex_);
    return history_.Invoke(process, key, op, std::move(expected), std::move(value), Now());
  }
  // `read`: what a read saw.
  void End(size_t operation, Outcome outcome, std::optional<std::string> read = std::nullopt) {
    MutexLock lock(&mutex_);
    if (outcome == Outcome::kDone) history_.Ok(operation, std::move(read), Now());
    if (outcome == Outcome::kNotDone) history_.Fail(operation, Now());
    if (outcome == Outcome::kUnknown) history_.Info(operation, Now());
  }
  void AddToCounter(size_t counter, const CounterOperation& operation) {
    MutexLock lock(&mutex_);
    counters_[counter].push_back(operation);
  }
  void Count(const std::string& what) {
    MutexLock lock(&mutex_);
    ++counts_[what];
  }
  void AddViolation(std::string what) {
    MutexLock lock(&mutex_);
    violations_.push_back(std::move(what));
  }
  std::vector<std::string> Keys() {
    MutexLock lock(&mutex_);
    return keys_.all();
  }

  void Write(const std::string& keyspace, const std::string& file) {
    MutexLock lock(&mutex_);
    std::ofstream out(file);
    history_.WriteJsonLines(keyspace, out);
    if (!out.flush()) violations_.push_back("cannot write " + file);
  }
  // What is wrong.
  std::vector<std::string> Violations() {
    MutexLock lock(&mutex_);
    std::vector<std::string> violations = violations_;
    const sim::LinearizabilityResult result = sim::CheckLinearizability(history_);
    if (!result.ok) violations.push_back(result.explanation);
    for (const std::vector<CounterOperation>& counter : counters_) {
      if (std::string wrong = sim::CheckCounter(counter); !wrong.empty()) {
        violations.push_back(std::move(wrong));
      }
    }
    return violations;
  }
  nlohmann::json Counts() {
    MutexLock lock(&mutex_);
    nlohmann::json counts = counts_;
    counts["keys"] = keys_.all().size();
    return counts;
  }

 private:
  std::atomic<uint64_t> numbers_ = 0;
  Mutex mutex_;
  sim::HotKeys keys_ ABSL_GUARDED_BY(mutex_){kHotKeys, kPicksPerKey};
  History history_ ABSL_GUARDED_BY(mutex_);
  std::array<std::vector<CounterOperation>, kCounters> counters_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, uint64_t> counts_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> violations_ ABSL_GUARDED_BY(mutex_);
};

// A logical client: one operation at a time, on a thread of its own.
class User {
 public:
  User(Record* record, client::Keyspace keyspace, uint64_t seed)
      : record_(record),
        keyspace_(std::move(keyspace)),
        random_(seed),
        process_(record->NewNumber()) {}

  void RunUntil(const std::atomic<bool>& stopped) {
    while (!stopped) {
      std::this_thread::sleep_for(UniformDuration(random_, milliseconds(0), milliseconds(20)));
      const nanoseconds timeout = UniformDuration(random_, milliseconds(300), seconds(3));
      const uint64_t pick = UniformBelow(random_, 100);
      const size_t counter = UniformBelow(random_, kCounters);
      if (pick < 10) {
        Increment(counter, timeout);
      } else if (pick < 15) {
        ReadCounter(counter, timeout);
      } else {
        UseKey(record_->PickKey(random_), pick, timeout);
      }
    }
  }
  // What is there at the end, which nothing may hide from.
  void ReadAll() {
    for (const std::string& key : record_->Keys()) {
      if (!Read(key, kPatience)) record_->AddViolation("cannot be read at the end: " + key);
    }
    for (size_t counter = 0; counter < kCounters; ++counter) {
      if (!ReadCounter(counter, kPatience)) record_->AddViolation("a counter cannot be read");
    }
  }

 private:
  struct Known {
    std::optional<std::string> value;
    client::Version version;
  };
  static std::string CounterKey(size_t counter) { return fmt::format("counter{}", counter); }

  void UseKey(const std::string& key, uint64_t pick, nanoseconds timeout) {
    if (pick < 50) {
      Read(key, timeout);
    } else if (pick < 72) {
      Put(key, "write", {.timeout = timeout});
    } else if (pick < 94) {
      CompareAndSet(key, timeout);
    } else {
      const size_t operation =
          record_->Begin(process_, key, HistoryOp::kDelete, std::nullopt, std::nullopt);
      EndWrite(operation, key, std::nullopt, "delete", keyspace_.Delete(key, {.timeout = timeout}));
    }
  }
  bool Read(const std::string& key, nanoseconds timeout) {
    const size_t operation =
        record_->Begin(process_, key, HistoryOp::kRead, std::nullopt, std::nullopt);
    const client::GetResult result = keyspace_.Get(key, {.timeout = timeout});
    const bool absent = result.reason == Reason::kKeyNotFound;
    if (!result.ok() && !absent) {
      record_->End(operation, Outcome::kNotDone);
      record_->Count("failed");
      return false;
    }
    const Known seen{absent ? std::nullopt : std::optional(result.value), result.version};
    record_->End(operation, Outcome::kDone, seen.value);
    record_->Count("read");
    record_->Count(std::string(client::ServedByName(result.receipt.served_by)));
    known_[key] = seen;
    return true;
  }
  void Put(const std::string& key, const char* what, const client::WriteOptions& options) {
    const std::string value = fmt::format("v{}", record_->NewNumber());
    const bool is_cas = options.condition.if_absent || options.condition.if_version.has_value();
    const size_t operation =
        record_->Begin(process_, key, is_cas ? HistoryOp::kCas : HistoryOp::kWrite,
                       is_cas ? known_[key].value : std::nullopt, value);
    EndWrite(operation, key, value, what, keyspace_.Put(key, value, options));
  }
  // Against what this client knows of the key; against absence where it knows nothing.
  void CompareAndSet(const std::string& key, nanoseconds timeout) {
    const Known known = known_[key];
    Put(key, "cas",
        {.timeout = timeout,
         .condition = known.value ? client::Condition::IfVersion(known.version)
                                  : client::Condition::IfAbsent()});
  }
  void EndWrite(size_t operation, const std::string& key, std::optional<std::string> value,
                const char* what, const client::WriteResult& result) {
    record_->End(operation, result.outcome);
    if (result.ok()) {
      record_->Count(what);
      known_[key] = {std::move(value), result.version};
    } else {
      known_.erase(key);
      record_->Count(result.outcome == Outcome::kUnknown                ? "unknown"
                     : result.reason == client::Reason::kConditionFalse ? "condition-false"
                                                                        : "failed");
    }
    if (result.outcome == Outcome::kUnknown) process_ = record_->NewNumber();
  }
  // Repeated under its first name until it is known what became of it.
  void Increment(size_t counter, nanoseconds timeout) {
    CounterOperation operation{.delta = 1 + static_cast<int64_t>(UniformBelow(random_, 9)),
                               .begin = Now()};
    client::IncrementOptions options{.timeout = timeout};
    client::IncrementResult result;
    do {
      result = keyspace_.Increment(CounterKey(counter), operation.delta, options);
      operation.end = Now();
      if (options.request_id) record_->Count("repeated-increment");
      if (result.outcome == Outcome::kNotDone && options.request_id) {
        record_->AddViolation(fmt::format("a repeat of an unknown increment was refused: {}",
                                          client::ReasonName(result.reason)));
      }
      options.request_id = result.request_id;
    } while (result.outcome == Outcome::kUnknown && operation.end - operation.begin < kPatience);
    record_->Count(result.ok() ? "increment" : "failed");
    if (result.outcome == Outcome::kNotDone) return;
    if (result.ok()) operation.value = result.value;
    record_->AddToCounter(counter, operation);
  }
  bool ReadCounter(size_t counter, nanoseconds timeout) {
    CounterOperation operation{.begin = Now()};
    const client::GetResult result = keyspace_.Get(CounterKey(counter), {.timeout = timeout});
    operation.end = Now();
    if (!result.ok() && result.reason != Reason::kKeyNotFound) return false;
    int64_t value = 0;
    std::from_chars(result.value.data(), result.value.data() + result.value.size(), value);
    operation.value = value;
    record_->AddToCounter(counter, operation);
    record_->Count("counter-read");
    return true;
  }

  Record* const record_;
  const client::Keyspace keyspace_;
  SeededRandom random_;
  uint64_t process_;
  std::map<std::string, Known> known_;
};

int Report(const std::vector<std::string>& violations) {
  for (const std::string& each : violations) fmt::print(stderr, "{}\n", each);
  return violations.empty() ? 0 : 1;
}

int Run(const std::vector<std::string>& endpoints, const std::string& keyspace,
        const std::string& file, uint64_t seed) {
  // Before there are threads, so that all of them leave it to this one.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  Record record;
  std::atomic<bool> stopped = false;
  std::vector<std::unique_ptr<client::Client>> clients;
  std::vector<std::unique_ptr<User>> users;
  for (size_t i = 0; i < kUsers; ++i) {
    // Each with a view of the cluster of its own, so that some ask who leads no more.
    auto client = client::Client::Connect({.endpoints = endpoints});
    if (!client.ok()) {
      fmt::print(stderr, "{}\n", std::string(client.status().message()));
      return 2;
    }
    clients.push_back(*std::move(client));
    users.push_back(std::make_unique<User>(&record, clients.back()->UncheckedKeyspace(keyspace),
                                           MixSeed(seed, i)));
  }
  std::vector<std::thread> threads;
  for (const auto& user : users) {
    threads.emplace_back([&stopped, user = user.get()] { user->RunUntil(stopped); });
  }
  int signal = 0;
  sigwait(&signals, &signal);
  stopped = true;
  for (std::thread& thread : threads) thread.join();
  users.front()->ReadAll();
  record.Write(keyspace, file);
  fmt::print("{}\n", record.Counts().dump());
  return Report(record.Violations());
}

int Check(const std::string& file) {
  std::ifstream in(file);
  const std::optional<History> history = History::ReadJsonLines(in);
  if (!in.eof() || !history) {
    fmt::print(stderr, "{}: no history\n", file);
    return 2;
  }
  const sim::LinearizabilityResult result = sim::CheckLinearizability(*history);
  return Report(result.ok ? std::vector<std::string>() : std::vector{result.explanation});
}

int Main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 2 && words[0] == "check") return Check(words[1]);
  uint64_t seed = 0;
  if (words.size() != 5 || words[0] != "run" ||
      std::from_chars(words[4].data(), words[4].data() + words[4].size(), seed).ec != std::errc()) {
    std::fputs("usage: history_load run HOST:PORT,… KEYSPACE FILE SEED | check FILE\n", stderr);
    return 2;
  }
  std::vector<std::string> endpoints;
  for (std::string_view left = words[1]; !left.empty();) {
    const size_t end = std::min(left.find(','), left.size());
    endpoints.emplace_back(left.substr(0, end));
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return Run(endpoints, words[2], words[3], seed);
}

}  // namespace
}  // namespace quorate

int main(int argc, char** argv) { return quorate::Main(argc, argv); }
