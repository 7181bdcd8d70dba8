// Decides whether this node may found a cluster.
#ifndef SERVER_CLUSTER_FOUNDER_H_
#define SERVER_CLUSTER_FOUNDER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "internal/v1/peer.pb.h"
#include "server/cluster/membership_options.h"
#include "server/cluster/peer_messenger.h"
#include "server/runtime/runtime.h"

namespace quorate {

// Asks every address of --join "what cluster are you in?" until each has answered that it belongs
// to none and is not about to found one itself. Of two that ask each other the one with the lower
// address goes on:
//
//   the question itself says "I am about to": a node that is asking and is asked by a lower
//   address gives up, before it answers. A node that has decided answers with its cluster's id. So
//   whoever gets the last answer it needs knows that everyone who answered has either given up or
//   not begun.
//
// That holds between nodes that name each other in --join. Owned by Membership; control loop only.
class Founder {
 public:
  using Done = absl::AnyInvocable<void(absl::Status)>;

  // `own_address` is the advertised peer address; it is left out of `join`.
  Founder(const Runtime& runtime, PeerMessenger* messenger, std::string own_address,
          const std::vector<std::string>& join, const MembershipTiming& timing,
          uint64_t first_question);

  // `done` is called once, by `until`, maybe before this returns: OK to found now, in the same
  // task; or why not. Not while probing().
  void Ask(bool force, MonotonicTime until, Done done);
  [[nodiscard]] bool probing() const { return done_ != nullptr; }
  // Ends a question under way with this error.
  void GiveUp(const absl::Status& why) { Finish(why); }

  // Answers, and gives up to a lower address.
  void OnProbeRequest(const internal::v1::Envelope& envelope);
  void OnProbeResponse(const internal::v1::Envelope& envelope);

 private:
  void Probe(uint64_t round);
  void Finish(const absl::Status& status);
  [[nodiscard]] absl::Status Unanswered() const;

  Clock* const clock_;
  Executor* const control_;
  PeerMessenger* const messenger_;
  const std::string own_address_;
  std::vector<std::string> join_;
  const MembershipTiming timing_;

  uint64_t next_question_;
  // Questions under way by number, and the address each went to; erased when answered well.
  std::map<uint64_t, std::string> open_;
  // Counts the calls of Ask, so that timers of an earlier one do nothing.
  uint64_t round_ = 0;
  MonotonicTime until_;
  Done done_;
};

}  // namespace quorate

#endif  // SERVER_CLUSTER_FOUNDER_H_
