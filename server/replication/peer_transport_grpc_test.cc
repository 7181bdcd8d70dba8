// Two and more transports on loopback in one process.
#include "server/replication/peer_transport_grpc.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <iostream>
#include <thread>
#include <vector>

#include "server/runtime/clock.h"
#include "server/runtime/mutex.h"

namespace quorate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A transport and all it received.
class End {
 public:
  explicit End(GrpcPeerTransportOptions options = {}) {
    if (options.listen == GrpcPeerTransportOptions().listen) options.listen = "127.0.0.1:0";
    auto transport = GrpcPeerTransport::Start(options, &clock_);
    EXPECT_TRUE(transport.ok()) << transport.status();
    transport_ = *std::move(transport);
    transport_->SetReceiver([this](std::string bytes) {
      MutexLock lock(&mutex_);
      bytes_received_ += bytes.size();
      received_.push_back(std::move(bytes));
    });
  }
  ~End() { Stop(); }

  void Stop() { transport_.reset(); }
  [[nodiscard]] std::string address() const {
    return fmt::format("127.0.0.1:{}", transport_->port());
  }
  GrpcPeerTransport* operator->() { return transport_.get(); }

  std::vector<std::string> received() {
    MutexLock lock(&mutex_);
    return received_;
  }
  bool WaitFor(const std::function<bool(const std::vector<std::string>&)>& condition,
               milliseconds timeout = seconds(60)) {
    const auto end = std::chrono::steady_clock::now() + timeout;
    while (std::chrono::steady_clock::now() < end) {
      {
        MutexLock lock(&mutex_);
        if (condition(received_)) return true;
      }
      std::this_thread::sleep_for(milliseconds(5));
    }
    return false;
  }
  bool WaitForCount(size_t count) {
    return WaitFor([count](const auto& received) { return received.size() >= count; });
  }
  // Sends "ping" until this end has one.
  bool Reached(End& from, milliseconds timeout = seconds(60)) {
    const auto end = std::chrono::steady_clock::now() + timeout;
    while (std::chrono::steady_clock::now() < end) {
      from->Send(address(), "ping");
      if (WaitFor([](const auto& received) { return !received.empty(); }, milliseconds(50))) {
        return true;
      }
    }
    return false;
  }
  // Once it is reached, nothing that is sent is lost; until then it may be.
  [[nodiscard]] bool Connect(End& from) {
    if (!Reached(from)) return false;
    from->Send(address(), "connected");
    const bool all = WaitFor([](const auto& received) { return received.back() == "connected"; });
    MutexLock lock(&mutex_);
    received_.clear();
    return all;
  }

 private:
  KernelClock clock_;
  Mutex mutex_;
  std::vector<std::string> received_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_received_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<GrpcPeerTransport> transport_;
};

TEST(PeerTransportTest, DeliversInOrderBothWays) {
  End a;
  End b;
  ASSERT_TRUE(b.Connect(a) && a.Connect(b));
  for (int i = 0; i < 1000; ++i) {
    a->Send(b.address(), fmt::format("a{}", i));
    b->Send(a.address(), fmt::format("b{}", i));
  }
  ASSERT_TRUE(b.WaitForCount(1000));
  ASSERT_TRUE(a.WaitForCount(1000));
  const auto at_b = b.received();
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(at_b[static_cast<size_t>(i)], fmt::format("a{}", i));
}

TEST(PeerTransportTest, WhatGathersWhileAFrameIsOnItsWayGoesOutTogether) {
  End a;
  End b;
  ASSERT_TRUE(b.Connect(a));
  const uint64_t frames = a->stats().frames_sent;
  // The receiver stands still, so that frames stay on their way.
  std::atomic<int> received{0};
  Mutex gate;
  gate.Lock();
  b->SetReceiver([&](const std::string&) {
    MutexLock lock(&gate);
    ++received;
  });
  for (int i = 0; i < 1000; ++i) a->Send(b.address(), std::string(4096, 'x'));
  gate.Unlock();
  EXPECT_TRUE(b.WaitFor([&](const auto&) { return received == 1000; }));
  EXPECT_LT(a->stats().frames_sent - frames, 500U);
  b->SetReceiver(nullptr);
}

TEST(PeerTransportTest, ManyThreadsSendAtOnce) {
  End a;
  End b;
  ASSERT_TRUE(b.Connect(a));
  std::vector<std::thread> senders;
  for (int t = 0; t < 4; ++t) {
    senders.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) a->Send(b.address(), std::string(100, 'x'));
    });
  }
  for (auto& sender : senders) sender.join();
  EXPECT_TRUE(b.WaitForCount(20000));
}

TEST(PeerTransportTest, SendsToItself) {
  End a;
  EXPECT_TRUE(a.Reached(a));
}

