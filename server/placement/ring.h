// The consistent-hash ring: which nodes come after a point of the hash space.
#ifndef SERVER_PLACEMENT_RING_H_
#define SERVER_PLACEMENT_RING_H_

#include <cstdint>
#include <string>
#include <vector>

namespace quorate {

// A node as placement sees it.
struct PlacementNode {
  uint64_t node_id = 0;
  // A path such as "region/zone"; may be empty.
  std::string zone{};
  // Share of the data relative to other nodes, at least 1.
  uint32_t weight = 1;
};

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
