#include "tests/sim/sim_network.h"

#include <algorithm>

namespace quorate::sim {

SimNetwork::SimNetwork(SimScheduler* scheduler)
    : scheduler_(scheduler), random_(scheduler->ForkRandom()) {}

void SimNetwork::SetRule(const std::string& from, const std::string& to, const LinkRule& rule) {
  rules_[{from, to}] = rule;
}

void SimNetwork::ClearRule(const std::string& from, const std::string& to) {
  rules_.erase({from, to});
}

void SimNetwork::Cut(const std::string& from, const std::string& to) { cuts_.insert({from, to}); }

void SimNetwork::Heal(const std::string& from, const std::string& to) { cuts_.erase({from, to}); }

void SimNetwork::CutBothWays(const std::string& a, const std::string& b) {
  Cut(a, b);
  Cut(b, a);
}

void SimNetwork::HealBothWays(const std::string& a, const std::string& b) {
  Heal(a, b);
  Heal(b, a);
}

void SimNetwork::Isolate(const std::string& address) { isolated_.insert(address); }

void SimNetwork::HealAll() {
  cuts_.clear();
  isolated_.clear();
}

bool SimNetwork::CanPass(const std::string& from, const std::string& to) const {
  if (from == to) return true;
  const Link link(from, to);
  return !RuleOf(link).cut && !cuts_.contains(link) && !isolated_.contains(from) &&
         !isolated_.contains(to);
}

const LinkRule& SimNetwork::RuleOf(const Link& link) const {
  const auto found = rules_.find(link);
  return found == rules_.end() ? default_rule_ : found->second;
}

bool SimNetwork::IsUp(const std::string& address) const {
  const auto found = endpoints_.find(address);
  return found != endpoints_.end() && found->second.up;
}

void SimNetwork::Stop(const std::string& address) {
  Endpoint& endpoint = endpoints_[address];
  endpoint.up = false;
  endpoint.paused = false;
  endpoint.port = nullptr;
  ++endpoint.life;
  const std::vector<Task> dropped = std::exchange(endpoint.held, {});
  counts_.lost += dropped.size();
}

void SimNetwork::Start(const std::string& address, uint32_t node) {
  Endpoint& endpoint = endpoints_[address];
  endpoint.node = node;
  endpoint.up = true;
}

void SimNetwork::Pause(const std::string& address) { endpoints_[address].paused = true; }

void SimNetwork::Resume(const std::string& address) {
  Endpoint& endpoint = endpoints_[address];
  endpoint.paused = false;
  std::vector<Task> held = std::exchange(endpoint.held, {});
  const uint64_t life = endpoint.life;
  for (Task& task : held) {
    scheduler_->After(Duration::zero(), "network/held", endpoint.node,
                      [this, address, life, waiting = std::move(task)]() mutable {
                        Arrive({address, address}, life, std::move(waiting));
                      });
  }
}

bool SimNetwork::LostOnSend(const Link& link, const LinkRule& rule) {
  ++counts_.sent;
  // Drawn in every case, so that a cut does not shift all later draws.
  const bool unlucky = Chance(random_, rule.loss);
  if (!unlucky && CanPass(link.first, link.second)) return false;
  ++counts_.lost;
  return true;
}

MonotonicTime SimNetwork::ArrivalTime(const Link& link, const LinkRule& rule, size_t bytes,
                                      bool keep_order) {
  LinkState& state = links_[link];
  MonotonicTime leaves = scheduler_->Now();
  if (rule.bytes_per_second > 0) {
    const double seconds = static_cast<double>(bytes) / static_cast<double>(rule.bytes_per_second);
    leaves = std::max(leaves, state.busy_until) + Duration(static_cast<int64_t>(seconds * 1e9));
    state.busy_until = leaves;
  }
  const MonotonicTime arrival = leaves + UniformDuration(random_, rule.delay_min, rule.delay_max);
  if (!keep_order) return arrival;
  state.last_arrival = std::max(state.last_arrival, arrival);
  return state.last_arrival;
}

void SimNetwork::Schedule(MonotonicTime arrival, Link link, Task task) {
  const Endpoint& endpoint = endpoints_[link.second];
  scheduler_->At(
      arrival, "network/arrive", endpoint.node,
      [this, sent_over = std::move(link), life = endpoint.life,
       message = std::move(task)]() mutable { Arrive(sent_over, life, std::move(message)); });
}

void SimNetwork::Arrive(const Link& link, uint64_t life, Task task) {
  Endpoint& endpoint = endpoints_[link.second];
  if (!endpoint.up || endpoint.life != life || !CanPass(link.first, link.second)) {
    ++counts_.lost;
    return;
  }
  if (endpoint.paused) {
    endpoint.held.push_back(std::move(task));
    return;
  }
  ++counts_.delivered;
  task();
}

void SimNetwork::Deliver(const std::string& from, const std::string& to, Task task, size_t bytes) {
  const Link link(from, to);
  const LinkRule& rule = RuleOf(link);
  if (LostOnSend(link, rule)) return;
  Schedule(ArrivalTime(link, rule, bytes, /*keep_order=*/true), link, std::move(task));
}

void SimNetwork::SendDatagram(const std::string& from, const std::string& to, std::string bytes) {
  const Link link(from, to);
  const LinkRule& rule = RuleOf(link);
  const bool reorder = Chance(random_, rule.reorder);
  const bool duplicate = Chance(random_, rule.duplicate);
  if (LostOnSend(link, rule)) return;
  // Drawn only where asked for, so that runs without it are what they were.
  if (rule.flip > 0 && !bytes.empty() && Chance(random_, rule.flip)) {
    ++counts_.flipped;
    const uint64_t bit = UniformBelow(random_, bytes.size() * 8);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  }
  const MonotonicTime arrival = ArrivalTime(link, rule, bytes.size(), !reorder);
  if (duplicate) {
    ++counts_.duplicated;
    Schedule(arrival + UniformDuration(random_, Duration::zero(), rule.duplicate_delay_max), link,
             [this, to, copy = bytes]() mutable { Receive(to, std::move(copy)); });
  }
  Schedule(arrival, link,
           [this, to, message = std::move(bytes)]() mutable { Receive(to, std::move(message)); });
}

void SimNetwork::Receive(const std::string& to, std::string bytes) {
  Port* const port = endpoints_[to].port;
  if (port == nullptr || port->receiver_ == nullptr) return;
  const std::shared_ptr<PeerNetwork::Receiver> receiver = port->receiver_;
  (*receiver)(std::move(bytes));
}

SimNetwork::Port::Port(SimNetwork* network, std::string address)
    : network_(network), address_(std::move(address)), life_(network_->endpoints_[address_].life) {
  network_->endpoints_[address_].port = this;
}

SimNetwork::Port::~Port() {
  Endpoint& endpoint = network_->endpoints_[address_];
  if (endpoint.port == this) endpoint.port = nullptr;
}

bool SimNetwork::Port::alive() const {
  const Endpoint& endpoint = network_->endpoints_.at(address_);
  return endpoint.up && endpoint.life == life_;
}

void SimNetwork::Port::Send(const std::string& address, std::string bytes) {
  if (alive()) network_->SendDatagram(address_, address, std::move(bytes));
}

void SimNetwork::Port::SetReceiver(Receiver receiver) {
  receiver_ = receiver ? std::make_shared<Receiver>(std::move(receiver)) : nullptr;
}

}  // namespace quorate::sim
