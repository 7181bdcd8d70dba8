#include "server/service/batch.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "proto/error_detail.h"
#include "server/service/batch_result.h"

namespace quorate {
namespace {

using kv::v1::BatchOperation;
using kv::v1::BatchRequest;
using kv::v1::BatchResult;

// The step of a command; takes key and value out of the operation.
internal::v1::BatchStep StepOf(BatchOperation&& operation, int position) {
  internal::v1::BatchStep step;
  step.set_position(static_cast<uint32_t>(position));
  if (operation.has_put()) {
    auto* const put = operation.mutable_put();
    step.mutable_put()->set_key(std::move(*put->mutable_key()));
    step.mutable_put()->set_value(std::move(*put->mutable_value()));
    if (put->has_condition()) {
      *step.mutable_put()->mutable_condition() = std::move(*put->mutable_condition());
    }
  } else if (operation.has_delete_()) {
    auto* const remove = operation.mutable_delete_();
    step.mutable_delete_()->set_key(std::move(*remove->mutable_key()));
    if (remove->has_condition()) {
      *step.mutable_delete_()->mutable_condition() = std::move(*remove->mutable_condition());
    }
  } else if (operation.has_increment()) {
    auto* const increment = operation.mutable_increment();
    step.mutable_increment()->set_key(std::move(*increment->mutable_key()));
    step.mutable_increment()->set_delta(increment->delta());
  } else {
    step.set_get(std::move(*operation.mutable_get()->mutable_key()));
  }
  return step;
}

// For what was not tried because something before it in its partition was refused.
absl::Status NotTried(const absl::Status& first) {
  auto detail = DetailOf(first).value_or(kv::v1::ErrorDetail());
  if (detail.reason() == kv::v1::REASON_UNSPECIFIED) {
    detail.set_reason(kv::v1::REASON_INTERNAL_FAULT);
  }
  detail.set_outcome(kv::v1::OUTCOME_NOT_DONE);
  return MakeError(detail, "not tried, since an earlier operation of its partition was refused: " +
                               std::string(first.message()));
}

void ReadAtomically(const ServiceContext* context, GroupId group, BatchPlan plan,
                    Callback<BatchResults> done) {
  std::vector<std::string> keys;
  for (const BatchOperation& operation : plan.request.operations()) {
    keys.push_back(KeyOf(operation));
  }
  const size_t count = keys.size();
  context->host->GetMany(group, std::move(keys), kBatchBytesMax, plan.terms,
                         [count, view = plan.view, done = std::move(done)](
                             absl::StatusOr<std::vector<ReadAnswer>> answers) mutable {
                           if (!answers.ok()) {
                             done(WithLeaderAddress(answers.status(), *view));
                           } else if (answers->size() < count) {
                             done(AnswerTooLarge());
                           } else {
                             BatchResults results;
                             for (ReadAnswer& answer : *answers) {
                               results.push_back(ReadResult(std::move(answer)));
                             }
                             done(std::move(results));
                           }
                         });
}

}  // namespace

void RunAtomicBatch(const ServiceContext* context, BatchPlan plan, Callback<BatchResults> done) {
  const auto placement = RouteKey(*plan.view, *plan.keyspace, plan.request.header(),
                                  KeyOf(plan.request.operations(0)));
  if (!placement.ok()) {
    done(placement.status());
    return;
  }
  const GroupId group((*placement)->group_id());
  if (plan.terms.trace != nullptr) {
    plan.terms.trace->routed = true;
    plan.terms.trace->group = group;
    plan.terms.trace->partition = (*placement)->partition();
  }
  std::vector<bool> gets;
  for (const BatchOperation& operation : plan.request.operations()) {
    gets.push_back(operation.has_get());
  }
  if (std::find(gets.begin(), gets.end(), false) == gets.end()) {
    ReadAtomically(context, group, std::move(plan), std::move(done));
    return;
  }
  internal::v1::Command command;
  if (plan.request.header().has_request_id()) {
    *command.mutable_request_id() = plan.request.header().request_id();
  }
  command.mutable_batch()->set_atomic(true);
  for (int i = 0; i < plan.request.operations_size(); ++i) {
    *command.mutable_batch()->add_steps() =
        StepOf(std::move(*plan.request.mutable_operations(i)), i);
  }
  context->host->Write(
      group, std::move(command), plan.terms,
      [gets = std::move(gets), view = plan.view,
       done = std::move(done)](absl::StatusOr<WriteAnswer> answer) mutable {
        if (!answer.ok()) {
          done(WithLeaderAddress(answer.status(), *view));
          return;
        }
        auto& steps = *answer->result.mutable_steps();
        if (answer->result.answer_too_large() || steps.size() != static_cast<int>(gets.size())) {
          done(AnswerTooLarge());
          return;
        }
        BatchResults results;
        for (size_t i = 0; i < gets.size(); ++i) {
          results.push_back(
              StepResult(std::move(steps[static_cast<int>(i)]), gets[i], answer->repeated));
        }
        done(std::move(results));
      });
}

BatchRun::BatchRun(const ServiceContext* context, BatchPlan plan,
                   absl::AnyInvocable<void(BatchResults)> done)
    : context_(context),
      plan_(std::move(plan)),
      results_(static_cast<size_t>(plan_.request.operations_size())),
      done_(std::move(done)) {}

void BatchRun::Start(const ServiceContext* context, BatchPlan plan,
                     absl::AnyInvocable<void(BatchResults)> done) {
  std::shared_ptr<BatchRun> run(new BatchRun(context, std::move(plan), std::move(done)));
  run->Route();
  if (run->shares_.empty()) {
    run->done_(std::move(run->results_));
    return;
  }
  run->shares_left_ = run->shares_.size();
  for (Share& share : run->shares_) {
    run->Advance(share);
  }
}

void BatchRun::Route() {
  std::map<GroupId, Share> shares;
  const BatchRequest& request = plan_.request;
  for (int i = 0; i < request.operations_size(); ++i) {
    const BatchOperation& operation = request.operations(i);
    const auto placement =
        RouteKey(*plan_.view, *plan_.keyspace, request.header(), KeyOf(operation));
    if (!placement.ok()) {
      results_[static_cast<size_t>(i)] = RefusedResult(placement.status());
      continue;
    }
    const GroupId group((*placement)->group_id());
    Share& share = shares[group];
    share.group = group;
    share.stages.Add(operation, i);
  }
  for (auto& [group, share] : shares) {
    shares_.push_back(std::move(share));
  }
}

void BatchRun::Advance(Share& share) {
  const auto& stages = share.stages.stages();
  while (share.next < stages.size()) {
    const size_t number = share.next++;
    const std::vector<int>& stage = stages[number];
    if (stage.empty()) {
      continue;
    }
    if (!BatchStages::Reads(number)) {
      Write(share, stage);
      return;
    }
    if (!Read(share, stage)) {
      return;
    }
  }
  if (shares_left_.fetch_sub(1) == 1) {
    done_(std::move(results_));
  }
}

bool BatchRun::GiveValue(int position, ReadAnswer answer) {
  const size_t size = answer.value.size();
  const size_t before = value_bytes_.fetch_add(size);
  if (before != 0 && before + size > kBatchBytesMax) {
    value_bytes_.fetch_sub(size);
    return false;
  }
  results_[static_cast<size_t>(position)] = ReadResult(std::move(answer));
  return true;
}

bool BatchRun::Read(Share& share, const std::vector<int>& stage) {
  for (size_t i = 0; i < stage.size(); ++i) {
    auto leased =
        context_->host->TryLeaseGet(share.group, KeyOf(plan_.request.operations(stage[i])));
    if (!leased) {
      ReadByIndex(share, stage, i);
      return false;
    }
    if (!GiveValue(stage[i], *std::move(leased))) {
      Refuse(share, stage, i, AnswerTooLarge());
      return true;  // all stages are done with
    }
  }
  return true;
}

void BatchRun::ReadByIndex(Share& share, const std::vector<int>& stage, size_t from) {
  std::vector<std::string> keys;
  for (size_t i = from; i < stage.size(); ++i) {
    keys.push_back(KeyOf(plan_.request.operations(stage[i])));
  }
  context_->host->GetMany(share.group, std::move(keys), kBatchBytesMax, plan_.terms,
                          [self = shared_from_this(), &share, &stage,
                           from](absl::StatusOr<std::vector<ReadAnswer>> answers) {
                            absl::Status refused = AnswerTooLarge();
                            size_t next = from;
                            if (answers.ok()) {
                              for (ReadAnswer& answer : *answers) {
                                if (!self->GiveValue(stage[next], std::move(answer))) {
                                  break;
                                }
                                ++next;
                              }
                            } else {
                              refused = WithLeaderAddress(answers.status(), *self->plan_.view);
                            }
                            if (next < stage.size()) {
                              self->Refuse(share, stage, next, refused);
                            }
                            self->Advance(share);
                          });
}

void BatchRun::Write(Share& share, const std::vector<int>& stage) {
  internal::v1::Command command;
  if (plan_.request.header().has_request_id()) {
    const kv::v1::RequestId& id = plan_.request.header().request_id();
    command.mutable_request_id()->set_client_id(id.client_id());
    command.mutable_request_id()->set_cluster_time_us(id.cluster_time_us());
  }
  for (const int position : stage) {
    const uint64_t sequence = SequenceOf(plan_.request, position);
    // Nobody else looks at this operation any more.
    internal::v1::BatchStep* const step = command.mutable_batch()->add_steps();
    *step = StepOf(std::move(*plan_.request.mutable_operations(position)), position);
    step->set_sequence(sequence);
  }
  context_->host->Write(
      share.group, std::move(command), plan_.terms,
      [self = shared_from_this(), &share, &stage](absl::StatusOr<WriteAnswer> answer) {
        if (answer.ok()) {
          auto& steps = *answer->result.mutable_steps();
          for (int i = 0; i < steps.size() && i < static_cast<int>(stage.size()); ++i) {
            self->results_[static_cast<size_t>(stage[static_cast<size_t>(i)])] =
                StepResult(std::move(steps[i]), false, false);
          }
        } else {
          self->Refuse(share, stage, 0, WithLeaderAddress(answer.status(), *self->plan_.view));
        }
        self->Advance(share);
      });
}

void BatchRun::Refuse(Share& share, const std::vector<int>& stage, size_t from,
                      const absl::Status& status) {
  const BatchResult refused = RefusedResult(status);
  for (size_t i = from; i < stage.size(); ++i) {
    results_[static_cast<size_t>(stage[i])] = refused;
  }
  const BatchResult not_tried = RefusedResult(NotTried(status));
  const auto& stages = share.stages.stages();
  for (; share.next < stages.size(); ++share.next) {
    for (const int position : stages[share.next]) {
      results_[static_cast<size_t>(position)] = not_tried;
    }
  }
}

}  // namespace quorate
