// Client calls on their way through a replica.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_REQUEST_H_
#define SERVER_REPLICATION_RAFT_GROUPS_REQUEST_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "kv/v1/errors.pb.h"
#include "raft/types.h"
#include "server/replication/replica_host.h"
#include "server/replication/request_trace.h"

namespace quorate {

// Says why a request ended without an answer; the outcome follows from how far the request got.
struct Refusal {
  kv::v1::Reason reason = kv::v1::REASON_UNSPECIFIED;
  std::string message;
  uint64_t leader_node = 0;     // NOT_LEADER: whom to ask; the service fills in the address
  uint32_t retry_delay_ms = 0;  // 0: no advice
};

// A call waiting for its answer. Several loops may want to give it (the apply loop has the result
// just as the worker sees the deadline pass); whoever claims first does, the others let go.
//
// Shared by the loops that handle it. What is not atomic belongs to the stage that holds the
// request: caller, then worker, then (for reads) apply or background.
class OpenRequest {
 public:
  // Where the worker's list of deadlines keeps it; 0: not there.
  struct DeadlineTicket {
    MonotonicTime when;
    uint64_t number = 0;
    friend auto operator<=>(const DeadlineTicket&, const DeadlineTicket&) = default;
  };

  OpenRequest(GroupId group, CallTerms terms) : group_(group), terms_(terms) {}
  virtual ~OpenRequest() = default;
  OpenRequest(const OpenRequest&) = delete;
  OpenRequest& operator=(const OpenRequest&) = delete;

  [[nodiscard]] GroupId group() const { return group_; }
  [[nodiscard]] MonotonicTime deadline() const { return terms_.deadline; }
  [[nodiscard]] virtual bool is_write() const = 0;

  // Ends it with an error, unless it has ended. Any thread.
  void Refuse(const Refusal& refusal);

  DeadlineTicket ticket;  // worker only
  StageTimes stages;

 protected:
  // True for exactly one caller, who gives the answer; the caller's trace is complete then.
  [[nodiscard]] bool Claim();
  virtual void Finish(absl::Status error) = 0;
  [[nodiscard]] virtual kv::v1::Outcome OutcomeNow() const = 0;

 private:
  const GroupId group_;
  const CallTerms terms_;
  std::atomic<bool> claimed_{false};
};

// A write: from its command to its answer.
class WriteRequest final : public OpenRequest {
 public:
  // Encodes the command, all but its times, on the calling thread.
  WriteRequest(GroupId group, internal::v1::Command command, CallTerms terms,
               Callback<WriteAnswer> done);
  ~WriteRequest() override;

  // Counts its bytes against the node's bound until it is gone; once, before it is handed on.
  // False: the bound is reached, nothing was counted. A single write is always let in.
  [[nodiscard]] bool Charge(std::shared_ptr<std::atomic<size_t>> used, size_t most);

  [[nodiscard]] bool is_write() const override { return true; }
  // Worker, once: the complete entry payload with this stamp, so long after the one before it.
  [[nodiscard]] std::shared_ptr<const std::string> TakePayload(uint64_t stamp, uint64_t elapsed_us);
  // From here on it may have happened. Worker.
  void MarkProposed(raft::Term term, raft::LogIndex index);

  [[nodiscard]] bool proposed() const { return proposed_.load(std::memory_order_relaxed); }
  [[nodiscard]] raft::Term term() const { return term_; }
  [[nodiscard]] raft::LogIndex index() const { return index_; }
  // What the payload says, so that applying on the proposer need not decode it again.
  [[nodiscard]] const internal::v1::Command& command() const { return command_; }
  [[nodiscard]] size_t bytes() const { return bytes_; }

  // Apply loop: the outcome is known. An error keeps its own outcome.
  void Answer(absl::StatusOr<WriteAnswer> answer);

 private:
  void Finish(absl::Status error) override { done_(std::move(error)); }
  [[nodiscard]] kv::v1::Outcome OutcomeNow() const override {
    return proposed() ? kv::v1::OUTCOME_UNKNOWN : kv::v1::OUTCOME_NOT_DONE;
  }

  internal::v1::Command command_;
  std::string encoded_;
  size_t bytes_ = 0;
  std::shared_ptr<std::atomic<size_t>> charged_;  // null: nothing was counted
  raft::Term term_;
  raft::LogIndex index_;
  std::atomic<bool> proposed_{false};
  Callback<WriteAnswer> done_;
};

// A wish that a certain node lead the group.
class TransferRequest final : public OpenRequest {
 public:
  TransferRequest(GroupId group, uint64_t to_node, CallTerms terms,
                  absl::AnyInvocable<void(absl::Status)> done)
      : OpenRequest(group, terms), to_node_(to_node), done_(std::move(done)) {}

  [[nodiscard]] bool is_write() const override { return false; }
  [[nodiscard]] uint64_t to_node() const { return to_node_; }
  // Leadership is elsewhere, or where it was wanted.
  void Answer();

 private:
  void Finish(absl::Status error) override { done_(std::move(error)); }
  // Who leads changes no data, and asking again is harmless.
  [[nodiscard]] kv::v1::Outcome OutcomeNow() const override { return kv::v1::OUTCOME_NOT_DONE; }

  const uint64_t to_node_;
  absl::AnyInvocable<void(absl::Status)> done_;
};

// A linearizable read of one key, of several keys at one moment, or of one page.
class ReadRequest final : public OpenRequest {
 public:
  struct Get {
    std::string key;
    Callback<ReadAnswer> done;
  };
  struct GetMany {
    std::vector<std::string> keys;
    size_t bytes_max = 0;
    Callback<std::vector<ReadAnswer>> done;
  };
  struct Page {
    PageQuery query;
    Callback<PageAnswer> done;
  };

  ReadRequest(GroupId group, CallTerms terms, std::variant<Get, GetMany, Page> what)
      : OpenRequest(group, terms), what_(std::move(what)) {}

  [[nodiscard]] bool is_write() const override { return false; }
  [[nodiscard]] const Get* get() const { return std::get_if<Get>(&what_); }
  [[nodiscard]] const GetMany* get_many() const { return std::get_if<GetMany>(&what_); }
  [[nodiscard]] const Page* page() const { return std::get_if<Page>(&what_); }

  void Answer(absl::StatusOr<ReadAnswer> answer);
  void Answer(absl::StatusOr<std::vector<ReadAnswer>> answer);
  void Answer(absl::StatusOr<PageAnswer> answer);

  // How the worker confirmed it.
  kv::v1::ServedBy served_by = kv::v1::SERVED_BY_LEADER_READ_INDEX;

 private:
  void Finish(absl::Status error) override;
  // Reads change nothing.
  [[nodiscard]] kv::v1::Outcome OutcomeNow() const override { return kv::v1::OUTCOME_NOT_DONE; }

  std::variant<Get, GetMany, Page> what_;
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_REQUEST_H_
