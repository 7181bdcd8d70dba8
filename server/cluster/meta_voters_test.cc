#include "server/cluster/meta_voters.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quorate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Nodes = std::vector<PlacementNode>;

PlacementNode In(uint64_t node_id, const char* zone) { return {.node_id = node_id, .zone = zone}; }

TEST(MetaVotersTest, OddNumbersOnly) {
  EXPECT_EQ(MetaVotersWanted(1), 1u);
  EXPECT_EQ(MetaVotersWanted(2), 1u);
  EXPECT_EQ(MetaVotersWanted(4), 3u);
  EXPECT_EQ(MetaVotersWanted(5), 5u);
  EXPECT_EQ(MetaVotersWanted(50), 5u);
  // Five are wanted, four can be had.
  EXPECT_THAT(ChooseMetaVoters({In(1, "")}, {In(2, ""), In(3, ""), In(4, "")}, 5),
              ElementsAre(1, 2, 3));
  EXPECT_THAT(ChooseMetaVoters({}, {}, 3), IsEmpty());
}

TEST(MetaVotersTest, SpreadsOverTheWidestZonesFirst) {
  const Nodes candidates = {In(2, "eu/1"), In(3, "eu/2"), In(4, "us/1"), In(5, "us/1"),
                            In(6, "ap/1")};
  EXPECT_THAT(ChooseMetaVoters({In(1, "eu/1")}, candidates, 3), ElementsAre(1, 4, 6));
  // Within a region over its zones.
  EXPECT_THAT(ChooseMetaVoters({In(1, "eu/1")}, candidates, 5), ElementsAre(1, 3, 4, 5, 6));
}

TEST(MetaVotersTest, VotersStayUnlessTheSpreadGetsBetter) {
  const Nodes voters = {In(4, "a"), In(5, "b"), In(6, "c")};
  EXPECT_THAT(ChooseMetaVoters(voters, {In(1, "a"), In(2, "b"), In(3, "d")}, 3),
              ElementsAre(4, 5, 6));
  EXPECT_THAT(ChooseMetaVoters({In(1, "a"), In(2, "a"), In(3, "a")}, {In(4, "b"), In(5, "c")}, 3),
              ElementsAre(1, 4, 5));
}

TEST(MetaVotersTest, ShrinksWhereTheZoneIsFullest) {
  EXPECT_THAT(ChooseMetaVoters({In(1, "a"), In(2, "b"), In(3, "b"), In(4, "c"), In(5, "c")}, {}, 3),
              ElementsAre(1, 2, 4));
}

}  // namespace
}  // namespace quorate
