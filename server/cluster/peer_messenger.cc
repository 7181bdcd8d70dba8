#include "server/cluster/peer_messenger.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <optional>
#include <utility>

#include "fmt/format.h"
#include "google/protobuf/unknown_field_set.h"
#include "server/cluster/cluster_state.h"
#include "server/cluster/envelope_seal.h"
#include "server/runtime/log.h"

namespace quorate {
namespace {

using internal::v1::Envelope;

constexpr size_t kLoggedSendersMax = 1000;

bool IsAboutJoining(const Envelope& envelope) {
  switch (envelope.control_case()) {
    case Envelope::kProbeRequest:
    case Envelope::kProbeResponse:
    case Envelope::kJoinRequest:
    case Envelope::kJoinResponse:
      return true;
    default:
      return false;
  }
}

// The address in a damaged envelope, which most likely is whole; empty when it cannot be found.
// Parsed without the schema, since protobuf complains about damaged text on standard error.
std::string SenderIn(std::string_view bytes) {
  const size_t size = bytes.size() - std::min(bytes.size(), kEnvelopeSealBytes);
  google::protobuf::UnknownFieldSet fields;
  if (!fields.ParseFromArray(bytes.data(), static_cast<int>(size))) return "";
  for (int i = 0; i < fields.field_count(); ++i) {
    const google::protobuf::UnknownField& field = fields.field(i);
    if (field.number() == Envelope::kFromAddressFieldNumber &&
        field.type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED) {
      return field.length_delimited();
    }
  }
  return "";
}

}  // namespace

PeerMessenger::PeerMessenger(PeerNetwork* network, AddressBook* addresses,
                             std::function<uint64_t()> durable_batch)
    : network_(network), addresses_(addresses), durable_batch_(std::move(durable_batch)) {}

void PeerMessenger::SetSelf(const PeerSelf& self) {
  const MutexLock lock(&mutex_);
  self_ = self;
}

PeerSelf PeerMessenger::self() const {
  const MutexLock lock(&mutex_);
  return self_;
}

void PeerMessenger::Start(Sinks sinks) {
  sinks_ = std::move(sinks);
  network_->SetReceiver([this](const std::string& bytes) { Receive(bytes); });
}

void PeerMessenger::Stop() { network_->SetReceiver(nullptr); }

void PeerMessenger::Send(uint64_t node_id, Envelope envelope) {
  const std::string address = addresses_->Resolve(node_id);
  if (!address.empty()) {
    SendFilled(node_id, address, envelope);
  }
}

void PeerMessenger::SendTo(const std::string& address, Envelope envelope) {
  SendFilled(0, address, envelope);
}

void PeerMessenger::Reply(const Envelope& received, Envelope envelope) {
  std::string address;
  if (received.from_node() != 0 && received.cluster_id() == self().cluster_id) {
    address = addresses_->Resolve(received.from_node());
  }
  SendFilled(address.empty() ? 0 : received.from_node(),
             address.empty() ? received.from_address() : address, envelope);
}

void PeerMessenger::SendRaft(uint64_t node_id, std::vector<internal::v1::RaftMessage> messages) {
  Envelope envelope;
  envelope.mutable_raft()->Reserve(static_cast<int>(messages.size()));
  for (internal::v1::RaftMessage& message : messages) {
    *envelope.add_raft() = std::move(message);
  }
  Send(node_id, std::move(envelope));
}

void PeerMessenger::SendFilled(uint64_t node_id, const std::string& address, Envelope& envelope) {
  if (address.empty()) {
    return;
  }
  {
    const MutexLock lock(&mutex_);
    envelope.set_cluster_id(self_.cluster_id);
    envelope.set_from_node(self_.node_id);
    envelope.set_from_address(self_.address);
    envelope.set_disk_id(self_.disk_id);
    envelope.set_boot(self_.boot);
    envelope.set_nonce(self_.nonce);
  }
  envelope.set_to_node(node_id);
  envelope.set_durable_batch(durable_batch_());
  std::string bytes;
  bytes.reserve(envelope.ByteSizeLong() + kEnvelopeSealBytes);
  envelope.AppendToString(&bytes);
  SealEnvelope(&bytes);
  network_->Send(address, std::move(bytes));
}

void PeerMessenger::Receive(const std::string& bytes) {
  const std::optional<std::string_view> sealed = OpenSealedEnvelope(bytes);
  if (!sealed) {
    DropDamaged(bytes);
    return;
  }
  Envelope envelope;
  if (!envelope.ParseFromArray(sealed->data(), static_cast<int>(sealed->size()))) {
    Drop(envelope, "it cannot be read");
    return;
  }
  if (!Admit(envelope)) {
    return;
  }
  if (envelope.raft_size() > 0) {
    auto* raft = envelope.mutable_raft();
    sinks_.raft(envelope.from_node(),
                std::vector<internal::v1::RaftMessage>(std::make_move_iterator(raft->begin()),
                                                       std::make_move_iterator(raft->end())));
    envelope.clear_raft();
  }
  switch (envelope.control_case()) {
    case Envelope::CONTROL_NOT_SET:
      break;
    case Envelope::kSnapshot:
      sinks_.snapshot(envelope.from_node(), std::move(*envelope.mutable_snapshot()));
      break;
    case Envelope::kReadPageRequest:
    case Envelope::kReadPageResponse:
      sinks_.pages(std::move(envelope));
      break;
    default:
      sinks_.control(std::move(envelope));
  }
}

bool PeerMessenger::Admit(Envelope& envelope) {
  const PeerSelf own = self();
  if (envelope.disk_id() == own.disk_id && envelope.nonce() == own.nonce) {
    return IsAboutJoining(envelope);  // from itself, by way of its own address in --join
  }
  if (envelope.to_node() != 0 && envelope.to_node() != own.node_id) {
    if (own.node_id == 0) {
      return false;  // given an id that it has not written down yet, or a wiped folder
    }
    return Drop(envelope, fmt::format("it is for node {}", envelope.to_node()));
  }
  if (own.cluster_id.empty() || envelope.cluster_id() != own.cluster_id) {
    return AdmitStranger(envelope, own);
  }
  if (envelope.from_node() == 0 || envelope.from_node() == own.node_id) {
    return Drop(envelope, fmt::format("its sender says it is node {}", envelope.from_node()));
  }
  const absl::Status admitted = addresses_->Admit({.node_id = envelope.from_node(),
                                                   .disk_id = envelope.disk_id(),
                                                   .boot = envelope.boot(),
                                                   .nonce = envelope.nonce(),
                                                   .address = envelope.from_address(),
                                                   .durable_batch = envelope.durable_batch()});
  if (admitted.ok()) {
    return true;
  }
  // Who went back in time is not listened to, but must learn of it: another peer, which remembers
  // nothing, would let it speak.
  if (absl::IsAborted(admitted) &&
      envelope.control_case() == internal::v1::Envelope::kStartQuestion) {
    envelope.clear_raft();
    return true;
  }
  return Drop(envelope, std::string(admitted.message()));
}

bool PeerMessenger::AdmitStranger(Envelope& envelope, const PeerSelf& own) {
  envelope.clear_raft();
  if (IsAboutJoining(envelope)) {
    return true;
  }
  if (own.cluster_id.empty()) {
    return false;  // a member that knows this address from --join; nothing to complain about
  }
  return Drop(envelope, envelope.cluster_id().empty()
                            ? "its sender belongs to no cluster"
                            : fmt::format("its sender belongs to cluster {}, this node to {}",
                                          HexId(envelope.cluster_id()), HexId(own.cluster_id)));
}

bool PeerMessenger::Drop(const Envelope& envelope, std::string_view reason) {
  bool first = false;
  {
    const MutexLock lock(&mutex_);
    ++dropped_;
    first = logged_.size() < kLoggedSendersMax &&
            logged_.insert(fmt::format("{} {}", envelope.from_address(), reason)).second;
  }
  if (first) {
    LogWarning("peer_messenger/dropped", {{"from", envelope.from_address()}, {"reason", reason}});
  }
  return false;
}

void PeerMessenger::DropDamaged(std::string_view bytes) {
  uint64_t damaged = 0;
  {
    const MutexLock lock(&mutex_);
    damaged = ++damaged_;
  }
  // However many there are, the log gets few lines.
  if (!std::has_single_bit(damaged)) return;
  LogWarning("peer_messenger/damaged",
             {{"from", SenderIn(bytes)},
              {"reason", "its checksum is wrong: damaged on its way, or sent by another build"},
              {"count", damaged}});
}

uint64_t PeerMessenger::damaged() const {
  const MutexLock lock(&mutex_);
  return damaged_;
}

uint64_t PeerMessenger::dropped() const {
  const MutexLock lock(&mutex_);
  return dropped_;
}

}  // namespace quorate
