#include "tests/sim/cluster/counter_workload.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace quorate::sim {
namespace {

using std::chrono::milliseconds;

constexpr Duration kLastTimeout = std::chrono::seconds(5);

std::string KeyOf(size_t counter) { return fmt::format("counter{}", counter + 1); }

int64_t NumberOf(const std::string& text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The answer to the batch's increment, as if it had been alone.
client::IncrementResult Alone(const client::BatchResult& batch, size_t position) {
  const client::BatchOperationResult& of_it = batch.operations[position];
  client::IncrementResult result;
  static_cast<client::Result&>(result) = of_it;
  result.version = of_it.version;
  result.receipt = of_it.receipt;
  result.request_id = batch.request_id ? batch.request_id : of_it.request_id;
  result.value = of_it.number;
  return result;
}

}  // namespace

CounterWorkload::CounterWorkload(SimScheduler* scheduler, SimNetwork* network, SimCluster* cluster,
                                 const CounterWorkloadOptions& options)
    : scheduler_(scheduler), options_(options), operations_(options.counters) {
  for (uint32_t index = 0; index < options_.clients; ++index) {
    auto user = std::make_unique<User>();
    user->random = scheduler_->ForkRandom();
    user->client = std::make_unique<SimClient>(scheduler, network, cluster,
                                               fmt::format("counter_client{}", index + 1),
                                               cluster->Addresses(), user->random.Next());
    users_.push_back(std::move(user));
  }
}

void CounterWorkload::Begin() {
  for (auto& user : users_) Think(user.get());
}

void CounterWorkload::Think(User* user) {
  const Duration pause = UniformDuration(user->random, milliseconds(0), options_.think_max);
  scheduler_->After(pause, "counter client thinks", kNoNode, [this, user] { Next(user); });
}

void CounterWorkload::Next(User* user) {
  if (stopped_) return;
  const Duration timeout = UniformDuration(user->random, milliseconds(100), options_.timeout_max);
  const size_t counter = UniformBelow(user->random, options_.counters);
  if (UniformBelow(user->random, 100) < 30) {
    Read(user, counter, timeout, true);
    return;
  }
  Increment increment{.counter = counter, .operation = {.begin = Now()}};
  increment.operation.delta = 1 + static_cast<int64_t>(UniformBelow(user->random, 9));
  increment.how = static_cast<How>(increment.operation.delta % 3);
  Send(user, std::move(increment), timeout);
}

void CounterWorkload::Send(User* user, Increment increment, Duration timeout) {
  ++under_way_;
  if (increment.request_id) ++repeats_;
  // A step of a batch that is not atomic is repeated as a write of its own: it has its own id.
  if (increment.how == How::kAtomicBatch ||
      (increment.how == How::kBatch && !increment.request_id)) {
    SendInBatch(user, std::move(increment), timeout);
    return;
  }
  const client::IncrementOptions options{.timeout = timeout, .request_id = increment.request_id};
  const std::string key = KeyOf(increment.counter);
  const int64_t delta = increment.operation.delta;
  user->client->core().Increment(
      options_.keyspace, key, delta, options,
      [this, user, increment = std::move(increment)](const client::IncrementResult& result) {
        --under_way_;
        OnEnd(user, increment, result);
      });
}

void CounterWorkload::SendInBatch(User* user, Increment increment, Duration timeout) {
  const std::string key = KeyOf(increment.counter);
  const int64_t delta = increment.operation.delta;
  client::BatchOptions options{.timeout = timeout};
  options.atomic = increment.how == How::kAtomicBatch;
  options.request_id = increment.request_id;
  user->client->core().Batch(
      options_.keyspace, client::BatchOperations().Get(key).Increment(key, delta), options,
      [this, user, delta, increment = std::move(increment)](const client::BatchResult& batch) {
        --under_way_;
        const client::IncrementResult result = Alone(batch, 1);
        const int64_t before = NumberOf(batch.operations[0].value);
        if (increment.how == How::kAtomicBatch && result.ok() && before + delta != result.value) {
          wrong_answers_.push_back(fmt::format("an atomic batch read {}, added {} and answered {}",
                                               before, delta, result.value));
        }
        OnEnd(user, increment, result);
      });
}

void CounterWorkload::OnEnd(User* user, Increment increment,
                            const client::IncrementResult& result) {
  increment.operation.end = Now();
  if (result.ok()) {
    ++ok_;
    if (increment.request_id && result.receipt.served_by == client::ServedBy::kRequestMemory) {
      ++remembered_;
      remembered_of_batches_ += increment.how == How::kAlone ? 0 : 1;
    }
    increment.operation.value = result.value;
    operations_[increment.counter].push_back(increment.operation);
  } else if (result.outcome == client::Outcome::kNotDone) {
    if (increment.request_id) {
      wrong_answers_.push_back(fmt::format("a repeat of an unknown increment ended as not done: {}",
                                           client::ReasonName(result.reason)));
    }
    if (result.reason == client::Reason::kNotANumber ||
        result.reason == client::Reason::kNumberOverflow) {
      wrong_answers_.push_back(
          fmt::format("an increment was refused: {}", client::ReasonName(result.reason)));
    }
  } else if (stopped_) {
    increment.request_id = result.request_id;
    unknown_.push_back(std::move(increment));
  } else {
    increment.request_id = result.request_id;
    const Duration timeout = UniformDuration(user->random, milliseconds(100), options_.timeout_max);
    Send(user, std::move(increment), timeout);
    return;
  }
  Think(user);
}

void CounterWorkload::Read(User* user, size_t counter, Duration timeout, bool then_think) {
  ++under_way_;
  CounterOperation read{.begin = Now()};
  user->client->core().Get(
      options_.keyspace, KeyOf(counter), {.timeout = timeout},
      [this, user, counter, read, then_think](const client::GetResult& result) mutable {
        --under_way_;
        read.end = Now();
        if (result.ok() || result.reason == client::Reason::kKeyNotFound) {
          read.value = NumberOf(result.value);
          operations_[counter].push_back(read);
        } else {
          ++failed_reads_;
        }
        if (then_think) Think(user);
      });
}

void CounterWorkload::RepeatUnknown() {
  for (Increment& increment : std::exchange(unknown_, {})) {
    Send(users_.back().get(), std::move(increment), kLastTimeout);
  }
}

void CounterWorkload::ReadAll() {
  User* const user = users_.back().get();
  for (size_t counter = 0; counter < operations_.size(); ++counter) {
    Read(user, counter, kLastTimeout, false);
  }
}

std::vector<std::string> CounterWorkload::Violations() const {
  std::vector<std::string> violations = wrong_answers_;
  for (size_t counter = 0; counter < operations_.size(); ++counter) {
    std::vector<CounterOperation> operations = operations_[counter];
    for (const Increment& increment : unknown_) {
      if (increment.counter == counter) operations.push_back(increment.operation);
    }
    if (std::string wrong = CheckCounter(std::move(operations)); !wrong.empty()) {
      violations.push_back(KeyOf(counter) + ": " + wrong);
    }
  }
  return violations;
}

}  // namespace quorate::sim
