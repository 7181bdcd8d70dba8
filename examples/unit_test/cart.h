// A shopping cart, as an application might have one: the code under test of this example.
#ifndef EXAMPLES_UNIT_TEST_CART_H_
#define EXAMPLES_UNIT_TEST_CART_H_

#include <string>
#include <utility>

#include "quorate/client.h"

enum class Added { kYes, kNo, kMaybe };

// The cart of one customer: a list of articles under one key.
class Cart {
 public:
  Cart(quorate::client::Keyspace carts, const std::string& customer)
      : carts_(std::move(carts)), key_("cart{" + customer + "}") {}

  // Adds an article, also while others add theirs. kMaybe: ask the customer to look again.
  [[nodiscard]] Added Add(const std::string& article);
  // One article a line.
  [[nodiscard]] absl::StatusOr<std::string> Articles() const;

 private:
  quorate::client::Keyspace carts_;
  std::string key_;
};

#endif  // EXAMPLES_UNIT_TEST_CART_H_
