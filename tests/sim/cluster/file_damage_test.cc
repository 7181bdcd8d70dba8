// Damage at rest in each kind of file that a node keeps, on whole nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "server/placement/routing_key.h"
#include "server/runtime/random.h"
#include "tests/sim/cluster/rebuild_nodes.h"

namespace quorate::sim {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

enum class FileDamage : uint8_t { kTurned, kTurnedLate, kHalved, kEmptied, kShortened };
constexpr std::array<const char*, 5> kDamageNames = {"turned", "turned late", "halved", "emptied",
                                                     "shortened"};

enum class FileOutcome : uint8_t {
  // The node starts, and all its replicas go on.
  kUnharmed,
  // It starts, and replicas of it are built anew.
  kRebuilt,
  // It starts and does not serve, since it makes a start again that others know of. When it is
  // started once more, its replicas are built anew.
  kRebuiltAfterRestart,
  // It does not start, and says which file or store it is and what helps. With the sound file put
  // back it does.
  kRefused,
};

struct DamagedFile {
  std::string kind;  // below the data folder, "*" for each number
  FileDamage damage;
  FileOutcome outcome;
  std::string names{};  // refused: the file, or the store where RocksDB does not tell
};

// In the name of the test.
void PrintTo(const DamagedFile& file, std::ostream* out) {
  *out << file.kind << " " << kDamageNames.at(static_cast<size_t>(file.damage));
}

std::vector<DamagedFile> DamagedFiles() {
  using enum FileDamage;
  using enum FileOutcome;
  std::vector<DamagedFile> all = {
      {"log/*.sst", kTurned, kRebuilt},
      {"log/*.sst", kTurnedLate, kRefused,
       "/data/log is unreadable: Corruption"},  // in what tells where its blocks are
      {"log/*.sst", kHalved, kRefused, "/data/log/0000"},
      {"log/*.sst", kEmptied, kRefused, "/data/log/0000"},
      {"log/*.sst", kShortened, kRefused, "/data/log/0000"},
      {"log/*.log", kTurned, kRefused, "/data/log is unreadable: Corruption: checksum mismatch"},
      {"log/*.log", kHalved, kRebuilt},
      {"log/*.log", kEmptied, kRebuiltAfterRestart},
      {"log/*.log", kShortened, kRebuilt},
      {"log/MANIFEST-*", kShortened, kRefused, "/data/log lacks the end of its MANIFEST"},
      {"data/*.sst", kTurned, kRebuilt},
      {"data/*.sst", kTurnedLate, kRefused, "/data/data/0000"},
      {"data/*.sst", kHalved, kRefused, "/data/data/0000"},
      {"data/*.sst", kEmptied, kRefused, "/data/data/0000"},
      {"data/*.sst", kShortened, kRefused, "/data/data/0000"},
      // The data is as it was some time ago, which the log does not reach back to.
      {"data/MANIFEST-*", kShortened, kRebuilt},
  };
  for (const std::string store : {"log", "data"}) {
    for (const auto damage : {kTurned, kHalved, kEmptied, kShortened}) {
      all.push_back({store + "/CURRENT", damage, kRefused, "CURRENT file"});
      // For people, and read by nobody.
      all.push_back({store + "/OPTIONS-*", damage, kUnharmed});
      all.push_back({store + "/IDENTITY", damage, kUnharmed});
      if (damage == kShortened) continue;
      all.push_back({store + "/MANIFEST-*", damage, kRefused, "/data/" + store + "/MANIFEST-0000"});
    }
  }
  return all;
}

// Nothing is ever in them: the data store writes no log ahead.
const std::set<std::string>& EmptyKinds() {
  static const auto* const kinds = new std::set<std::string>{"data/*.log", "data/LOCK", "log/LOCK"};
  return *kinds;
}

void TurnABit(std::string& bytes, size_t at) {
  bytes.at(at) = static_cast<char>(bytes.at(at) ^ 16);
}

std::string Damaged(std::string bytes, FileDamage damage) {
  switch (damage) {
    case FileDamage::kTurned:
      TurnABit(bytes, bytes.size() / 2);
      break;
    case FileDamage::kTurnedLate:
      TurnABit(bytes, bytes.size() - bytes.size() / 20 - 1);
      break;
    case FileDamage::kHalved:
      bytes.resize(bytes.size() / 2);
      break;
    case FileDamage::kEmptied:
      bytes.clear();
      break;
    case FileDamage::kShortened:
      bytes.resize(bytes.size() - bytes.size() / 16 - 1);
      break;
  }
  return bytes;
}

// Below the data folder: "log/000012.sst" → "log/*.sst".
std::string KindOf(const std::string& path) {
  std::string kind;
  for (const char c : path) {
    const bool digit = std::isdigit(static_cast<unsigned char>(c)) != 0;
    if (!digit) kind.push_back(c);
    if (digit && !kind.ends_with('*')) kind.push_back('*');
  }
  return kind;
}

// A second base of fixtures, beside gtest's. Node 3's files are the ones that are damaged.
class DamagedNodes : protected RebuildNodes {
 protected:
  DamagedNodes() : RebuildNodes(/*seed=*/1) {
    // Of nodes that start from now on: so short a log has the data flushed.
    cluster_.replication().log_keep_bytes = 8 << 10;
  }

