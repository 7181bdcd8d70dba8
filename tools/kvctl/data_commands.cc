// put, get, incr, del, scan, export.
#include <cstdio>
#include <string>
#include <utility>

#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "tools/kvctl/byte_argument.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/record.h"

namespace quorate::kvctl {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint32_t kExportPageBytes = 2u << 20;

Json ReceiptJson(const client::Receipt& receipt) {
  return {{"served_by", ServedByName(receipt.served_by)},
          {"node", receipt.node_id},
          {"linearizable", receipt.linearizable}};
}

void PrintReceipt(const client::Receipt& receipt, int attempts) {
  fmt::print(stderr, "served by {} at node {}, {}, {} attempt{}\n", ServedByName(receipt.served_by),
             receipt.node_id, receipt.linearizable ? "linearizable" : "not linearizable as a whole",
             attempts, attempts == 1 ? "" : "s");
}

absl::Status TakeRequestId(const DataFlags& flags, std::optional<client::RequestId>* id) {
  if (!flags.request_id.empty()) {
    *id = client::RequestId::Parse(flags.request_id);
    if (!*id) {
      return absl::InvalidArgumentError("--request-id: not as kvctl prints it");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<client::WriteOptions> WriteOptionsFrom(const Context& context,
                                                      const DataFlags& flags) {
  client::WriteOptions options;
  options.timeout = context.options().timeout;
  options.condition.if_absent = flags.if_absent;
  if (!flags.if_version.empty()) {
    options.condition.if_version = client::Version::FromHex(flags.if_version);
    if (!options.condition.if_version) {
      return absl::InvalidArgumentError("--if-version: not 32 hexadecimal digits");
    }
  }
  if (absl::Status status = TakeRequestId(flags, &options.request_id); !status.ok()) {
    return status;
  }
  return options;
}

// `columns`: what the command tells besides the version, as names with values.
int FinishWrite(Context& context, std::string_view command, const client::WriteResult& result,
                const std::vector<std::pair<std::string, Json>>& columns, bool receipt) {
  if (!result.ok()) {
    if (result.reason == client::Reason::kConditionFalse && !context.json()) {
      fmt::print(stderr, "the key {}\n",
                 result.current_version
                     ? "has version " + result.current_version->ToHex()
                     : std::string("does not exist, or its version was not told"));
    }
    return context.Fail(command, result);
  }
  Json json = {{"version", result.version.ToHex()}};
  std::vector<std::string> head = {"version"};
  std::vector<std::string> row = {result.version.ToHex()};
  for (const auto& [name, value] : columns) {
    json[name] = value;
    head.push_back(name);
    row.push_back(value.is_boolean() ? (value.get<bool>() ? "yes" : "no") : value.dump());
  }
  Table table(std::move(head));
  table.Add(std::move(row));
  if (receipt && context.json()) {
    json["receipt"] = ReceiptJson(result.receipt);
    json["attempts"] = result.attempts;
  } else if (receipt) {
    PrintReceipt(result.receipt, result.attempts);
  }
  context.Print(table, json);
  return kExitDone;
}

// Reads a key or value; reports it as usage and sets *failed when it cannot be read.
std::string ReadBytes(Context& context, std::string_view command, std::string_view name,
                      const std::string& text, bool* failed) {
  auto bytes = ReadByteArgument(text, context.options().encoding);
  if (!bytes.ok()) {
    context.FailUsage(command, fmt::format("{}: {}", name, std::string(bytes.status().message())));
    *failed = true;
    return "";
  }
  return *std::move(bytes);
}

}  // namespace

int RunGet(Context& context, const DataFlags& flags) {
  bool failed = false;
  const std::string key = ReadBytes(context, "get", "KEY", flags.key, &failed);
  client::Client* client = failed ? nullptr : context.Connect("get");
  if (client == nullptr) {
    return kExitUsage;
  }
  const auto result =
      client->UncheckedKeyspace(flags.keyspace).Get(key, {.timeout = context.options().timeout});
  if (!result.ok()) {
    return context.Fail("get", result);
  }
  const Encoding encoding = context.options().encoding;
  if (context.json()) {
    const bool base64 = encoding == Encoding::kBase64;
    Json json;
    SetBytes(json, "key", key, base64);
    SetBytes(json, "value", result.value, base64);
    json["version"] = result.version.ToHex();
    if (flags.receipt) {
      json["receipt"] = ReceiptJson(result.receipt);
      json["attempts"] = result.attempts;
    }
    context.Print(Table({}), json);
    return kExitDone;
  }
  if (context.format() == Format::kCsv) {
    Table table({"key", "value", "version"});
    table.Add({Encode(key, encoding), Encode(result.value, encoding), result.version.ToHex()});
    context.Print(table, {});
  } else {
    context.Write(Encode(result.value, encoding));
    if (context.format() != Format::kRaw) {
      context.Write("\n");
    }
  }
  if (flags.receipt) {
    PrintReceipt(result.receipt, result.attempts);
  }
  return kExitDone;
}

int RunPut(Context& context, const DataFlags& flags) {
  bool failed = false;
  const std::string key = ReadBytes(context, "put", "KEY", flags.key, &failed);
  const std::string value = failed ? "" : ReadBytes(context, "put", "VALUE", flags.value, &failed);
  if (failed) {
    return kExitUsage;
  }
  const auto options = WriteOptionsFrom(context, flags);
  if (!options.ok()) {
    return context.FailUsage("put", std::string(options.status().message()));
  }
  client::Client* client = context.Connect("put");
  if (client == nullptr) {
    return kExitUsage;
  }
  const auto result = client->UncheckedKeyspace(flags.keyspace).Put(key, value, *options);
  return FinishWrite(context, "put", result, {}, flags.receipt);
}

int RunDelete(Context& context, const DataFlags& flags) {
  bool failed = false;
  const std::string key = ReadBytes(context, "del", "KEY", flags.key, &failed);
  if (failed) {
    return kExitUsage;
  }
  const auto options = WriteOptionsFrom(context, flags);
  if (!options.ok()) {
    return context.FailUsage("del", std::string(options.status().message()));
  }
  client::Client* client = context.Connect("del");
  if (client == nullptr) {
    return kExitUsage;
  }
  const auto result = client->UncheckedKeyspace(flags.keyspace).Delete(key, *options);
  return FinishWrite(context, "del", result, {{"existed", result.existed}}, flags.receipt);
}

int RunIncrement(Context& context, const DataFlags& flags) {
  bool failed = false;
  const std::string key = ReadBytes(context, "incr", "KEY", flags.key, &failed);
  if (failed) {
    return kExitUsage;
  }
  client::IncrementOptions options;
  options.timeout = context.options().timeout;
  if (absl::Status status = TakeRequestId(flags, &options.request_id); !status.ok()) {
    return context.FailUsage("incr", std::string(status.message()));
  }
  client::Client* client = context.Connect("incr");
  if (client == nullptr) {
    return kExitUsage;
  }
  const auto result =
      client->UncheckedKeyspace(flags.keyspace).Increment(key, flags.delta, options);
  return FinishWrite(context, "incr", result, {{"value", result.value}}, flags.receipt);
}

namespace {

// Prints entries as they come: pages may be many.
class EntryPrinter {
 public:
  EntryPrinter(Context& context, bool keys_only) : context_(context), keys_only_(keys_only) {}

  void Print(const client::ScanEntry& entry) {
    if (context_.json()) {
      PrintJson(entry);
      return;
    }
    const Encoding encoding = context_.options().encoding;
    std::vector<std::string> columns = {"key"};
    std::vector<std::string> row = {Text(entry.key, encoding)};
    if (!keys_only_) {
      columns.emplace_back("value");
      row.push_back(Text(entry.value, encoding));
    }
    Table table(columns);
    table.Add(std::move(row));
    const std::string csv = context_.format() == Format::kCsv ? table.Csv() : "";
    if (csv.empty()) {
      context_.Write(table.Tabbed(/*head=*/false));
    } else {
      context_.Write(first_ ? csv : csv.substr(csv.find('\n') + 1));
    }
    first_ = false;
  }

 private:
  [[nodiscard]] std::string Text(const std::string& bytes, Encoding encoding) const {
    return encoding == Encoding::kText && context_.format() == Format::kTable
               ? Printable(bytes)
               : Encode(bytes, encoding);
  }

  void PrintJson(const client::ScanEntry& entry) {
    const bool base64 = context_.options().encoding == Encoding::kBase64;
    Json json;
    SetBytes(json, "key", entry.key, base64);
    if (!keys_only_) {
      SetBytes(json, "value", entry.value, base64);
    }
    json["version"] = entry.version.ToHex();
    context_.Write(json.dump() + "\n");
  }

  Context& context_;
  const bool keys_only_;
  bool first_ = true;
};

// All pages of a range, up to flags.limit entries.
template <class OnEntry>
int ScanPages(Context& context, std::string_view command, const ScanFlags& flags,
              uint32_t page_bytes, OnEntry on_entry) {
  bool failed = false;
  client::ScanRange range;
  range.prefix = ReadBytes(context, command, "--prefix", flags.prefix, &failed);
  range.begin = ReadBytes(context, command, "--begin", flags.begin, &failed);
  range.end = ReadBytes(context, command, "--end", flags.end, &failed);
  range.routing_key = ReadBytes(context, command, "--routing-key", flags.routing_key, &failed);
  client::Client* client = failed ? nullptr : context.Connect(command);
  if (client == nullptr) {
    return kExitUsage;
  }
  const client::Keyspace keyspace = client->UncheckedKeyspace(flags.keyspace);
  client::ScanOptions options;
  options.timeout = context.options().timeout;
  options.keys_only = flags.keys_only;
  options.page_bytes = page_bytes;
  uint64_t left = flags.limit;
  do {
    options.limit = left;
    client::ScanPage page = keyspace.Scan(range, options);
    if (!page.ok()) {
      std::fflush(stdout);
      return context.Fail(command, page);
    }
    for (const client::ScanEntry& entry : page.entries) {
      on_entry(entry);
    }
    if (flags.limit > 0 && page.entries.size() >= left) {
      break;
    }
    left -= flags.limit > 0 ? page.entries.size() : 0;
    options.page_token = std::move(page.next_page_token);
  } while (!options.page_token.empty() && std::ferror(stdout) == 0);
  return kExitDone;
}

}  // namespace

int RunScan(Context& context, const ScanFlags& flags) {
  EntryPrinter printer(context, flags.keys_only);
  return ScanPages(context, "scan", flags, 0,
                   [&](const client::ScanEntry& entry) { printer.Print(entry); });
}

int RunExport(Context& context, const ScanFlags& flags) {
  uint64_t records = 0;
  const int code =
      ScanPages(context, "export", flags, kExportPageBytes, [&](const client::ScanEntry& entry) {
        context.Write(RecordLine({.key = entry.key, .value = entry.value}) + "\n");
        ++records;
      });
  if (code == kExitDone) {
    fmt::print(stderr, "{} records exported\n", records);
  }
  return code;
}

}  // namespace quorate::kvctl
