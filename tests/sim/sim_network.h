// The simulated network: datagrams between addresses, under rules for each link.
#ifndef TESTS_SIM_SIM_NETWORK_H_
#define TESTS_SIM_SIM_NETWORK_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/runtime/runtime.h"
#include "tests/sim/sim_scheduler.h"

namespace quorate::sim {

// What happens to what is sent one way over one link.
struct LinkRule {
  Duration delay_min = std::chrono::microseconds(100);
  Duration delay_max = std::chrono::microseconds(500);
  // Probabilities, each drawn for each message.
  double loss = 0;
  // A second copy arrives, up to `duplicate_delay_max` after the first would.
  double duplicate = 0;
  Duration duplicate_delay_max = std::chrono::milliseconds(10);
  // The message does not wait for those sent before it. Others keep their order, as on a
  // connection.
  double reorder = 0;
  // One bit of it arrives flipped.
  double flip = 0;
  // Nothing passes, what is under way at that moment included.
  bool cut = false;
  // 0: no limit. Otherwise messages queue up behind each other.
  uint64_t bytes_per_second = 0;
};

struct NetworkCounts {
  uint64_t sent = 0;
  uint64_t delivered = 0;
  uint64_t lost = 0;
  uint64_t duplicated = 0;
  uint64_t flipped = 0;
};

// Owned by the test; outlives all runtimes and clients. An address is a node's "host:port" or any
// name for a client; each comes into being when first named.
class SimNetwork {
 public:
  explicit SimNetwork(SimScheduler* scheduler);
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  // --- Rules ---
  void SetDefaultRule(const LinkRule& rule) { default_rule_ = rule; }
  // One way; instead of the default.
  void SetRule(const std::string& from, const std::string& to, const LinkRule& rule);
  void ClearRule(const std::string& from, const std::string& to);
  // One way, on top of whichever rule holds; Heal takes it back.
  void Cut(const std::string& from, const std::string& to);
  void Heal(const std::string& from, const std::string& to);
  void CutBothWays(const std::string& a, const std::string& b);
  void HealBothWays(const std::string& a, const std::string& b);
  // Cuts an address from all others, both ways.
  void Isolate(const std::string& address);
  // Takes back every Cut and Isolate. Rules stay.
  void HealAll();
  [[nodiscard]] bool CanPass(const std::string& from, const std::string& to) const;

  // --- Traffic that is not between peers (a client's calls) ---
  // Runs `task` when the message from `from` arrives at `to`, or never when it is lost. It runs
  // outside of any executor, as an arriving RPC does. Messages of `bytes` size count for bandwidth.
  // Neither duplicated nor reordered, and never damaged.
  void Deliver(const std::string& from, const std::string& to, Task task, size_t bytes = 0);
  // False while the process behind the address is down (a connection would be refused).
  [[nodiscard]] bool IsUp(const std::string& address) const;

  // --- What happens to the process behind an address; called by SimRuntime ---
  // All that is under way to it is lost, and nothing arrives until Start.
  void Stop(const std::string& address);
  // A new process; it has no receiver yet.
  void Start(const std::string& address, uint32_t node);
  // Arrivals wait in the socket until Resume.
  void Pause(const std::string& address);
  void Resume(const std::string& address);

  [[nodiscard]] const NetworkCounts& counts() const { return counts_; }

  // The network as one life of one node sees it. Dead once that life has ended: it sends nothing
  // then. Owned by SimRuntime.
  class Port final : public PeerNetwork {
   public:
    Port(SimNetwork* network, std::string address);
    ~Port() override;

    void Send(const std::string& address, std::string bytes) override;
    void SetReceiver(Receiver receiver) override;

   private:
    friend class SimNetwork;
    [[nodiscard]] bool alive() const;

    SimNetwork* const network_;
    const std::string address_;
    const uint64_t life_;
    // Shared, so that a receiver may remove itself while it runs.
    std::shared_ptr<Receiver> receiver_;
  };

 private:
  using Link = std::pair<std::string, std::string>;
  struct Endpoint {
    uint32_t node = kNoNode;
    uint64_t life = 0;
    bool up = true;
    bool paused = false;
    Port* port = nullptr;
    std::vector<Task> held;  // arrived while paused, in order
  };
  struct LinkState {
    MonotonicTime last_arrival;
    MonotonicTime busy_until;
  };

  [[nodiscard]] const LinkRule& RuleOf(const Link& link) const;
  // When a message of this size that is sent now arrives.
  MonotonicTime ArrivalTime(const Link& link, const LinkRule& rule, size_t bytes, bool keep_order);
  // True when the message is lost at the sender's end.
  bool LostOnSend(const Link& link, const LinkRule& rule);
  void Schedule(MonotonicTime arrival, Link link, Task task);
  void Arrive(const Link& link, uint64_t life, Task task);
  void SendDatagram(const std::string& from, const std::string& to, std::string bytes);
  void Receive(const std::string& to, std::string bytes);

  SimScheduler* const scheduler_;
  SeededRandom random_;
  LinkRule default_rule_;
  std::map<Link, LinkRule> rules_;
  std::set<Link> cuts_;
  std::set<std::string> isolated_;
  std::map<Link, LinkState> links_;
  std::map<std::string, Endpoint> endpoints_;
  NetworkCounts counts_;
};

}  // namespace quorate::sim

#endif  // TESTS_SIM_SIM_NETWORK_H_