  [[nodiscard]] SimDisk& Disk() { return cluster_.machine(3).disk(); }
  // Kind → the newest of its files.
  std::map<std::string, std::string> FilesByKind() {
    const std::string folder = cluster_.machine(3).data_directory() + "/";
    std::map<std::string, std::string> files;
    for (const std::string& path : Disk().Paths()) {
      const auto bytes = Disk().Contents(path);
      if (!bytes.has_value() || !path.starts_with(folder)) continue;
      files[KindOf(path.substr(folder.size()))] = path;
    }
    return files;
  }
  // A kind that the table lacks is one that nobody has thought of. Not here: what only a failed
  // write leaves (lost_writes_mark.h), of which nothing is read.
  void ExpectKnownKinds(const std::map<std::string, std::string>& files) {
    std::set<std::string> known = EmptyKinds();
    for (const DamagedFile& file : DamagedFiles()) known.insert(file.kind);
    std::set<std::string> kinds;
    for (const auto& [kind, file] : files) {
      kinds.insert(kind);
      EXPECT_EQ(Disk().Contents(file)->empty(), EmptyKinds().contains(kind)) << file;
    }
    EXPECT_EQ(kinds, known);
  }

  void Write(const std::string& value, bool first_partition_only = false) {
    for (int i = 0; i < kRebuiltKeys; ++i) {
      const uint32_t partition = PartitionOfKey(KeyOf(i), RoutingRule::kTag, kRebuiltPartitions);
      if (first_partition_only && partition != 0) continue;
      // What does not compress makes files of more than their frames.
      std::string bytes = value;
      while (bytes.size() < 200) bytes.push_back(static_cast<char>(random_.Next()));
      const auto written = WholeNodes::Write(kRebuiltKeyspace, KeyOf(i), bytes);
      ASSERT_TRUE(written.ok()) << i << ": " << written.status;
      written_[i] = bytes;
    }
  }
  void ExpectAcknowledged(Duration timeout, bool all) {
    for (const auto& [i, value] : written_) {
      const auto read = Read(kRebuiltKeyspace, KeyOf(i), timeout);
      EXPECT_TRUE(read.ok() || !all) << i << ": " << read.status;
      EXPECT_TRUE(!read.ok() || read.value == value) << i << ": another value was acknowledged";
    }
  }
  void RestartNode3() {
    cluster_.Crash(3, CrashKind::kProcess);
    const absl::Status started = cluster_.Start(3);
    ASSERT_TRUE(started.ok()) << started;
  }
  // Of all groups, on machine 3.
  std::set<uint64_t> Incarnations() {
    std::set<uint64_t> all;
    for (uint32_t partition = 0; partition < kRebuiltPartitions; ++partition) {
      all.insert(ReplicaOf(partition, 3).value());
    }
    for (const auto& replica : State().meta_replicas()) {
      if (replica.node_id() == node_ids_.at(3)) all.insert(replica.incarnation());
    }
    return all;
  }
  bool AwaitWhole() {
    const auto whole = [this] {
      bool still = State().meta_coming_size() == 0;
      for (uint32_t partition = 0; partition < kRebuiltPartitions; ++partition) {
        still = still && Placement(partition).coming_size() == 0;
      }
      return still && AllAgree();
    };
    for (int i = 0; i < 60; ++i) {
      scheduler_.RunFor(seconds(1));
      if (whole()) return true;
    }
    return false;
  }
  void Cut(uint32_t machine, uint32_t other) {
    network_.CutBothWays(SimCluster::AddressOf(machine), SimCluster::AddressOf(other));
  }
  void ExpectRefusal(const absl::Status& status, const DamagedFile& file) {
    const std::string words(status.message());
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(words, HasSubstr(file.names));
    EXPECT_THAT(words, HasSubstr("move the node's data folder away"));
  }

