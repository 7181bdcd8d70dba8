#include "server/cluster/meta_voters.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace quorate {
namespace {

using Nodes = std::vector<PlacementNode>;

// The first `levels` parts of a zone's path; all of it where it has fewer.
std::string Prefix(const std::string& zone, size_t levels) {
  size_t end = 0;
  for (size_t level = 0; level < levels && end != std::string::npos; ++level) {
    end = zone.find('/', level == 0 ? 0 : end + 1);
  }
  return zone.substr(0, end);
}

// Sum of the squares of how many nodes each zone has, by level, the widest first: smaller is more
// even. `levels` is the same in all vectors that are compared.
std::vector<size_t> Unevenness(const Nodes& nodes, size_t levels) {
  std::vector<size_t> sums;
  for (size_t level = 1; level <= levels; ++level) {
    std::map<std::string, size_t> counts;
    for (const PlacementNode& node : nodes) {
      ++counts[Prefix(node.zone, level)];
    }
    size_t sum = 0;
    for (const auto& [zone, count] : counts) {
      sum += count * count;
    }
    sums.push_back(sum);
  }
  return sums;
}

Nodes Without(Nodes nodes, size_t index) {
  nodes.erase(nodes.begin() + static_cast<std::ptrdiff_t>(index));
  return nodes;
}

Nodes With(Nodes nodes, const PlacementNode& node) {
  nodes.push_back(node);
  return nodes;
}

size_t LevelsOf(const Nodes& nodes) {
  size_t levels = 1;
  for (const PlacementNode& node : nodes) {
    levels = std::max(levels,
                      static_cast<size_t>(1 + std::count(node.zone.begin(), node.zone.end(), '/')));
  }
  return levels;
}

// Choosing, one change after the other.
struct Choice {
  Nodes voters;      // by id
  Nodes candidates;  // by id
  size_t levels = 1;

  void Remove() {
    size_t best = voters.size() - 1;
    for (size_t i = voters.size() - 1; i-- > 0;) {
      if (Unevenness(Without(voters, i), levels) < Unevenness(Without(voters, best), levels)) {
        best = i;
      }
    }
    voters = Without(std::move(voters), best);
  }

  void Add() {
    size_t best = 0;
    for (size_t i = 1; i < candidates.size(); ++i) {
      if (Unevenness(With(voters, candidates[i]), levels) <
          Unevenness(With(voters, candidates[best]), levels)) {
        best = i;
      }
    }
    voters.push_back(candidates[best]);
    candidates = Without(std::move(candidates), best);
  }

  // One voter's place goes to a candidate where that makes the spread more even.
  bool Exchange() {
    Nodes best = voters;
    for (size_t i = voters.size(); i-- > 0;) {
      for (const PlacementNode& candidate : candidates) {
        Nodes other = With(Without(voters, i), candidate);
        if (Unevenness(other, levels) < Unevenness(best, levels)) {
          best = std::move(other);
        }
      }
    }
    const bool better = Unevenness(best, levels) < Unevenness(voters, levels);
    std::erase_if(candidates, [&best](const PlacementNode& each) {
      return best.back().node_id == each.node_id;
    });
    voters = std::move(best);
    return better;
  }
};

void SortById(Nodes* nodes) {
  std::sort(nodes->begin(), nodes->end(),
            [](const PlacementNode& a, const PlacementNode& b) { return a.node_id < b.node_id; });
}

}  // namespace

size_t MetaVotersWanted(size_t nodes) { return nodes >= 5 ? 5 : nodes >= 3 ? 3 : 1; }

std::vector<uint64_t> ChooseMetaVoters(const Nodes& voters, const Nodes& candidates,
                                       size_t wanted) {
  Choice choice{.voters = voters, .candidates = candidates};
  SortById(&choice.voters);
  SortById(&choice.candidates);
  choice.levels = std::max(LevelsOf(voters), LevelsOf(candidates));
  size_t size = std::min(wanted, voters.size() + candidates.size());
  size -= size % 2 == 0 && size > 0 ? 1 : 0;
  while (choice.voters.size() > size) {
    choice.Remove();
  }
  while (choice.voters.size() < size) {
    choice.Add();
  }
  do {
    SortById(&choice.voters);
  } while (!choice.voters.empty() && choice.Exchange());
  std::vector<uint64_t> ids;
  for (const PlacementNode& node : choice.voters) {
    ids.push_back(node.node_id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace quorate
