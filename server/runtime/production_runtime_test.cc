#include "server/runtime/production_runtime.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>

namespace quorate {
namespace {

TEST(ProductionRuntimeTest, GivesEverySeamButTheNetwork) {
  ProductionRuntime production({.workers = 2});
  const Runtime& runtime = production.runtime();
  EXPECT_EQ(runtime.workers.size(), 2u);
  EXPECT_NE(runtime.clock, nullptr);
  EXPECT_NE(runtime.env, nullptr);
  EXPECT_EQ(runtime.network, nullptr);
  for (Executor* loop : {runtime.workers[0], runtime.workers[1], runtime.log_writer, runtime.apply,
                         runtime.background}) {
    auto on_loop = std::make_shared<std::promise<bool>>();
    loop->Post([loop, on_loop] { on_loop->set_value(loop->IsCurrent()); });
    EXPECT_TRUE(on_loop->get_future().get());
  }
}

TEST(ProductionRuntimeTest, AllProcessesSinceTheMachinesStartSeeOneBootId) {
  const std::string first = ProductionRuntime({.workers = 1}).runtime().boot_id;
  EXPECT_EQ(first.size(), 36u) << first;
  EXPECT_EQ(ProductionRuntime({.workers = 1}).runtime().boot_id, first);
}

TEST(ProductionRuntimeTest, StopLetsWorkersLastWorkReachTheLogWriter) {
  ProductionRuntime production({.workers = 1});
  const Runtime& runtime = production.runtime();
  bool written = false;
  runtime.workers[0]->Post([&] { runtime.log_writer->Post([&] { written = true; }); });
  production.Stop();
  EXPECT_TRUE(written);
  EXPECT_FALSE(runtime.workers[0]->Post([] {}));
}

}  // namespace
}  // namespace quorate
