// A ReplicaHost whose groups are maps in memory, led by whom the test says.
#ifndef TESTS_FAKES_FAKE_REPLICA_HOST_H_
#define TESTS_FAKES_FAKE_REPLICA_HOST_H_

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "proto/error_detail.h"
#include "server/replication/replica_host.h"

namespace quorate::fakes {

// One thread; answers on the calling thread.
class FakeReplicaHost final : public ReplicaHost {
 public:
  explicit FakeReplicaHost(uint64_t self) : self_(self) {}

  // A reader of the group's data, when this node leads it.
  std::map<GroupId, std::map<std::string, std::string>> data;
  std::map<GroupId, uint64_t> leaders;
  // Answered once by the next request of any kind.
  std::vector<absl::Status> errors;
  bool lease = true;
  std::vector<ReplicaSpec> specs;
  std::vector<internal::v1::Command> written;
  size_t many_reads = 0;
  size_t page_reads = 0;
  size_t page_bytes_read = 0;
  HostFigures figures;
  std::vector<DamagedReplica> damaged;
  std::vector<PeerMemory> remembered;

  void SetReplicas(std::vector<ReplicaSpec> wanted) override { specs = std::move(wanted); }
  void HandOverLeadership(absl::AnyInvocable<void()> done) override { done(); }
  void TransferLeadership(GroupId group, uint64_t /*node*/, CallTerms /*terms*/,
                          absl::AnyInvocable<void(absl::Status)> done) override {
    done(Refusal(group));
  }
  void Stop() override {}
  void StepRaft(uint64_t /*from*/, std::vector<internal::v1::RaftMessage> /*messages*/) override {}
  void StepSnapshot(uint64_t /*from*/, internal::v1::SnapshotMessage /*message*/) override {}

  void Write(GroupId group, internal::v1::Command command, CallTerms /*terms*/,
             Callback<WriteAnswer> done) override {
    if (absl::Status refused = Refusal(group); !refused.ok()) {
      done(std::move(refused));
      return;
    }
    WriteAnswer answer;
    if (command.has_put()) {
      answer.result = PutNow(group, command.put());
    } else if (command.has_delete_()) {
      answer.result = DeleteNow(group, command.delete_());
    } else if (command.has_increment()) {
      answer.result = IncrementNow(group, command.increment());
    } else {
      for (const auto& step : command.batch().steps()) {
        *answer.result.add_steps() = StepNow(group, step);
      }
    }
    written.push_back(std::move(command));
    done(std::move(answer));
  }
  void ProposeCluster(internal::v1::ClusterCommand /*command*/, MonotonicTime /*deadline*/,
                      absl::AnyInvocable<void(absl::Status)> done) override {
    done(Refusal(GroupId(0)));
  }

  std::optional<ReadAnswer> TryLeaseGet(GroupId group, std::string_view key) override {
    if (!lease || LeaderOf(group) != self_) {
      return std::nullopt;
    }
    return Read(group, key, kv::v1::SERVED_BY_LEADER_LEASE);
  }
  void Get(GroupId group, std::string key, CallTerms /*terms*/,
           Callback<ReadAnswer> done) override {
    if (absl::Status refused = Refusal(group); !refused.ok()) {
      done(std::move(refused));
      return;
    }
    done(Read(group, key, kv::v1::SERVED_BY_LEADER_READ_INDEX));
  }
  void GetMany(GroupId group, std::vector<std::string> keys, size_t bytes_max, CallTerms /*terms*/,
               Callback<std::vector<ReadAnswer>> done) override {
    ++many_reads;
    if (absl::Status refused = Refusal(group); !refused.ok()) {
      done(std::move(refused));
      return;
    }
    std::vector<ReadAnswer> answers;
    size_t bytes = 0;
    for (const std::string& key : keys) {
      ReadAnswer answer = Read(group, key, kv::v1::SERVED_BY_LEADER_READ_INDEX);
      bytes += answer.value.size();
      if (bytes > bytes_max && !answers.empty()) {
        break;
      }
      answers.push_back(std::move(answer));
    }
    done(std::move(answers));
  }
  void ReadPage(GroupId group, PageQuery query, CallTerms /*terms*/,
                Callback<PageAnswer> done) override {
    ++page_reads;
    if (absl::Status refused = Refusal(group); !refused.ok()) {
      done(std::move(refused));
      return;
    }
    PageAnswer page;
    size_t bytes = 0;
    const auto& keys = data[group];
    for (auto at = keys.lower_bound(query.begin); at != keys.end(); ++at) {
      if (!query.end.empty() && at->first >= query.end) {
        break;
      }
      const size_t size = at->first.size() + (query.keys_only ? 0 : at->second.size());
      if (page.entries.size() >= query.limit ||
          (!page.entries.empty() && bytes + size > query.bytes_max)) {
        page.more = true;
        break;
      }
      bytes += size;
      kv::v1::ScanEntry& entry = page.entries.emplace_back();
      entry.set_key(at->first);
      entry.set_value(query.keys_only ? "" : at->second);
      entry.set_version(std::string(16, 'v'));
    }
    page_bytes_read += bytes;
    done(std::move(page));
  }

