// A shopping cart, as an application might have one: the code under test of this example.
#ifndef EXAMPLES_UNIT_TEST_CART_H_
#define EXAMPLES_UNIT_TEST_CART_H_

#include <chrono>
#include <string>
#include <utility>

#include "quorate/client.h"

enum class Added { kYes, kNo, kMaybe };

// The cart of one customer: a list of articles under one key.
class Cart {
 public:
  // `patience`: how long to wait for an answer before it is kMaybe.
  Cart(quorate::client::Keyspace carts, const std::string& customer,
       std::chrono::milliseconds patience = std::chrono::seconds(10))
      : carts_(std::move(carts)), key_("cart{" + customer + "}"), patience_(patience) {}

  // Adds an article, also while others add theirs. kMaybe: ask the customer to look again.
  [[nodiscard]] Added Add(const std::string& article);
  // One article a line.
  [[nodiscard]] absl::StatusOr<std::string> Articles() const;

 private:
  quorate::client::Keyspace carts_;
  std::string key_;
  std::chrono::milliseconds patience_;
};

#endif  // EXAMPLES_UNIT_TEST_CART_H_
