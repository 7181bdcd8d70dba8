#include "raft/configuration.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quorate::raft {
namespace {

std::vector<ReplicaId> Ids(std::initializer_list<uint64_t> values) {
  std::vector<ReplicaId> ids;
  for (uint64_t value : values) ids.emplace_back(value);
  return ids;
}

TEST(ConfigurationTest, DecodesWhatItEncodes) {
  const Configuration joint{.voters = Ids({1, 2, 0xfedcba9876543210}),
                            .outgoing = Ids({1, 3}),
                            .learners = Ids({3, 9}),
                            .epoch = 7};
  const auto decoded = DecodeConfiguration(EncodeConfiguration(joint));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, joint);
}

TEST(ConfigurationTest, RefusesEveryCutAndEveryTail) {
  const std::string bytes =
      EncodeConfiguration({.voters = Ids({1, 2}), .outgoing = {}, .learners = Ids({3})});
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(DecodeConfiguration(bytes.substr(0, size)).status().code(),
              absl::StatusCode::kDataLoss)
        << size;
  }
  EXPECT_FALSE(DecodeConfiguration(bytes + '\0').ok());
  EXPECT_FALSE(DecodeConfiguration('\2' + bytes.substr(1)).ok());
}

TEST(ConfigurationTest, RefusesWhatNamesNoGroup) {
  const auto valid = [](Configuration configuration) {
    return CheckConfiguration(configuration).ok();
  };
  EXPECT_TRUE(valid({.voters = Ids({1}), .outgoing = {}, .learners = {}}));
  EXPECT_FALSE(valid({.voters = {}, .outgoing = Ids({1}), .learners = {}}));
  EXPECT_FALSE(valid({.voters = Ids({2, 1}), .outgoing = {}, .learners = {}}));
  EXPECT_FALSE(valid({.voters = Ids({1, 1}), .outgoing = {}, .learners = {}}));
  EXPECT_FALSE(valid({.voters = Ids({0, 1}), .outgoing = {}, .learners = {}}));
  EXPECT_FALSE(valid({.voters = Ids({1}), .outgoing = {}, .learners = Ids({1})}));
  // A demotion: 2 votes until the joint configuration is left.
  EXPECT_TRUE(valid({.voters = Ids({1}), .outgoing = Ids({1, 2}), .learners = Ids({2})}));
}

TEST(ConfigurationTest, CutBringsTheEarlierOneBack) {
  const Configuration one{.voters = Ids({1}), .outgoing = {}, .learners = {}};
  const Configuration two{.voters = Ids({1}), .outgoing = {}, .learners = Ids({2})};
  ConfigurationHistory history(LogIndex(0), one);
  history.Add(LogIndex(5), two);
  EXPECT_FALSE(history.CutAfter(LogIndex(5)));
  EXPECT_EQ(history.latest(), two);
  EXPECT_TRUE(history.CutAfter(LogIndex(4)));
  EXPECT_EQ(history.latest(), one);
  history.Add(LogIndex(5), two);
  history.CommittedTo(LogIndex(5));
  EXPECT_EQ(history.latest_index(), LogIndex(5));
}

}  // namespace
}  // namespace quorate::raft