TEST(PeerTransportTest, SplitsFramesAndCarriesLargeEnvelopes) {
  End a;
  End b;
  ASSERT_TRUE(b.Connect(a));
  for (int i = 0; i < 20; ++i) a->Send(b.address(), std::string(size_t{1} << 20, 'x'));
  a->Send(b.address(), std::string(size_t{40} << 20, 'y'));
  ASSERT_TRUE(b.WaitForCount(21));
  EXPECT_GE(a->stats().frames_sent, 6U);
  EXPECT_EQ(b.received().back().size(), size_t{40} << 20);
  // Too large for any frame: dropped here, and the stream lives on.
  const uint64_t dropped = a->stats().envelopes_dropped;
  a->Send(b.address(), std::string(size_t{64} << 20, 'z'));
  EXPECT_EQ(a->stats().envelopes_dropped, dropped + 1);
  a->Send(b.address(), "after");
  EXPECT_TRUE(b.WaitForCount(22));
}

TEST(PeerTransportTest, QueueIsBounded) {
  GrpcPeerTransportOptions options;
  options.queue_bytes_max = size_t{1} << 20;
  End a(options);
  End b;
  // The receiver stands still, so the network takes no more at some point.
  Mutex gate;
  gate.Lock();
  b->SetReceiver([&gate](const std::string&) { MutexLock lock(&gate); });
  uint64_t sent = 0;
  while (a->stats().envelopes_dropped == 0 && sent < 10000) {
    a->Send(b.address(), std::string(size_t{64} << 10, 'x'));
    ++sent;
  }
  EXPECT_GT(a->stats().envelopes_dropped, 0U);
  gate.Unlock();
  b->SetReceiver(nullptr);
}

TEST(PeerTransportTest, FindsAPeerThatStartsLaterAndOneThatReturns) {
  End a;
  GrpcPeerTransportOptions options;
  {
    End b;
    options.listen = b.address();
  }
  for (int i = 0; i < 5; ++i) {
    a->Send(options.listen, "lost");
    std::this_thread::sleep_for(milliseconds(50));
  }
  for (int life = 0; life < 3; ++life) {
    const auto begin = std::chrono::steady_clock::now();
    End b(options);
    EXPECT_TRUE(b.Reached(a));
    const auto took = std::chrono::steady_clock::now() - begin;
    // Promised is about a second: the longest back-off.
    std::cout << "life " << life << ": reached after " << took / milliseconds(1) << " ms\n";
    EXPECT_LT(took, seconds(10));
  }
  EXPECT_GT(a->stats().envelopes_dropped, 0U);
}

TEST(PeerTransportTest, NoCallAfterReceiverWasTakenAway) {
  End a;
  End b;
  std::atomic<bool> gone{false};
  std::atomic<bool> called_after{false};
  std::atomic<int> calls{0};
  b->SetReceiver([&](const std::string&) {
    if (gone) called_after = true;
    ++calls;
  });
  std::atomic<bool> stop{false};
  std::thread sender([&] {
    while (!stop) {
      a->Send(b.address(), "x");
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  });
  while (calls < 100) std::this_thread::sleep_for(milliseconds(1));
  b->SetReceiver(nullptr);
  gone = true;
  std::this_thread::sleep_for(milliseconds(50));
  stop = true;
  sender.join();
  EXPECT_FALSE(called_after);
}

TEST(PeerTransportTest, UnusedStreamsAreClosed) {
  GrpcPeerTransportOptions options;
  options.idle_max = seconds(1);
  options.sweep_interval = milliseconds(100);
  End a(options);
  End b;
  End c;
  a->Send(b.address(), "x");
  a->Send(c.address(), "x");
  EXPECT_EQ(a->stats().streams, 2U);
  ASSERT_TRUE(b.Reached(a));
  // Sent to without a pause, so that the other one is the one that goes; on a machine that stands
  // still for a second both do, and the next thing sent brings this one back.
  EXPECT_TRUE(b.WaitFor([&](const auto&) {
    a->Send(c.address(), "x");
    return a->stats().streams == 1;
  }));
  const size_t before = b.received().size();
  a->Send(b.address(), "again");
  EXPECT_TRUE(b.WaitForCount(before + 1));
}

TEST(PeerTransportTest, TakenPortIsNamed) {
  End a;
  KernelClock clock;
  GrpcPeerTransportOptions options;
  options.listen = a.address();
  const auto second = GrpcPeerTransport::Start(options, &clock);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()),
              testing::HasSubstr(fmt::format("port {} is taken", a->port())));
}

TEST(PeerTransportTest, EndsWhileBusy) {
  End b;
  for (int i = 0; i < 20; ++i) {
    End a;
    for (int n = 0; n < 100; ++n) a->Send(b.address(), std::string(10000, 'x'));
    a->Send("127.0.0.1:1", "nobody there");
    a.Stop();
  }
}

}  // namespace
}  // namespace quorate
