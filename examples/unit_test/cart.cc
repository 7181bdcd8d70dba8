#include "cart.h"

using quorate::client::Condition;
using quorate::client::GetResult;
using quorate::client::Outcome;
using quorate::client::Reason;
using quorate::client::WriteOptions;
using quorate::client::WriteResult;

namespace {

constexpr int kTriesMax = 10;

}  // namespace

Added Cart::Add(const std::string& article) {
  for (int i = 0; i < kTriesMax; ++i) {
    const GetResult cart = carts_.Get(key_);
    if (!cart.ok() && cart.reason != Reason::kKeyNotFound) {
      return Added::kNo;
    }
    const WriteOptions options{
        .timeout = patience_,
        .condition = cart.ok() ? Condition::IfVersion(cart.version) : Condition::IfAbsent()};
    const WriteResult put = carts_.Put(key_, cart.value + article + "\n", options);
    if (put.ok()) {
      return Added::kYes;
    }
    if (put.outcome == Outcome::kUnknown) {
      return Added::kMaybe;
    }
    if (put.reason != Reason::kConditionFalse) {
      return Added::kNo;
    }
    // Somebody else was quicker: add to what they left.
  }
  return Added::kNo;
}

absl::StatusOr<std::string> Cart::Articles() const {
  const GetResult cart = carts_.Get(key_);
  if (!cart.ok() && cart.reason != Reason::kKeyNotFound) {
    return cart.status;
  }
  return cart.value;
}
