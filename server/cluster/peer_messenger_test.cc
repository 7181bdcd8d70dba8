#include "server/cluster/peer_messenger.h"

#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/stubs/logging.h"
#include "gtest/gtest.h"
#include "server/cluster/cluster_state.h"
#include "server/cluster/envelope_seal.h"
#include "server/runtime/log.h"
#include "server/runtime/random.h"

namespace quorate {
namespace {

using internal::v1::Envelope;

class FakeNetwork final : public PeerNetwork {
 public:
  void Send(const std::string& address, std::string bytes) override {
    sent.emplace_back(address, std::move(bytes));
  }
  void SetReceiver(Receiver receiver) override { receive = std::move(receiver); }

  std::vector<std::pair<std::string, std::string>> sent;
  Receiver receive;
};

class PeerMessengerTest : public ::testing::Test {
 protected:
  PeerMessengerTest() {
    messenger_.SetSelf({.cluster_id = std::string(kIdBytes, 'C'),
                        .node_id = 1,
                        .address = "me",
                        .disk_id = std::string(kIdBytes, 'd'),
                        .boot = 4,
                        .nonce = 40});
    messenger_.Start(
        {.raft =
             [this](uint64_t from, const std::vector<internal::v1::RaftMessage>& messages) {
               raft_from_ = from;
               raft_ += messages.size();
             },
         .snapshot =
             [this](uint64_t from, const internal::v1::SnapshotMessage& message) {
               snapshot_from_ = from;
               snapshot_stream_ = message.stream();
             },
         .pages = [this](const Envelope&) { ++pages_; },
         .control = [this](const Envelope&) { ++control_; }});
  }

  static Envelope FromPeer() {
    Envelope envelope;
    envelope.set_cluster_id(std::string(kIdBytes, 'C'));
    envelope.set_from_node(2);
    envelope.set_from_address("peer");
    envelope.set_disk_id(std::string(kIdBytes, 'p'));
    envelope.set_boot(1);
    envelope.set_nonce(10);
    return envelope;
  }
  static std::string Sealed(std::string bytes) {
    SealEnvelope(&bytes);
    return bytes;
  }
  void Receive(const Envelope& envelope) { network_.receive(Sealed(envelope.SerializeAsString())); }

