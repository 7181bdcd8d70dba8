// Envelopes as they come from the network: what passes the messenger is from a member of the
// cluster, and each Raft message in it is refused or has one meaning.
#include <string>
#include <utility>

#include "raft/check.h"
#include "server/cluster/cluster_state.h"
#include "server/cluster/envelope_seal.h"
#include "server/cluster/peer_messenger.h"
#include "server/replication/raft_groups/raft_codec.h"
#include "server/runtime/log.h"
#include "tests/fuzz/fuzz_input.h"

namespace quorate {
namespace {

class NoNetwork final : public PeerNetwork {
 public:
  void Send(const std::string& /*address*/, std::string /*bytes*/) override {}
  void SetReceiver(Receiver /*receiver*/) override {}
};

void TryRaft(const internal::v1::RaftMessage& wire) {
  auto message = DecodeRaftMessage(wire);
  if (!message.ok()) return;
  const auto encoded = EncodeRaftMessage(message->group, message->message);
  const auto again = DecodeRaftMessage(encoded);
  QUORATE_CHECK(again.ok()) << again.status().ToString();
  QUORATE_CHECK(EncodeRaftMessage(again->group, again->message).SerializeAsString() ==
                encoded.SerializeAsString());
}

class Receiver {
 public:
  Receiver() : messenger_(&network_, &addresses_, [] { return uint64_t{0}; }) {
    SetLogSink([](LogLevel, const std::string&) {});
    messenger_.SetSelf({.cluster_id = std::string(kIdBytes, 'C'),
                        .node_id = 1,
                        .address = "me",
                        .disk_id = std::string(kIdBytes, 'd'),
                        .boot = 4,
                        .nonce = 40});
    messenger_.Start({.raft =
                          [](uint64_t from, const std::vector<internal::v1::RaftMessage>& wire) {
                            QUORATE_CHECK(from != 0);
                            for (const auto& message : wire) TryRaft(message);
                          },
                      .snapshot = [](uint64_t, const internal::v1::SnapshotMessage&) {},
                      .pages = [](const internal::v1::Envelope&) {},
                      .control =
                          [this](const internal::v1::Envelope& envelope) {
                            internal::v1::Envelope answer;
                            answer.mutable_pull_request();
                            messenger_.Reply(envelope, answer);
                          }});
  }
  ~Receiver() { messenger_.Stop(); }

  // As sent, and with the checksum that mutations never hit upon.
  void Receive(std::string bytes) {
    messenger_.Receive(bytes);
    SealEnvelope(&bytes);
    messenger_.Receive(bytes);
  }

 private:
  NoNetwork network_;
  AddressBook addresses_{{}};
  PeerMessenger messenger_;
};

// The same, addressed as by a member: mutations rarely hit upon the cluster's id.
std::string FromMember(const std::string& bytes) {
  internal::v1::Envelope envelope;
  if (!envelope.ParseFromString(bytes)) return {};
  envelope.set_cluster_id(std::string(kIdBytes, 'C'));
  envelope.set_to_node(1);
  if (envelope.from_node() == 0) envelope.set_from_node(2);
  return envelope.SerializeAsString();
}

}  // namespace
}  // namespace quorate

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quorate::fuzz::FuzzInput input(data, size);
  quorate::Receiver receiver;
  while (!input.empty()) {
    const std::string bytes(input.TakePiece());
    receiver.Receive(bytes);
    receiver.Receive(quorate::FromMember(bytes));
  }
  return 0;
}
