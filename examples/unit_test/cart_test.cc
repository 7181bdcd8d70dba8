// Unit tests of an application against a real node in the same process, its failures included.
#include "cart.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>

#include "quorate/testing/local_node.h"

namespace {

using quorate::testing::LocalNode;

class CartTest : public ::testing::Test {
 protected:
  // A new node for each test costs about a tenth of a second, and no test sees another's data.
  void SetUp() override {
    auto node = LocalNode::Start();
    ASSERT_TRUE(node.ok()) << node.status();
    node_ = *std::move(node);
    auto carts = node_->CreateKeyspace("carts");
    ASSERT_TRUE(carts.ok()) << carts.status();
    cart_ = std::make_unique<Cart>(*carts, "anna");
    hasty_ = std::make_unique<Cart>(*carts, "anna", std::chrono::seconds(3));
  }

  std::unique_ptr<LocalNode> node_;
  std::unique_ptr<Cart> cart_;
  std::unique_ptr<Cart> hasty_;  // the same cart
};

TEST_F(CartTest, KeepsWhatWasAdded) {
  EXPECT_EQ(cart_->Articles().value(), "");
  EXPECT_EQ(cart_->Add("apples"), Added::kYes);
  EXPECT_EQ(cart_->Add("pears"), Added::kYes);
  ASSERT_TRUE(node_->Restart().ok());
  EXPECT_EQ(cart_->Articles().value(), "apples\npears\n");
}

TEST_F(CartTest, SaysNoWhenTheStoreIsFull) {
  node_->SetFaults({.refuse_writes = true});
  EXPECT_EQ(cart_->Add("apples"), Added::kNo);
  EXPECT_EQ(cart_->Articles().value(), "");
}

TEST_F(CartTest, SaysMaybeWhenNoAnswerComes) {
  EXPECT_EQ(cart_->Add("apples"), Added::kYes);
  node_->SetFaults({.lose_write_answers = true});
  EXPECT_EQ(hasty_->Add("pears"), Added::kMaybe);
  EXPECT_EQ(cart_->Articles().value(), "apples\npears\n");
}

}  // namespace
