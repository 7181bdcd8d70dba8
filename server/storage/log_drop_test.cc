// Logs that do not begin at 1: what was dropped, and what a snapshot took the place of.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raft/configuration.h"
#include "server/storage/log_store.h"
#include "server/storage/test_folder.h"

namespace quorate {
namespace {

using raft::Configuration;
using raft::Entry;
using raft::EntryKind;
using raft::LogIndex;
using raft::Term;

constexpr GroupId kDropGroup{3};
constexpr ReplicaId kDropReplica{33};

Configuration Voters(std::vector<ReplicaId> voters) {
  return {.voters = std::move(voters), .outgoing = {}, .learners = {}};
}

class LogDropTest : public testing::Test {
 protected:
  LogDropTest() {
    options_.path = folder_.Sub("log");
    Open();
  }

  void Open() {
    log_.reset();
    store_.reset();
    store_ = LogStore::Open(options_).value();
    log_ = store_->OpenGroup(kDropGroup, kDropReplica, Voters({kDropReplica})).value();
  }
  void Write(LogAppend append) {
    append.group = kDropGroup;
    const absl::Status status = store_->Append({append});
    ASSERT_TRUE(status.ok()) << status;
  }
  // Entries [first, last] of one term; `members` makes the last one a configuration.
  static std::vector<Entry> Entries(uint64_t term, uint64_t first, uint64_t last,
                                    const Configuration& members = {}) {
    std::vector<Entry> entries;
    for (uint64_t index = first; index <= last; ++index) {
      entries.push_back({.term = Term(term),
                         .index = LogIndex(index),
                         .kind = EntryKind::kCommand,
                         .payload = std::make_shared<const std::string>("payload")});
    }
    if (!members.voters.empty()) {
      entries.back().kind = EntryKind::kConfig;
      entries.back().payload =
          std::make_shared<const std::string>(raft::EncodeConfiguration(members));
    }
    return entries;
  }
  // "3..7" and the terms in it, as far as they can be read.
  std::string Shown() {
    std::string shown = std::to_string(log_->CompactedIndex().value()) + ".." +
                        std::to_string(log_->LastIndex().value()) + ":";
    for (LogIndex index = log_->CompactedIndex(); index <= log_->LastIndex();
         index = index.Next()) {
      shown += " " + std::to_string(log_->TermAt(index).value_or(Term(99)).value());
    }
    return shown;
  }

  TestFolder folder_;
  StoreOptions options_;
  std::unique_ptr<LogStore> store_;
  std::shared_ptr<GroupLog> log_;
};

TEST_F(LogDropTest, DroppedEntriesAreGoneForGood) {
  Write({.entries = Entries(1, 1, 3)});
  Write({.entries = Entries(2, 4, 6, Voters({ReplicaId(1), ReplicaId(2)}))});
  Write({.entries = Entries(2, 7, 8, Voters({ReplicaId(4)}))});
  Write({.drop_to = LogIndex(6)});
  for (int life = 0; life < 2; ++life) {
    EXPECT_EQ(Shown(), "6..8: 2 2 2");
    EXPECT_EQ(log_->Entries(LogIndex(6), LogIndex(8), SIZE_MAX).status().code(),
              absl::StatusCode::kOutOfRange);
    EXPECT_EQ(log_->Entries(LogIndex(7), LogIndex(8), SIZE_MAX)->size(), 2u);
    EXPECT_EQ(log_->TermAt(LogIndex(5)).status().code(), absl::StatusCode::kOutOfRange);
    // The membership at the cut is kept, later ones are entries as before.
    EXPECT_EQ(log_->CompactedConfiguration(), Voters({ReplicaId(1), ReplicaId(2)}));
    EXPECT_EQ(log_->ConfigurationAt(LogIndex(7)), Voters({ReplicaId(1), ReplicaId(2)}));
    EXPECT_EQ(log_->ConfigurationAt(LogIndex(8)), Voters({ReplicaId(4)}));
    ASSERT_EQ(log_->ConfigEntries().size(), 1u);
    EXPECT_EQ(log_->ConfigEntries()[0].index, LogIndex(8));
    Open();
  }
  // Repeated or older: nothing.
  Write({.drop_to = LogIndex(2)});
  Write({.drop_to = LogIndex(6)});
  EXPECT_EQ(Shown(), "6..8: 2 2 2");
}

TEST_F(LogDropTest, ALogDroppedToItsEndGoesOn) {
  Write({.entries = Entries(1, 1, 3)});
  Write({.hard_state = raft::HardState{.term = Term(4), .voted_for = {}, .commit = LogIndex(3)},
         .entries = Entries(1, 4, 4),
         .drop_to = LogIndex(3)});
  Write({.drop_to = LogIndex(4)});
  EXPECT_EQ(log_->ByteSize(), 0u);
  EXPECT_EQ(Shown(), "4..4: 1");
  Write({.entries = Entries(5, 5, 6)});
  const uint64_t bytes = log_->ByteSize();
  for (int life = 0; life < 2; ++life) {
    EXPECT_EQ(Shown(), "4..6: 1 5 5");
    EXPECT_EQ(log_->InitialHardState().term, life == 0 ? Term(0) : Term(4));
    EXPECT_EQ(log_->ByteSize(), bytes);
    Open();
  }
  Write({.entries = Entries(6, 5, 5)});
  EXPECT_EQ(Shown(), "4..5: 1 6");
}

TEST_F(LogDropTest, ResetBeginsAnewBehindTheSnapshot) {
  Write({.entries = Entries(1, 1, 9, Voters({ReplicaId(1)}))});
  const raft::SnapshotMeta lower{
      .index = LogIndex(5), .term = Term(3), .configuration = Voters({ReplicaId(2), ReplicaId(3)})};
  // Entries that follow it may come along, and overwrite what the old log had there.
  Write({.entries = Entries(4, 6, 7), .reset = lower});
  for (int life = 0; life < 2; ++life) {
    EXPECT_EQ(Shown(), "5..7: 3 4 4");
    EXPECT_EQ(log_->CompactedConfiguration(), lower.configuration);
    EXPECT_TRUE(log_->ConfigEntries().empty());
    Open();
  }
  raft::SnapshotMeta far = lower;
  far.index = LogIndex(1000);
  Write({.reset = far});
  for (int life = 0; life < 2; ++life) {
    EXPECT_EQ(Shown(), "1000..1000: 3");
    EXPECT_EQ(log_->ByteSize(), 0u);
    Open();
  }
}

TEST_F(LogDropTest, EvictionFollowsDrops) {
  options_.cache_bytes = 200;
  Open();
  for (uint64_t index = 1; index <= 40; ++index) {
    Write({.entries = Entries(1, index, index)});
    if (index % 10 == 0) Write({.drop_to = LogIndex(index - 5)});
  }
  EXPECT_EQ(log_->Entries(LogIndex(36), LogIndex(40), SIZE_MAX)->size(), 5u);
  EXPECT_EQ(log_->ByteSize(), 5 * (17 + 14 + 7u));
}

}  // namespace
}  // namespace quorate
