#include "server/service/batch_plan.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/error_detail.h"

namespace quorate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

kv::v1::BatchRequest Request() {
  kv::v1::BatchRequest request;
  request.mutable_header()->set_keyspace("k");
  return request;
}
void Get(kv::v1::BatchRequest* request, const std::string& key) {
  request->add_operations()->mutable_get()->set_key(key);
}
kv::v1::BatchPut* Put(kv::v1::BatchRequest* request, const std::string& key) {
  auto* const put = request->add_operations()->mutable_put();
  put->set_key(key);
  return put;
}
kv::v1::BatchDelete* Delete(kv::v1::BatchRequest* request, const std::string& key) {
  auto* const remove = request->add_operations()->mutable_delete_();
  remove->set_key(key);
  return remove;
}
void Increment(kv::v1::BatchRequest* request, const std::string& key) {
  request->add_operations()->mutable_increment()->set_key(key);
}
void Name(kv::v1::BatchRequest* request, uint64_t sequence) {
  request->mutable_header()->mutable_request_id()->set_client_id(std::string(16, 'c'));
  request->mutable_header()->mutable_request_id()->set_sequence(sequence);
}
// The field that the error names; empty when there is none.
std::string FieldNamedBy(const absl::Status& status) {
  const auto detail = DetailOf(status);
  return detail ? detail->field() : "";
}
std::string FieldIn(const kv::v1::BatchRequest& request) {
  return FieldNamedBy(CheckBatchIn(request, RoutingRule::kTag, 10));
}

TEST(BatchPlanTest, NamesTheOperationAndItsField) {
  kv::v1::BatchRequest request = Request();
  EXPECT_EQ(FieldNamedBy(CheckBatch(request)), "operations") << "empty";
  Get(&request, "a");
  EXPECT_TRUE(CheckBatch(request).ok());
  Put(&request, "b")->mutable_condition()->set_if_version("short");
  EXPECT_EQ(FieldNamedBy(CheckBatch(request)), "operations[1].put.condition.if_version");
  request.mutable_operations(1)->mutable_put()->set_key("");
  EXPECT_EQ(FieldNamedBy(CheckBatch(request)), "operations[1].put.key");
  request.mutable_operations()->RemoveLast();
  Delete(&request, "b")->mutable_condition()->set_if_absent(true);
  EXPECT_EQ(FieldNamedBy(CheckBatch(request)), "operations[1].delete.condition.if_absent");
  request.mutable_operations()->RemoveLast();
  Increment(&request, "");
  EXPECT_EQ(FieldNamedBy(CheckBatch(request)), "operations[1].increment.key");
  request.mutable_operations()->RemoveLast();
  request.add_operations();
  EXPECT_EQ(FieldNamedBy(CheckBatch(request)), "operations[1].kind");
}

TEST(BatchPlanTest, BoundsNumberAndBytes) {
  kv::v1::BatchRequest request = Request();
  for (int i = 0; i < kBatchOperationsMax; ++i) {
    Put(&request, "key")->set_value(std::string(4093, 'x'));
  }
  EXPECT_TRUE(CheckBatch(request).ok()) << "exactly 4 MiB";
  request.mutable_operations(0)->mutable_put()->mutable_value()->push_back('x');
  EXPECT_EQ(FieldNamedBy(CheckBatch(request)), "operations");
  kv::v1::BatchRequest many = Request();
  for (int i = 0; i <= kBatchOperationsMax; ++i) {
    Get(&many, "key");
  }
  EXPECT_EQ(FieldNamedBy(CheckBatch(many)), "operations");
}

TEST(BatchPlanTest, EachWriteHasASequenceOfItsOwn) {
  kv::v1::BatchRequest request = Request();
  Put(&request, "a");
  Get(&request, "a");
  Put(&request, "b");
  request.mutable_operations(0)->set_sequence(9);
  EXPECT_EQ(FieldNamedBy(CheckBatch(request)), "operations[0].sequence") << "no request id";
  Name(&request, 7);
  EXPECT_EQ(FieldNamedBy(CheckBatch(request)), "operations[2].sequence") << "7 + 2 is 9";
  request.mutable_operations(0)->set_sequence(8);
  EXPECT_TRUE(CheckBatch(request).ok());
  EXPECT_EQ(SequenceOf(request, 0), 8u);
  EXPECT_EQ(SequenceOf(request, 2), 9u);
  request.mutable_operations(1)->set_sequence(3);
  EXPECT_EQ(FieldNamedBy(CheckBatch(request)), "operations[1].sequence") << "a get has none";
  request.mutable_operations(1)->clear_sequence();
  Name(&request, UINT64_MAX - 1);
  EXPECT_EQ(FieldNamedBy(CheckBatch(request)), "operations[2].sequence") << "would wrap around";
  Name(&request, 7);
  request.set_atomic(true);
  EXPECT_EQ(FieldNamedBy(CheckBatch(request)), "operations[0].sequence") << "one id for the whole";
}

TEST(BatchPlanTest, AtomicNeedsOneRoutingKeyAndOneWriteAKey) {
  kv::v1::BatchRequest request = Request();
  Put(&request, "a{t}");
  Get(&request, "a{t}");
  Delete(&request, "b{t}");
  Put(&request, "c{u}");
  EXPECT_EQ(FieldIn(request), "");
  request.set_atomic(true);
  EXPECT_EQ(FieldIn(request), "operations[3].put.key");
  request.mutable_operations(3)->mutable_put()->set_key("b{t}");
  EXPECT_EQ(FieldIn(request), "operations[3].put.key") << "written twice";
  request.mutable_operations(3)->mutable_put()->set_key("c{t}");
  EXPECT_EQ(FieldIn(request), "");
  EXPECT_EQ(FieldNamedBy(CheckBatchIn(request, RoutingRule::kWhole, 10)),
            "operations[2].delete.key");
  request.mutable_operations(3)->mutable_increment()->set_key("b{t}");
  EXPECT_EQ(FieldIn(request), "operations[3].increment.key") << "written twice";
  request.mutable_operations(3)->mutable_increment()->set_key("c{t}");
  request.mutable_operations(0)->mutable_put()->set_value("eleven byte");
  EXPECT_EQ(FieldIn(request), "operations[0].put.value");
}

TEST(BatchPlanTest, StagesKeepTheOrderOnEachKeyAndAreFew) {
  kv::v1::BatchRequest request = Request();
  Get(&request, "a");        // 0
  Put(&request, "b");        // 1
  Put(&request, "a");        // 2: after the get
  Get(&request, "c");        // 3: with the first get
  Put(&request, "a");        // 4: with the write before it
  Get(&request, "a");        // 5
  Get(&request, "b");        // 6
  Delete(&request, "a");     // 7
  Increment(&request, "d");  // 8
  BatchStages stages;
  for (int i = 0; i < request.operations_size(); ++i) {
    stages.Add(request.operations(i), i);
  }
  EXPECT_THAT(stages.stages(), ElementsAre(ElementsAre(0, 3), ElementsAre(1, 2, 4, 8),
                                           ElementsAre(5, 6), ElementsAre(7)));
  BatchStages writes;
  writes.Add(request.operations(1), 0);
  EXPECT_THAT(writes.stages(), ElementsAre(IsEmpty(), ElementsAre(0)));
}

}  // namespace
}  // namespace quorate
