// The request memory of one replica: which writes a partition has already answered, and how.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_REQUEST_DEDUP_H_
#define SERVER_REPLICATION_RAFT_GROUPS_REQUEST_DEDUP_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "internal/v1/command.pb.h"
#include "server/replication/raft_groups/forgotten_times.h"

namespace quorate {

// Remembers the first answer to each write that names itself, so that a repeat gets that answer and
// changes nothing. Pure; part of the replicated state: equal logs make equal memories, so it is
// changed only by applying.
//
// At most `rows_max` ids are kept, and at most `bytes_max` bytes of the answers that hold those of
// several steps (atomic batches, with the values that they read; AnswerBytes); what the newest log
// entry answered is kept in any case. What is older than `age_max` goes too, a few entries with
// each new one. The age is that of the group (ReplicaMeta.age_us), so what a leader's wall clock
// says, right or not, makes nobody forget. The oldest by log index goes first, with all ids of its
// entry. What is forgotten leaves its cluster time behind (ForgottenTimes): an id that is not in
// the table and whose time is among those may be one of the forgotten, so nobody can say whether it
// was applied (kExpired); any other cannot (kNew).
//
// Owned by one ReplicaState; touched on the apply loop only.
class RequestMemory {
 public:
  enum class Verdict { kNew, kRepeat, kExpired };

  struct Bounds {
    size_t rows_max = 0;
    size_t bytes_max = 0;
    std::chrono::microseconds age_max{0};  // zero: any
  };

  // Entries that one call of Remember forgets for their age: after an idle hour there are
  // thousands.
  static constexpr size_t kAgedAtOnce = 16;

  struct Lookup {
    Verdict verdict = Verdict::kNew;
    internal::v1::AppliedResult first_answer;  // kRepeat only
  };

  RequestMemory(const Bounds& bounds, ForgottenTimes forgotten);

  // True if the id can be remembered: 16 bytes of client id. Others are treated as no id at all.
  [[nodiscard]] static bool IsValid(const kv::v1::RequestId& id);

  // What an answer counts towards `bytes_max`: 0 unless it has steps. The same in every build,
  // since replicas must forget alike.
  [[nodiscard]] static size_t AnswerBytes(const internal::v1::AppliedResult& answer);

  // At start-up: a row read back from the store. Rows come in log order, each id once.
  void Restore(const internal::v1::RequestRow& row);

  [[nodiscard]] Lookup Find(const kv::v1::RequestId& id) const;
  // The same for another sequence: one write of a batch.
  [[nodiscard]] Lookup Find(const kv::v1::RequestId& id, uint64_t sequence) const;

  // Remembers what one entry answered, under valid ids that Find called new. The index grows from
  // call to call. Returns the log indexes of the rows that had to go, to be removed from the store
  // in the same batch.
  std::vector<uint64_t> Remember(const internal::v1::RequestRow& row);

  [[nodiscard]] const ForgottenTimes& forgotten() const { return forgotten_; }
  // Ids, and bytes of answers with steps.
  [[nodiscard]] size_t size() const { return rows_.size(); }
  [[nodiscard]] size_t bytes() const { return bytes_; }

 private:
  // Client id and sequence: what names a write. The cluster time is not part of the name.
  struct Key {
    std::array<char, 16> client{};
    uint64_t sequence = 0;

    friend bool operator==(const Key&, const Key&) = default;
    template <class H>
    friend H AbslHashValue(H hash, const Key& key) {
      hash = H::combine_contiguous(std::move(hash), key.client.data(), key.client.size());
      return H::combine(std::move(hash), key.sequence);
    }
  };
  // About 100 bytes instead of a message of some 200: a group holds tens of thousands.
  struct Row {
    Key key;
    uint64_t cluster_time_us = 0;
    uint64_t applied_at_age_us = 0;
    uint64_t index = 0;
    std::array<char, 16> version{};
    bool has_version = false;
    bool condition_false = false;
    bool existed = false;
    bool has_number = false;
    bool not_a_number = false;
    bool number_overflow = false;
    int64_t number = 0;
    // Set for what does not fit into the above.
    std::unique_ptr<internal::v1::AppliedResult> whole;
  };

  [[nodiscard]] static Key KeyOf(const kv::v1::RequestId& id, uint64_t sequence);
  [[nodiscard]] static internal::v1::AppliedResult AnswerOf(const Row& row);
  void Insert(const internal::v1::RequestRow& row);
  void InsertOne(const internal::v1::RequestRow& row, uint64_t sequence,
                 const internal::v1::AppliedResult& answer);
  [[nodiscard]] bool IsOverfull() const {
    return rows_.size() > bounds_.rows_max || bytes_ > bounds_.bytes_max;
  }
  // Whether the oldest row is too old at this age of the group.
  [[nodiscard]] bool IsTooOld(uint64_t age_us) const;
  void ForgetOldest();

  Bounds bounds_;
  ForgottenTimes forgotten_;
  // In log order. A row's place is `number - first_number_`.
  std::deque<Row> rows_;
  size_t bytes_ = 0;
  uint64_t first_number_ = 0;
  absl::flat_hash_map<Key, uint64_t> number_of_;
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_REQUEST_DEDUP_H_
