// The small formats: keys, log records, and the reader under them.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "server/storage/byte_codec.h"
#include "server/storage/key_format.h"
#include "server/storage/log_record.h"

namespace quorate {
namespace {

using raft::Entry;
using raft::EntryKind;
using raft::LogIndex;
using raft::Term;

std::string Encoded(GroupId group, const Entry& entry) {
  const EntryFrame frame = FrameEntry(group, entry);
  return std::string(frame.head.data(), frame.head.size()) + *entry.payload +
         std::string(frame.checksum.data(), frame.checksum.size());
}

Entry SampleEntry() {
  return {.term = Term(3),
          .index = LogIndex(9),
          .kind = EntryKind::kCommand,
          .payload = std::make_shared<const std::string>("put")};
}

TEST(KeyFormatTest, KeysOfAReplicaLieTogetherInKeyOrder) {
  const std::vector<std::string> ascending = {
      RecordKey(ReplicaId(1), RecordKind::kHistory, "\xff\xff"),
      ReplicaBegin(ReplicaId(2)),
      RecordKey(ReplicaId(2), RecordKind::kMeta, "x"),
      RecordKey(ReplicaId(2), RecordKind::kData, ""),
      RecordKey(ReplicaId(2), RecordKind::kData, "a"),
      RecordKey(ReplicaId(2), RecordKind::kData, "b"),
      RecordKey(ReplicaId(2), RecordKind::kData, std::string(4096, '\xff')),
      RecordKindEnd(ReplicaId(2), RecordKind::kData),
      DedupKey(ReplicaId(2), 255),
      DedupKey(ReplicaId(2), 256),
      RecordKindEnd(ReplicaId(2), RecordKind::kHistory),
      ReplicaEnd(ReplicaId(2)),
      RecordKey(ReplicaId(256), RecordKind::kMeta, ""),
      ReplicaEnd(ReplicaId(UINT64_MAX))};
  for (size_t i = 1; i < ascending.size(); ++i) EXPECT_LT(ascending[i - 1], ascending[i]) << i;
}

TEST(KeyFormatTest, ParsesWhatItMakesAndNothingElse) {
  const std::string key = RecordKey(ReplicaId(7), RecordKind::kData, "user");
  const auto parsed = ParseRecordKey(key);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->replica, ReplicaId(7));
  EXPECT_EQ(parsed->kind, RecordKind::kData);
  EXPECT_EQ(parsed->suffix, "user");
  EXPECT_FALSE(ParseRecordKey("short").has_value());
  EXPECT_FALSE(ParseRecordKey(std::string(9, '\0')).has_value());
  EXPECT_FALSE(ParseRecordKey(std::string(9, '\x7f')).has_value());
}

TEST(KeyFormatTest, BytesAreFixed) {
  EXPECT_EQ(RecordKey(ReplicaId(0x0102), RecordKind::kData, "k"),
            std::string("\0\0\0\0\0\0\1\2\2k", 10));
  EXPECT_EQ(LogEntryKey(GroupId(3), LogIndex(0x0405)),
            std::string("\0\0\0\0\0\0\0\3\3\0\0\0\0\0\0\4\5", 17));
  EXPECT_EQ(NodeRecordKey("n"), std::string("\xff\xff\xff\xff\xff\xff\xff\xff\0n", 10));
}

TEST(ByteReaderTest, EndsAtTheEnd) {
  std::string bytes;
  AppendLengthPrefixed(&bytes, std::string(300, 'x'));
  std::string_view field;
  EXPECT_TRUE(ByteReader(bytes).ReadLengthPrefixed(&field));
  EXPECT_EQ(field.size(), 300u);
  EXPECT_FALSE(ByteReader(bytes.substr(0, 301)).ReadLengthPrefixed(&field));
  EXPECT_FALSE(ByteReader(std::string(10, '\xff')).ReadLengthPrefixed(&field));
  EXPECT_FALSE(ByteReader("").ReadLengthPrefixed(&field));
  EXPECT_FALSE(ByteReader(std::string("\x81\x00x", 3)).ReadLengthPrefixed(&field))
      << "1 in two bytes: one length, one encoding";
}

TEST(LogRecordTest, GivesBackWhatWasPutIn) {
  const GroupId group(5);
  for (const raft::Configuration& members :
       {raft::Configuration(), raft::Configuration{.voters = {ReplicaId(1), ReplicaId(2)},
                                                   .outgoing = {ReplicaId(1)},
                                                   .learners = {ReplicaId(3)}}}) {
    const LogHead head{.replica = ReplicaId(1),
                       .compacted_index = LogIndex(2),
                       .compacted_term = Term(3),
                       .configuration = members};
    EXPECT_EQ(DecodeLogHead(group, EncodeLogHead(group, head)).value(), head);
  }
  raft::HardState state{.term = Term(1), .voted_for = ReplicaId(2), .commit = LogIndex(3)};
  EXPECT_EQ(DecodeHardState(group, EncodeHardState(group, state)).value(), state);
  for (const uint64_t cured : {0, 4, 5}) {
    state.life = 5;
    state.cured = cured;
    EXPECT_EQ(DecodeHardState(group, EncodeHardState(group, state)).value(), state);
  }
  const auto entry = DecodeEntry(group, LogIndex(9), Encoded(group, SampleEntry()));
  ASSERT_TRUE(entry.ok());
  EXPECT_EQ(entry->term, Term(3));
  EXPECT_EQ(entry->kind, EntryKind::kCommand);
  EXPECT_EQ(*entry->payload, "put");
}

// A group that never counted a life stores what versions before lives did.
TEST(LogRecordTest, HardStateHasLivesOnlyWhereThereAreAny) {
  const GroupId group(5);
  raft::HardState state{.term = Term(1), .voted_for = ReplicaId(2), .commit = LogIndex(3)};
  const std::string old = EncodeHardState(group, state);
  EXPECT_EQ(old.size(), 29u);
  EXPECT_EQ(old[0], '\1');
  state.life = 1;
  const std::string with_lives = EncodeHardState(group, state);
  EXPECT_EQ(with_lives.size(), 45u);
  EXPECT_EQ(with_lives[0], '\2');
  for (size_t size = 0; size < with_lives.size(); ++size) {
    EXPECT_FALSE(DecodeHardState(group, with_lives.substr(0, size)).ok()) << size;
  }
  // What no replica can say of itself.
  state.cured = 2;
  EXPECT_EQ(DecodeHardState(group, EncodeHardState(group, state)).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(LogRecordTest, DamageAndWrongPlaceAreNoticed) {
  const GroupId group(5);
  const std::string good = Encoded(group, SampleEntry());
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(DecodeEntry(group, LogIndex(9), bad).status().code(), absl::StatusCode::kDataLoss);
  }
  EXPECT_FALSE(DecodeEntry(group, LogIndex(10), good).ok());
  EXPECT_FALSE(DecodeEntry(GroupId(6), LogIndex(9), good).ok());
  EXPECT_FALSE(DecodeHardState(GroupId(6), EncodeHardState(group, {})).ok());
}

TEST(LogRecordTest, AnyBytesAreAnsweredWithoutACrash) {
  std::mt19937 random(2);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(random() % 40, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    EXPECT_FALSE(DecodeEntry(GroupId(1), LogIndex(1), bytes).ok());
    EXPECT_FALSE(DecodeHardState(GroupId(1), bytes).ok());
    EXPECT_FALSE(DecodeLogHead(GroupId(1), bytes).ok());
  }
}

}  // namespace
}  // namespace quorate