  SeededRandom random_{1};
  std::map<int, std::string> written_;
};

// Method: node 2 is cut off from node 1 while nodes 1 and 3 acknowledge writes; node 3 starts anew
// in between, so that they stand in sorted files and in the log. Then node 3 dies, one of its files
// is damaged, node 1 loses power, and node 3 starts: it and node 2 are a majority. Oracle: what is
// read then is what was acknowledged or nothing; with node 1 back it is all there; node 3 does
// what the table says; and in the end all replicas are whole and alike.
//
// A log that was cut looks like one that was torn: that it lost something only those know who have
// heard of it. So in these cases node 2 is not cut off from node 3.
class FileDamageTest : public testing::TestWithParam<DamagedFile>, protected DamagedNodes {};

TEST_P(FileDamageTest, each_file_kind_corrupted) {
  const DamagedFile& file = GetParam();
  for (int i = 0; i < 2; ++i) {
    Write("before ");
    RestartNode3();
  }
  ASSERT_TRUE(AwaitWhole());
  const auto before = Incarnations();
  Cut(2, 1);
  if (file.kind != "log/*.log") Cut(2, 3);
  Write("first ");
  RestartNode3();
  // What the other partition has to lose is in sorted files.
  Write("then ", /*first_partition_only=*/true);
  scheduler_.RunFor(seconds(2));

  cluster_.Crash(3, CrashKind::kProcess);
  const auto files = FilesByKind();
  ExpectKnownKinds(files);
  const std::string& path = files.at(file.kind);
  const std::string sound = *Disk().Contents(path);
  ASSERT_TRUE(Disk().SetContents(path, Damaged(sound, file.damage)));
  cluster_.Crash(1, CrashKind::kPowerLoss);
  network_.HealAll();
  const absl::Status started = cluster_.Start(3);
  ExpectAcknowledged(seconds(1), /*all=*/false);
  ASSERT_TRUE(cluster_.Start(1).ok());
  EXPECT_EQ(started.ok(), file.outcome != FileOutcome::kRefused) << started;
  if (!started.ok()) {
    ExpectRefusal(started, file);
    ExpectRefusal(cluster_.Start(3), file);
    ASSERT_TRUE(Disk().SetContents(path, sound));
    ASSERT_TRUE(cluster_.Start(3).ok());
  }
  ExpectAcknowledged(seconds(20), /*all=*/true);
  if (file.outcome == FileOutcome::kRebuiltAfterRestart) {
    EXPECT_FALSE(AwaitWhole());
    RestartNode3();
  }
  EXPECT_TRUE(AwaitWhole());
  EXPECT_EQ(Incarnations() != before, file.outcome == FileOutcome::kRebuilt ||
                                          file.outcome == FileOutcome::kRebuiltAfterRestart);
  ExpectAcknowledged(seconds(20), /*all=*/true);
}

class LostLifeTest : public testing::Test, protected DamagedNodes {
 protected:
  // With logs so long that the data is not flushed: data ahead of its log would tell, too.
  LostLifeTest() { cluster_.replication().log_keep_bytes = ReplicaHost::Options().log_keep_bytes; }
};

// Method: nodes 2 and 3 acknowledge writes without node 1, in a life of node 3 that is then wiped
// out of its log whole. It makes the same start again, so node 2 does not listen to it, and node 1,
// which has lost power, remembers nothing. Oracle: nodes 1 and 3 make no majority.
TEST_F(LostLifeTest, WhoDoesNotListenToItStillTellsItWhatItLost) {
  Write("before ");
  RestartNode3();
  ASSERT_TRUE(AwaitWhole());
  const auto before = Incarnations();
  Cut(1, 2);
  Cut(1, 3);
  Write("first ");
  scheduler_.RunFor(seconds(2));
  cluster_.Crash(3, CrashKind::kProcess);
  ASSERT_TRUE(Disk().SetContents(FilesByKind().at("log/*.log"), ""));
  cluster_.Crash(1, CrashKind::kPowerLoss);
  network_.HealAll();
  Cut(1, 2);
  ASSERT_TRUE(cluster_.Start(3).ok());
  scheduler_.RunFor(seconds(1));
  ASSERT_TRUE(cluster_.Start(1).ok());
  scheduler_.RunFor(seconds(3));
  ExpectAcknowledged(seconds(1), /*all=*/false);
  network_.HealAll();
  ExpectAcknowledged(seconds(20), /*all=*/true);
  RestartNode3();
  EXPECT_TRUE(AwaitWhole());
  EXPECT_NE(Incarnations(), before);
}

INSTANTIATE_TEST_SUITE_P(Files, FileDamageTest, testing::ValuesIn(DamagedFiles()));

}  // namespace
}  // namespace quorate::sim
