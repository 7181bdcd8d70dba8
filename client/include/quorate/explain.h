// What a keyspace's policy means for the people who use it.
#ifndef QUORATE_EXPLAIN_H_
#define QUORATE_EXPLAIN_H_

#include <string>

#include "quorate/cluster.h"

namespace quorate::client {

// Sentences for people; wording may change.
struct PolicyExplanation {
  // Its class after Abadi, "Consistency Tradeoffs in Modern Distributed Database System Design"
  // (2012): "PC/EC", "PC/EL", "PA/EC" or "PA/EL".
  std::string pacelc;
  std::string during_partition;
  // Round trips, apart from the client's own to the node that serves it.
  std::string read_cost;
  std::string write_cost;
  // What an acknowledged write survives.
  std::string survives;
};

// A pure function of the policy; zero values are read as the server's defaults.
PolicyExplanation Explain(const Policy& policy);

}  // namespace quorate::client

#endif  // QUORATE_EXPLAIN_H_