  FakeNetwork network_;
  AddressBook addresses_{{}};
  PeerMessenger messenger_{&network_, &addresses_, [] { return uint64_t{77}; }};
  uint64_t raft_from_ = 0;
  size_t raft_ = 0;
  uint64_t snapshot_from_ = 0;
  uint64_t snapshot_stream_ = 0;
  int pages_ = 0;
  int control_ = 0;
};

TEST_F(PeerMessengerTest, SnapshotsHaveAWayOfTheirOwn) {
  Envelope envelope = FromPeer();
  envelope.mutable_snapshot()->set_stream(5);
  Receive(envelope);
  EXPECT_EQ(snapshot_from_, 2u);
  EXPECT_EQ(snapshot_stream_, 5u);
  EXPECT_EQ(control_, 0);
}

TEST_F(PeerMessengerTest, HeadsAreFilledAndRaftArrives) {
  Envelope envelope = FromPeer();
  envelope.add_raft()->set_group_id(3);
  Receive(envelope);
  EXPECT_EQ(raft_, 1u);
  EXPECT_EQ(raft_from_, 2u);
  messenger_.SendRaft(2, std::vector<internal::v1::RaftMessage>(2));
  ASSERT_EQ(network_.sent.size(), 1u);
  EXPECT_EQ(network_.sent[0].first, "peer") << "the address that the peer told";
  Envelope sent;
  const auto opened = OpenSealedEnvelope(network_.sent[0].second);
  ASSERT_TRUE(opened);
  ASSERT_TRUE(sent.ParseFromString(std::string(*opened)));
  EXPECT_EQ(sent.from_node(), 1u);
  EXPECT_EQ(sent.to_node(), 2u);
  EXPECT_EQ(sent.from_address(), "me");
  EXPECT_EQ(sent.boot(), 4u);
  EXPECT_EQ(sent.nonce(), 40u);
  EXPECT_EQ(sent.durable_batch(), 77u);
  EXPECT_EQ(sent.raft_size(), 2);
}

TEST_F(PeerMessengerTest, AnotherClustersEnvelopesAreDropped) {
  Envelope envelope = FromPeer();
  envelope.set_cluster_id(std::string(kIdBytes, 'X'));
  envelope.add_raft()->set_group_id(3);
  envelope.mutable_heartbeat();
  Receive(envelope);
  EXPECT_EQ(raft_, 0u);
  EXPECT_EQ(control_, 0);
  EXPECT_EQ(messenger_.dropped(), 1u);
  // What the two need to find out about each other passes, but not what rides along.
  envelope.mutable_join_request();
  Receive(envelope);
  EXPECT_EQ(control_, 1);
  EXPECT_EQ(raft_, 0u);
}

TEST_F(PeerMessengerTest, EnvelopesForOthersAndOfEarlierLivesAreDropped) {
  Envelope envelope = FromPeer();
  envelope.mutable_heartbeat();
  envelope.set_to_node(9);
  Receive(envelope);
  EXPECT_EQ(control_, 0);
  envelope.set_to_node(1);
  envelope.set_boot(2);
  Receive(envelope);
  EXPECT_EQ(control_, 1);
  envelope.set_boot(1);
  Receive(envelope);
  EXPECT_EQ(control_, 1);
  EXPECT_EQ(messenger_.dropped(), 2u);
}

TEST_F(PeerMessengerTest, PagesGoTheirOwnWay) {
  Envelope envelope = FromPeer();
  envelope.mutable_read_page_request();
  Receive(envelope);
  EXPECT_EQ(pages_, 1);
  EXPECT_EQ(control_, 0);
}

TEST_F(PeerMessengerTest, EveryFlippedBitIsNoticed) {
  int lines = 0;
  SetLogSink([&lines](LogLevel, const std::string& line) {
    lines += line.find("peer_messenger/damaged") != std::string::npos ? 1 : 0;
  });
  Envelope envelope = FromPeer();
  auto* entry = envelope.add_raft()->mutable_append_request()->add_entries();
  entry->set_payload(std::string(300, 'x'));
  envelope.mutable_heartbeat()->set_epoch(7);
  const std::string sent = Sealed(envelope.SerializeAsString());
  for (size_t bit = 0; bit < sent.size() * 8; ++bit) {
    std::string bytes = sent;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    network_.receive(std::move(bytes));
  }
  for (size_t size = 0; size < sent.size(); ++size) network_.receive(sent.substr(0, size));
  SetLogSink(nullptr);
  EXPECT_EQ(raft_, 0u);
  EXPECT_EQ(control_, 0);
  EXPECT_EQ(messenger_.damaged(), sent.size() * 9);
  EXPECT_EQ(messenger_.dropped(), 0u);
  EXPECT_GT(lines, 0);
  EXPECT_LE(lines, 16) << "however many there are";
  network_.receive(sent);
  EXPECT_EQ(raft_, 1u);
  EXPECT_EQ(control_, 1);
}

TEST_F(PeerMessengerTest, AnyBytesAreSafe) {
  Envelope envelope = FromPeer();
  envelope.add_raft()->mutable_append_request()->add_entries()->set_payload("x");
  envelope.mutable_heartbeat();
  const std::string good = envelope.SerializeAsString();
  const google::protobuf::LogSilencer no_complaints_about_text;
  SeededRandom random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = good.substr(0, UniformBelow(random, good.size() + 1));
    for (int flips = 0; flips < 3 && !bytes.empty(); ++flips) {
      bytes[UniformBelow(random, bytes.size())] = static_cast<char>(random.Next());
    }
    network_.receive(Sealed(bytes));
    network_.receive(std::move(bytes));
  }
  EXPECT_GT(messenger_.dropped(), 1000u);
  EXPECT_EQ(messenger_.damaged(), 20000u) << "those without a checksum of their own";
}

}  // namespace
}  // namespace quorate
