// The consistent-hash ring: which nodes come after a point of the hash space.
#ifndef SERVER_PLACEMENT_RING_H_
#define SERVER_PLACEMENT_RING_H_

#include <cstdint>
#include <vector>

#include "server/placement/placement_node.h"

namespace quorate {

// Each node owns 64 tokens for each unit of its weight, at places that depend on its id alone, so a
// node that joins takes over places from all others alike and moves nothing between them (Karger et
// al., STOC 1997; virtual nodes as in Dynamo, SOSP 2007). A constant value; any thread.
class Ring {
 public:
  static constexpr uint32_t kTokensPerWeight = 64;

  // Node ids are distinct.
  explicit Ring(const std::vector<PlacementNode>& nodes);

  // Ids of all nodes, in the order in which a clockwise walk from `hash` meets each for the first
  // time. Starts at the first token at or after `hash`.
  [[nodiscard]] std::vector<uint64_t> WalkFrom(uint64_t hash) const;

  // The same walk token by token, for those who seldom go far. Refers to the ring.
  class Walk {
   public:
    Walk(const Ring& ring, uint64_t hash);
    // The node of the next token, which may have come before. The ring has a token.
    [[nodiscard]] uint64_t Next();

   private:
    const Ring& ring_;
    size_t at_;
  };

 private:
  struct Token {
    uint64_t hash;
    uint64_t node_id;
    friend auto operator<=>(const Token&, const Token&) = default;
  };

  std::vector<Token> tokens_;  // ascending
  size_t node_count_;
};

}  // namespace quorate

#endif  // SERVER_PLACEMENT_RING_H_
