// A whole Quorate node inside the process of an application's unit test.
//
//   auto node = quorate::testing::LocalNode::Start();
//   auto orders = (*node)->CreateKeyspace("orders");
//   ShoppingCart cart(*orders);                      // what is under test
//   (*node)->SetFaults({.refuse_writes = true});     // and now when the store is full
//
// It is the server that kvd runs, reached over gRPC on a loopback port, not an imitation: versions,
// conditions, request ids and errors are the real ones. What one node cannot show is what replicas
// do when machines fail.
//
// Link quorate::testing. In a file that also includes gtest.h, code inside namespace quorate has to
// write ::testing for GoogleTest's.
#ifndef QUORATE_TESTING_LOCAL_NODE_H_
#define QUORATE_TESTING_LOCAL_NODE_H_

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "quorate/client.h"

namespace quorate::testing {

struct LocalNodeOptions {
  // Empty: files are kept in memory, from Start to the destructor. Otherwise the node's folder,
  // made when missing (its parent must exist); it stays, and one node at a time uses it.
  std::string data_dir{};
};

// What goes wrong, for reads and writes of data by any client. Creating keyspaces and the like is
// not touched.
struct Faults {
  // Every answer comes this much later. What was asked for is done without delay.
  std::chrono::nanoseconds answer_delay{0};
  // Writes are refused at once, as by a node whose log is full: kNotDone with kOverloaded.
  bool refuse_writes = false;
  // Writes are done and their answers lost: kUnknown, once the call's timeout has passed. Give such
  // calls a short one. After SetFaults({}) a repeat under the same request id learns the answer.
  bool lose_write_answers = false;
};

// The founder and only node of a cluster of its own. Owns a client, the server's threads and one
// loopback port, which stays the same for life. Any number may live in one process. Errors of the
// server, and nothing else, go to standard error.
//
// Threads: SetFaults from any; the rest from one at a time, and not from a client's handler. Apart
// from that, clients may be busy with the node whatever happens to it.
class LocalNode {
 public:
  // Returns when the node serves. The first one in a folder founds a cluster; a further one goes on
  // with what is there. Errors name the cause: the folder cannot be used, no port is free.
  static absl::StatusOr<std::unique_ptr<LocalNode>> Start(const LocalNodeOptions& options = {});
  // Calls under way end, writes among them as kUnknown. Keyspaces of client() answer kCancelled
  // from then on.
  ~LocalNode();
  LocalNode(const LocalNode&) = delete;
  LocalNode& operator=(const LocalNode&) = delete;

  // "127.0.0.1:PORT", for clients made by the application.
  [[nodiscard]] const std::string& endpoint() const;
  // Connected to the node; lives as long as this.
  [[nodiscard]] client::Client& client();

  // A keyspace of client(). With policy.replicas unset there is one replica, the most that one node
  // can hold; all else unset is the server's default.
  [[nodiscard]] absl::StatusOr<client::Keyspace> CreateKeyspace(const std::string& name,
                                                                client::Policy policy = {});

  // Replaces the faults of before; {} ends them. Holds for requests that arrive from now on, over
  // restarts too.
  void SetFaults(const Faults& faults);

  // The node ends as kvd does on SIGTERM, and nobody is there to answer any more. Of answers that a
  // fault holds back nothing is heard. Does nothing when stopped already.
  void Stop();
  // Stop, if it runs, and a new start with the data and the port of before. After an error the node
  // is stopped and Restart may be tried again.
  absl::Status Restart();

 private:
  struct Parts;
  explicit LocalNode(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace quorate::testing

#endif  // QUORATE_TESTING_LOCAL_NODE_H_