  [[nodiscard]] QuietDigest LedQuietly(uint64_t /*node*/) const override { return {}; }
  [[nodiscard]] QuietDigest FollowedQuietly(uint64_t /*node*/) const override { return {}; }
  [[nodiscard]] std::vector<QuietGroup> ListFollowedQuietly(uint64_t /*node*/) const override {
    return {};
  }
  [[nodiscard]] std::vector<uint64_t> QuietLeaders() const override { return {}; }
  [[nodiscard]] std::vector<QuietGroup> NotLedFor(
      uint64_t /*node*/, const std::vector<QuietGroup>& groups) const override {
    return groups;
  }
  void SuspectLeadersOn(uint64_t /*node*/) override {}
  void SuspectLeadersOf(const std::vector<QuietGroup>& /*groups*/) override {}
  void WakeQuietWith(uint64_t /*node*/) override {}

  [[nodiscard]] uint64_t LeaderOf(GroupId group) const override {
    const auto found = leaders.find(group);
    return found == leaders.end() ? 0 : found->second;
  }
  [[nodiscard]] std::map<GroupId, uint64_t> Leaders() const override { return leaders; }
  [[nodiscard]] bool AllStarted() const override { return true; }
  void OnRemembered(const PeerMemory& memory) override { remembered.push_back(memory); }
  [[nodiscard]] std::vector<DamagedReplica> Damaged() const override { return damaged; }
  void ListReplicas(bool /*checksum*/, Callback<std::vector<kv::v1::ReplicaStatus>> done) override {
    done(std::vector<kv::v1::ReplicaStatus>());
  }
  [[nodiscard]] HostFigures Figures() const override { return figures; }
  [[nodiscard]] uint64_t ClusterTimeMicros() const override { return 1234; }
  void Inspect(const Inspector& /*inspector*/) const override {}

 private:
  absl::Status Refusal(GroupId group) {
    if (!errors.empty()) {
      absl::Status first = errors.front();
      errors.erase(errors.begin());
      return first;
    }
    if (LeaderOf(group) == self_) {
      return absl::OkStatus();
    }
    kv::v1::ErrorDetail detail;
    detail.set_reason(kv::v1::REASON_NOT_LEADER);
    detail.set_outcome(kv::v1::OUTCOME_NOT_DONE);
    if (LeaderOf(group) != 0) {
      detail.mutable_leader()->set_node_id(LeaderOf(group));
    }
    return MakeError(detail, "not the leader");
  }
  internal::v1::AppliedResult PutNow(GroupId group, const internal::v1::PutCommand& put) {
    internal::v1::AppliedResult result;
    result.set_version(std::string(16, 'v'));
    std::map<std::string, std::string>& keys = data[group];
    if (put.condition().has_if_absent() && keys.contains(put.key())) {
      result.set_condition_false(true);
    } else {
      keys[put.key()] = put.value();
    }
    return result;
  }
  // A value with a letter in it is no number, and 2 is the highest sum.
  internal::v1::AppliedResult IncrementNow(GroupId group,
                                           const internal::v1::IncrementCommand& command) {
    auto& value = data[group][command.key()];
    internal::v1::AppliedResult result;
    result.set_version(std::string(16, 'v'));
    result.set_not_a_number(value.find_first_not_of("-0123456789") != std::string::npos);
    const int64_t sum = std::atoll(value.c_str()) + command.delta();
    result.set_number_overflow(!result.not_a_number() && sum > 2);
    if (!result.not_a_number() && !result.number_overflow()) {
      result.set_number(sum);
      value = std::to_string(sum);
    }
    return result;
  }
  internal::v1::AppliedResult DeleteNow(GroupId group, const internal::v1::DeleteCommand& remove) {
    internal::v1::AppliedResult result;
    result.set_version(std::string(16, 'v'));
    result.set_existed(data[group].erase(remove.key()) > 0);
    return result;
  }
  // As if each were a command of its own, atomic batches too.
  internal::v1::AppliedResult StepNow(GroupId group, const internal::v1::BatchStep& step) {
    if (step.has_put()) {
      return PutNow(group, step.put());
    }
    if (step.has_delete_()) {
      return DeleteNow(group, step.delete_());
    }
    if (step.has_increment()) {
      return IncrementNow(group, step.increment());
    }
    ReadAnswer read = Read(group, step.get(), kv::v1::SERVED_BY_COMMIT);
    internal::v1::AppliedResult result;
    if (read.found) {
      result.set_version(read.version);
      result.set_value(read.value);
    }
    return result;
  }
  ReadAnswer Read(GroupId group, std::string_view key, kv::v1::ServedBy served_by) {
    ReadAnswer answer;
    answer.served_by = served_by;
    const auto found = data[group].find(std::string(key));
    if (found != data[group].end()) {
      answer.found = true;
      answer.value = found->second;
      answer.version = std::string(16, 'v');
    }
    return answer;
  }

  const uint64_t self_;
};

}  // namespace quorate::fakes

#endif  // TESTS_FAKES_FAKE_REPLICA_HOST_H_
