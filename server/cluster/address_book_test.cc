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

TEST(AddressBookTest, AnotherDiskIsAnotherNode) {
  AddressBook book({});
  EXPECT_TRUE(book.Admit(SenderOf(9, "impostor")).ok()) << "unknown yet";
  book.SetState(StateWith(1, "true", 'x'));
  EXPECT_EQ(book.Resolve(2), "true");
  EXPECT_FALSE(book.Admit(SenderOf(10, "impostor")).ok());
}

}  // namespace
}  // namespace quorate
