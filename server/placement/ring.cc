#include "server/placement/ring.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <set>

namespace quorate {
namespace {

// Fixed for ever: clients and servers of all versions must see the same ring.
uint64_t TokenHash(uint64_t node_id, uint64_t token) {
  std::array<unsigned char, 16> bytes{};
  for (int i = 0; i < 8; ++i) {
    bytes[i] = static_cast<unsigned char>(node_id >> (56 - 8 * i));
    bytes[8 + i] = static_cast<unsigned char>(token >> (56 - 8 * i));
  }
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace

Ring::Ring(const std::vector<PlacementNode>& nodes) : node_count_(nodes.size()) {
  for (const PlacementNode& node : nodes) {
    const uint64_t count = uint64_t{kTokensPerWeight} * std::max<uint32_t>(node.weight, 1);
    for (uint64_t token = 0; token < count; ++token) {
      tokens_.push_back({.hash = TokenHash(node.node_id, token), .node_id = node.node_id});
    }
  }
  std::sort(tokens_.begin(), tokens_.end());
}

Ring::Walk::Walk(const Ring& ring, uint64_t hash)
    : ring_(ring),
      at_(std::lower_bound(ring.tokens_.begin(), ring.tokens_.end(), Token{hash, 0}) -
          ring.tokens_.begin()) {}

uint64_t Ring::Walk::Next() {
  if (at_ == ring_.tokens_.size()) at_ = 0;
  return ring_.tokens_[at_++].node_id;
}

std::vector<uint64_t> Ring::WalkFrom(uint64_t hash) const {
  std::vector<uint64_t> order;
  std::set<uint64_t> met;
  Walk walk(*this, hash);
  while (order.size() < node_count_) {
    const uint64_t node_id = walk.Next();
    if (met.insert(node_id).second) order.push_back(node_id);
  }
  return order;
}

}  // namespace quorate
