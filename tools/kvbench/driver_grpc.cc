#include "tools/kvbench/driver_grpc.h"

#include <grpcpp/alarm.h>

#include <functional>
#include <optional>
#include <random>

#include "tools/kvbench/cpu_time.h"

namespace quorate::kvbench {
namespace {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

constexpr std::chrono::milliseconds kPauseBeforeNextAttempt{10};
// Then an operation has failed, whatever the servers say.
constexpr std::chrono::seconds kAttemptsEnd{60};

class ClosedLoop {
 public:
  // Nothing: no more requests.
  using NextKey = std::function<std::optional<size_t>(TimePoint now)>;

  ClosedLoop(Target* target, OperationKind kind, size_t clients, NextKey next_key)
      : next_key_(std::move(next_key)), slots_(clients) {
    for (size_t i = 0; i < clients; ++i) slots_[i].operation = target->NewOperation(kind, i);
  }
  ~ClosedLoop() {
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }
  ClosedLoop(const ClosedLoop&) = delete;
  ClosedLoop& operator=(const ClosedLoop&) = delete;

  // Until no more requests come and all answers are there. `on_event` is called with the time of
  // each answer before that answer counts.
  void Work(const std::function<void(TimePoint)>& on_event);

  // Forgets what was counted.
  void Reset() { figures_ = Figures(); }
  [[nodiscard]] Figures& figures() { return figures_; }

 private:
  struct Slot {
    std::unique_ptr<Operation> operation;
    grpc::Alarm pause;
    bool pausing = false;
    size_t key = 0;
    TimePoint begin;
  };

  void StartNext(Slot* slot, TimePoint now);
  void OnAnswer(Slot* slot, TimePoint now);

  NextKey next_key_;
  grpc::CompletionQueue queue_;
  std::vector<Slot> slots_;
  size_t busy_ = 0;
  Figures figures_;
};

void ClosedLoop::StartNext(Slot* slot, TimePoint now) {
  const auto key = next_key_(now);
  if (!key) return;
  ++busy_;
  slot->key = *key;
  slot->begin = now;
  slot->operation->Start(slot->key, /*repeated=*/false, &queue_, slot);
}

void ClosedLoop::OnAnswer(Slot* slot, TimePoint now) {
  Outcome outcome = slot->operation->End();
  if (outcome != Outcome::kDone && figures_.first_error.empty()) {
    figures_.first_error = slot->operation->error();
  }
  if (outcome == Outcome::kTryAgain && now - slot->begin < kAttemptsEnd) {
    ++figures_.attempts_again;
    slot->pausing = true;
    slot->pause.Set(&queue_, std::chrono::system_clock::now() + kPauseBeforeNextAttempt, slot);
    return;
  }
  if (outcome == Outcome::kDone) {
    figures_.latencies.Record(now - slot->begin);
  } else {
    ++figures_.failures;
  }
  --busy_;
  StartNext(slot, now);
}

void ClosedLoop::Work(const std::function<void(TimePoint)>& on_event) {
  for (Slot& slot : slots_) StartNext(&slot, Clock::now());
  void* tag = nullptr;
  bool ok = false;
  while (busy_ != 0 && queue_.Next(&tag, &ok)) {
    auto* slot = static_cast<Slot*>(tag);
    if (slot->pausing) {
      slot->pausing = false;
      slot->operation->Start(slot->key, /*repeated=*/true, &queue_, slot);
      continue;
    }
    const TimePoint now = Clock::now();
    on_event(now);
    OnAnswer(slot, now);
  }
}

double SecondsOf(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// What has been used up at a moment.
struct Meter {
  explicit Meter(const Options& options)
      : at(Clock::now()), client(OwnCpuSeconds()), servers(CpuSecondsOf(options.server_pids)) {}
  void FillDifference(const Meter& begin, Figures* figures) const {
    figures->seconds = SecondsOf(at - begin.at);
    figures->client_cpu_seconds = client - begin.client;
    figures->server_cpu_seconds = servers - begin.servers;
  }
  TimePoint at;
  double client;
  double servers;
};

}  // namespace

Figures Run(const Options& options, Target* target) {
  std::mt19937_64 random(options.seed);
  std::uniform_int_distribution<size_t> keys(0, options.keys - 1);
  const TimePoint counted_from = Clock::now() + options.warm_up;
  const TimePoint counted_to = counted_from + options.duration;
  ClosedLoop loop(target, options.operation, options.clients,
                  [&](TimePoint now) -> std::optional<size_t> {
                    return now < counted_to ? std::optional(keys(random)) : std::nullopt;
                  });
  std::optional<Meter> begin;
  std::optional<Figures> counted;
  const auto finish = [&] {
    Meter(options).FillDifference(*begin, &loop.figures());
    counted = loop.figures();
  };
  loop.Work([&](TimePoint now) {
    if (!begin && now >= counted_from) {
      loop.Reset();
      begin.emplace(options);
    }
    if (begin && !counted && now >= counted_to) finish();
  });
  // The end was reached with the last answer.
  if (!begin) begin.emplace(options);
  if (!counted) finish();
  return *counted;
}

Figures Load(const Options& options, Target* target) {
  size_t next = 0;
  ClosedLoop loop(target, OperationKind::kPut, options.clients,
                  [&](TimePoint) -> std::optional<size_t> {
                    return next < options.keys ? std::optional(next++) : std::nullopt;
                  });
  const Meter begin(options);
  loop.Work([](TimePoint) {});
  Meter(options).FillDifference(begin, &loop.figures());
  return loop.figures();
}

}  // namespace quorate::kvbench
