#include "server/cluster/address_book.h"

#include <string>

#include "gtest/gtest.h"
#include "server/cluster/cluster_state.h"

namespace quorate {
namespace {

internal::v1::ClusterState StateWith(uint64_t boot, const std::string& address, char disk = 'd') {
  internal::v1::ClusterState state;
  internal::v1::NodeRecord* record = state.add_nodes();
  record->mutable_node()->set_node_id(2);
  record->mutable_node()->set_peer_address(address);
  record->set_disk_id(std::string(kIdBytes, disk));
  record->set_boot(boot);
  return state;
}

AddressBook::Sender SenderOf(uint64_t boot, const std::string& address, uint64_t nonce = 7) {
  return {.node_id = 2,
          .disk_id = std::string(kIdBytes, 'd'),
          .boot = boot,
          .nonce = nonce,
          .address = address};
}

TEST(AddressBookTest, ALaterStartTellsItsAddressBeforeTheStateKnows) {
  AddressBook book({});
  book.SetState(StateWith(1, "old"));
  EXPECT_EQ(book.Resolve(2), "old");
  EXPECT_TRUE(book.Admit(SenderOf(2, "new")).ok());
  EXPECT_EQ(book.Resolve(2), "new");
  book.SetState(StateWith(1, "old"));
  EXPECT_EQ(book.Resolve(2), "new") << "an older state takes nothing back";
  book.SetState(StateWith(3, "newest"));
  EXPECT_EQ(book.Resolve(2), "newest");
  EXPECT_EQ(book.Resolve(9), "");
}

TEST(AddressBookTest, TheOperatorKnowsBest) {
  AddressBook book({{2, "override"}});
  book.SetState(StateWith(1, "old"));
  EXPECT_TRUE(book.Admit(SenderOf(2, "new")).ok());
  EXPECT_EQ(book.Resolve(2), "override");
}

TEST(AddressBookTest, restored_copy_of_folder_recognised) {
  AddressBook book({});
  book.SetState(StateWith(5, "a"));
  EXPECT_FALSE(book.Admit(SenderOf(4, "late")).ok());
  EXPECT_TRUE(book.Admit(SenderOf(5, "a", 7)).ok());
  EXPECT_FALSE(book.Admit(SenderOf(5, "copy", 8)).ok()) << "same start, another nonce: a copy";
  EXPECT_TRUE(book.Admit(SenderOf(6, "b", 9)).ok());
  EXPECT_FALSE(book.Admit(SenderOf(5, "a", 7)).ok());
  EXPECT_EQ(book.Resolve(2), "b");
}

AddressBook::Sender AtBatch(uint64_t boot, uint64_t batch) {
  AddressBook::Sender sender = SenderOf(boot, "a", boot);
  sender.durable_batch = batch;
  return sender;
}

TEST(AddressBookTest, RemembersHowFarTheLogsOfEarlierLivesCame) {
  AddressBook book({});
  EXPECT_EQ(book.EarlierBatch(2, 5, 5), 0u);
  ASSERT_TRUE(book.Admit(AtBatch(5, 100)).ok());
  ASSERT_TRUE(book.Admit(AtBatch(5, 90)).ok()) << "late";
  EXPECT_EQ(book.EarlierBatch(2, 5, 5), 0u) << "of this life nothing is asked";
  ASSERT_TRUE(book.Admit(AtBatch(6, 70)).ok());
  EXPECT_EQ(book.EarlierBatch(2, 6, 6), 100u);
  // The cluster state may tell of a start first.
  book.SetState(StateWith(7, "a"));
  EXPECT_EQ(book.EarlierBatch(2, 7, 7), 100u);
  ASSERT_TRUE(book.Admit(AtBatch(7, 120)).ok());
  ASSERT_TRUE(book.Admit(AtBatch(8, 120)).ok());
  EXPECT_EQ(book.EarlierBatch(2, 8, 8), 120u);
}

TEST(AddressBookTest, WhoMakesAStartAgainIsToldOfTheOther) {
  AddressBook book({});
  ASSERT_TRUE(book.Admit(AtBatch(5, 100)).ok());
  EXPECT_EQ(book.EarlierBatch(2, 5, 5), 0u);
  EXPECT_EQ(book.EarlierBatch(2, 5, 6), 100u) << "the same start, of another life";
  EXPECT_EQ(book.EarlierBatch(2, 4, 4), 100u) << "an earlier start";
}

TEST(AddressBookTest, AnotherDiskIsAnotherNode) {
  AddressBook book({});
  EXPECT_TRUE(book.Admit(SenderOf(9, "impostor")).ok()) << "unknown yet";
  book.SetState(StateWith(1, "true", 'x'));
  EXPECT_EQ(book.Resolve(2), "true");
  EXPECT_FALSE(book.Admit(SenderOf(10, "impostor")).ok());
}

}  // namespace
}  // namespace quorate
