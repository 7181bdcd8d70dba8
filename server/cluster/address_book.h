// Where peers are reached, and which life of each is the newest.
#ifndef SERVER_CLUSTER_ADDRESS_BOOK_H_
#define SERVER_CLUSTER_ADDRESS_BOOK_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "internal/v1/cluster_state.pb.h"
#include "server/runtime/mutex.h"

namespace quorate {

// A peer's address is, in this order: the operator's override; what the peer itself said since a
// start later than the one that the cluster state knows (so that nodes which all moved find each
// other before the state can be changed); the cluster state's.
//
// Boots only grow: an envelope of an earlier life is refused, and so is one of the highest boot
// under another nonce, which only a restored copy of a data folder can send. A copy that goes on
// with boots of its own is found by what is remembered of the earlier ones' logs.
//
// Any thread.
class AddressBook {
 public:
  // Who sent an envelope, by its own account.
  struct Sender {
    uint64_t node_id = 0;
    std::string disk_id;
    uint64_t boot = 0;
    uint64_t nonce = 0;
    std::string address;
    uint64_t durable_batch = 0;  // of its log, when it sent
  };

  explicit AddressBook(std::map<uint64_t, std::string> overrides)
      : overrides_(std::move(overrides)) {}

  void SetState(const internal::v1::ClusterState& state);
  // OK: the sender is the newest known life of that node, and its address is learned. Error: drop
  // what it sent; the message says why.
  absl::Status Admit(const Sender& sender);
  // The highest durable batch heard of, since this process began, from lives of that node before
  // the one that asks; of one that is not the newest known, from all others. 0: none.
  [[nodiscard]] uint64_t EarlierBatch(uint64_t node_id, uint64_t boot, uint64_t nonce) const;
  // Empty: unknown.
  [[nodiscard]] std::string Resolve(uint64_t node_id) const;

 private:
  struct Entry;
  static void BeginLife(Entry& entry, uint64_t boot);

  // Far above any sensible number of nodes: a peer must not grow the book by inventing ids.
  static constexpr size_t kEntriesMax = 65'536;

  struct Entry {
    std::string disk_id;  // by the state, or of the first heard from; empty: neither
    std::string state_address;
    std::string told_address;  // said by the life `boot`; empty: nothing heard from it
    uint64_t boot = 0;
    uint64_t nonce = 0;  // 0: not heard from this life
    // The highest durable batch heard of: from the life `boot`, and from earlier ones.
    uint64_t batch = 0;
    uint64_t earlier_batch = 0;
  };

  const std::map<uint64_t, std::string> overrides_;
  mutable Mutex mutex_;
  std::map<uint64_t, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate

#endif  // SERVER_CLUSTER_ADDRESS_BOOK_H_
