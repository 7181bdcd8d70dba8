#include "tools/kvctl/examples.h"

#include <map>

namespace quorate::kvctl {
namespace {

using ExampleTable = std::map<std::string, std::vector<Example>>;

void AddClusterExamples(ExampleTable* table) {
  (*table)["init"] = {{"kvctl --endpoints 10.0.0.1:7400 init",
                       "the node at 10.0.0.1 becomes the first of a new cluster"}};
  (*table)["status"] = {{"kvctl status", "the nodes and keyspaces"},
                        {"kvctl status --watch", "the same every two seconds, with rates"},
                        {"kvctl status --output json | jq .nodes", "the same for a program"}};
  (*table)["version"] = {{"kvctl version", "which kvctl this is"}};
  (*table)["node list"] = {{"kvctl node list", "one line a node"}};
  (*table)["completion"] = {
      {"source <(kvctl completion bash)", "completes at TAB in this shell"},
      {"kvctl completion zsh > ~/.zfunc/_kvctl", "in every zsh whose fpath has ~/.zfunc"},
      {"kvctl completion fish > ~/.config/fish/completions/kvctl.fish", "in every fish"}};
  (*table)["help"] = {{"kvctl help keyspace create", "what it takes, with examples"},
                      {"kvctl help --output json", "the table of all commands, for programs"}};
  (*table)["demo"] = {{"kvctl demo", "three nodes with a little data, until Ctrl-C"},
                      {"kvctl demo --nodes 1 -- ./my-tests --fast",
                       "runs my-tests against one node, and ends with its exit code"}};
  (*table)["man"] = {{"kvctl man | man -l -", "reads it where it is not installed"}};
  (*table)["context list"] = {{"kvctl context list", "the current one has a star"}};
  (*table)["context use"] = {{"kvctl context use prod", "what commands talk to from now on"}};
  (*table)["context show"] = {{"kvctl context show", "what this shell's commands run with"},
                              {"kvctl --context prod context show", "the same with prod"}};
  (*table)["context set"] = {
      {"kvctl context set prod endpoints=10.0.0.1:7400,10.0.0.2:7400 timeout=10s",
       "makes or changes the context prod"},
      {"kvctl context set prod timeout=", "takes the timeout out of it"}};
  (*table)["context remove"] = {{"kvctl context remove prod", "the cluster is not touched"}};
}

void AddKeyspaceExamples(ExampleTable* table) {
  (*table)["node drain"] = {
      {"kvctl node drain 3 --dry-run", "what would go where"},
      {"kvctl node drain 3 --wait", "then node 3 can be stopped for good"},
      {"kvctl node drain 3 --undo", "lets it have replicas again; none come back by themselves"}};
  (*table)["keyspace create"] = {
      {"kvctl keyspace create orders --replication raft --replicas 3",
       "three copies of each partition; says what clients may expect"},
      {"kvctl keyspace create orders --partitions 64 --dry-run", "only say it"}};
  (*table)["keyspace describe"] = {{"kvctl keyspace describe orders",
                                    "its policy, and what a partition of the network means to it"}};
  (*table)["keyspace list"] = {{"kvctl keyspace list", "one line a keyspace"}};
  (*table)["keyspace drop"] = {{"kvctl keyspace drop orders", "asks for the name to be typed"},
                               {"kvctl keyspace drop orders --yes", "does not ask; for scripts"}};
  (*table)["partition list"] = {
      {"kvctl partition list orders", "who leads, and how far each replica is"},
      {"kvctl partition list orders --checksum", "compares the replicas' data"}};
  (*table)["partition describe"] = {
      {"kvctl partition describe orders 3", "its replicas, their votes, and where a move goes"}};
  (*table)["partition move"] = {
      {"kvctl partition move orders 3 --from 1 --to 4 --wait", "node 4 holds it instead of node 1"},
      {"kvctl partition move orders 3 --cancel", "goes back to where it was"}};
  (*table)["partition recover"] = {
      {"kvctl partition recover orders 3 --dry-run", "which replica has the most, and who goes"},
      {"kvctl partition recover orders 3 --accept-loss",
       "goes on from that one; writes that it lacks are lost"}};
  (*table)["partition transfer-leader"] = {
      {"kvctl partition transfer-leader orders 3 --to 2", "node 2 leads from now on, at first"}};
  (*table)["locate"] = {{"kvctl locate orders 'cart{anna}'", "the partition of the tag anna"}};
}

void AddDataExamples(ExampleTable* table) {
  (*table)["put"] = {
      {"kvctl put orders 'cart{anna}' '2 apples'", "writes a text"},
      {"kvctl put orders picture @cat.jpg --if-absent", "a file's bytes, unless the key is there"},
      {"date | kvctl put orders now -", "what comes from standard input"},
      {"kvctl put orders ff00 cafe --hex", "key and value in hexadecimal"}};
  (*table)["get"] = {
      {"kvctl get orders 'cart{anna}'", "the value and a line end"},
      {"kvctl get orders picture --output raw > cat.jpg", "the value's bytes and nothing else"}};
  (*table)["del"] = {{"kvctl del orders 'cart{anna}'", "done as well when there is no such key"}};
  (*table)["incr"] = {{"kvctl incr orders 'visits{anna}'", "one more; prints the sum"},
                      {"kvctl incr orders stock --by -3", "three less"}};
  (*table)["batch"] = {
      {"kvctl batch orders changes.jsonl", "many operations in one request, a line of JSON each"},
      {"kvctl batch orders changes.jsonl --atomic", "all of them or none"}};
  (*table)["scan"] = {
      {"kvctl scan orders --prefix cart --limit 10", "the first ten keys, with their values"},
      {"kvctl scan orders --routing-key anna --keys-only", "what stands in anna's partition"}};
  (*table)["import"] = {
      {"kvctl import orders orders.jsonl", "one record a line, checked before anything is written"},
      {"zcat orders.jsonl.gz | kvctl import orders -", "from standard input"}};
  (*table)["export"] = {{"kvctl export orders > orders.jsonl", "what import takes back"}};
  (*table)["load"] = {{"kvctl load orders --prefix try/ --seconds 30 --clients 8",
                       "eight writers, for half a minute"}};
}

}  // namespace

const std::vector<Example>& ExamplesOf(const std::string& command) {
  static const auto* const kTable = [] {
    auto* table = new ExampleTable;
    AddClusterExamples(table);
    AddKeyspaceExamples(table);
    AddDataExamples(table);
    return table;
  }();
  static const auto* const kNone = new std::vector<Example>;
  const auto found = kTable->find(command);
  return found == kTable->end() ? *kNone : found->second;
}

}  // namespace quorate::kvctl
