// Envelopes out and in: fills heads, finds addresses, drops what is not for this node.
#ifndef SERVER_CLUSTER_PEER_MESSENGER_H_
#define SERVER_CLUSTER_PEER_MESSENGER_H_

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "internal/v1/peer.pb.h"
#include "server/cluster/address_book.h"
#include "server/runtime/mutex.h"
#include "server/runtime/runtime.h"

namespace quorate {

// What every envelope says of its sender.
struct PeerSelf {
  std::string cluster_id;  // empty before the node belongs to one
  uint64_t node_id = 0;
  std::string address;  // advertised
  std::string disk_id;
  uint64_t boot = 0;
  uint64_t nonce = 0;
};

// Owned by the node; outlives its loops. Any thread.
//
// What arrives is dropped when it is not as it was sent or cannot be read, names another receiver,
// comes from an earlier life or a copy of its sender, or from another cluster; of the last only
// probes and the messages about joining pass, so that the two can tell each other. Reasons are
// logged once a sender.
class PeerMessenger {
 public:
  // Called on the thread that received; they must not block. Set before Start.
  struct Sinks {
    std::function<void(uint64_t from_node, std::vector<internal::v1::RaftMessage>)> raft;
    std::function<void(uint64_t from_node, internal::v1::SnapshotMessage)> snapshot;
    // ReadPageRequest and ReadPageResponse.
    std::function<void(internal::v1::Envelope)> pages;
    // All other control messages.
    std::function<void(internal::v1::Envelope)> control;
  };

  PeerMessenger(PeerNetwork* network, AddressBook* addresses,
                std::function<uint64_t()> durable_batch);

  void SetSelf(const PeerSelf& self);
  [[nodiscard]] PeerSelf self() const;

  // Takes envelopes from now on.
  void Start(Sinks sinks);
  // Takes none any more; after it no sink runs.
  void Stop();

  // To a node of the cluster; dropped when its address is unknown. Head fields are filled in.
  void Send(uint64_t node_id, internal::v1::Envelope envelope);
  // To whoever listens there.
  void SendTo(const std::string& address, internal::v1::Envelope envelope);
  // To the sender of `received`.
  void Reply(const internal::v1::Envelope& received, internal::v1::Envelope envelope);
  void SendRaft(uint64_t node_id, std::vector<internal::v1::RaftMessage> messages);

  // One envelope as it came from the network. Any bytes are safe.
  void Receive(const std::string& bytes);
  // Envelopes dropped since the start, damaged ones aside.
  [[nodiscard]] uint64_t dropped() const;
  // Those that were damaged on their way.
  [[nodiscard]] uint64_t damaged() const;

 private:
  void SendFilled(uint64_t node_id, const std::string& address, internal::v1::Envelope& envelope);
  // Whether it may pass; strips what only members may send.
  [[nodiscard]] bool Admit(internal::v1::Envelope& envelope);
  [[nodiscard]] bool AdmitStranger(internal::v1::Envelope& envelope, const PeerSelf& own);
  bool Drop(const internal::v1::Envelope& envelope, std::string_view reason);
  void DropDamaged(std::string_view bytes);

  PeerNetwork* const network_;
  AddressBook* const addresses_;
  const std::function<uint64_t()> durable_batch_;
  Sinks sinks_;  // constant after Start

  mutable Mutex mutex_;
  PeerSelf self_ ABSL_GUARDED_BY(mutex_);
  uint64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t damaged_ ABSL_GUARDED_BY(mutex_) = 0;
  // Senders and reasons that are in the log already; bounded.
  std::set<std::string> logged_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate

#endif  // SERVER_CLUSTER_PEER_MESSENGER_H_
