// What of kvctl can be tested without a cluster: exit codes, formats, encodings, the import parser.
#include <cstdio>
#include <fstream>
#include <sstream>

#include "gtest/gtest.h"
#include "tools/kvctl/byte_argument.h"
#include "tools/kvctl/duration.h"
#include "tools/kvctl/encoding.h"
#include "tools/kvctl/exit_code.h"
#include "tools/kvctl/import_input.h"
#include "tools/kvctl/progress.h"
#include "tools/kvctl/record.h"
#include "tools/kvctl/table.h"

namespace quorate::kvctl {
namespace {

using client::Outcome;
using client::Reason;

TEST(ExitCodeTest, IsAnApi) {
  EXPECT_EQ(ExitCodeOf(Outcome::kDone, Reason::kNone), 0);
  const std::pair<Reason, int> table[] = {
      {Reason::kInvalidArgument, 1},  {Reason::kKeyNotFound, 4},    {Reason::kKeyspaceNotFound, 4},
      {Reason::kKeyspaceExists, 1},   {Reason::kConditionFalse, 5}, {Reason::kNotInitialised, 1},
      {Reason::kNotAvailableYet, 1},  {Reason::kRefused, 1},        {Reason::kUnreachable, 3},
      {Reason::kDeadline, 3},         {Reason::kCannotServe, 8},    {Reason::kOverloaded, 1},
      {Reason::kRequestIdExpired, 1}, {Reason::kCorrupt, 1},        {Reason::kNotAuthorised, 7},
      {Reason::kInternal, 1},         {Reason::kCancelled, 1},
  };
  for (const auto& [reason, code] : table) {
    EXPECT_EQ(ExitCodeOf(Outcome::kNotDone, reason), code) << ReasonName(reason);
    EXPECT_EQ(ExitCodeOf(Outcome::kUnknown, reason), 6) << ReasonName(reason);
  }
}

TEST(EncodingTest, HexAndBase64AreTakenBack) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) {
    all += static_cast<char>(byte);
    for (const Encoding encoding : {Encoding::kText, Encoding::kHex, Encoding::kBase64}) {
      EXPECT_EQ(*Decode(Encode(all, encoding), encoding), all);
    }
  }
  EXPECT_EQ(ToBase64("foob"), "Zm9vYg==");
  EXPECT_EQ(ToHex("\xff"
                  "a"),
            "ff61");
}

TEST(EncodingTest, MalformedTextIsRefused) {
  for (const char* text : {"a", "0g", "+1"}) {
    EXPECT_FALSE(FromHex(text).ok()) << text;
  }
  for (const char* text : {"Zg", "Zg=", "Z===", "Zh==", "Zg==Zg==", "Z g=", "===="}) {
    EXPECT_FALSE(FromBase64(text).ok()) << text;
  }
}

TEST(EncodingTest, Utf8IsStrict) {
  for (const char* text : {"", "abc", "ä", "€", "😀", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsUtf8(text)) << text;
  }
  for (const char* text : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80",
                           "\xe2\x82", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xff", "a\xc3"}) {
    EXPECT_FALSE(IsUtf8(text)) << ToHex(text);
  }
  EXPECT_EQ(Printable("käse"), "käse");
  EXPECT_EQ(Printable("a\nb\xff"), "\"a\\x0ab\\xff\"");
}

TEST(ByteArgumentTest, ReadsFilesAndText) {
  const std::string path = testing::TempDir() + "kvctl_byte_argument";
  const std::string bytes("\0\n\xff", 3);
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_EQ(*ReadByteArgument("@" + path, Encoding::kText), bytes);
  EXPECT_EQ(*ReadByteArgument("@" + path, Encoding::kHex), bytes);
  EXPECT_EQ(*ReadByteArgument("@@" + path, Encoding::kText), "@" + path);
  EXPECT_EQ(*ReadByteArgument("6162", Encoding::kHex), "ab");
  EXPECT_EQ(*ReadByteArgument("", Encoding::kText), "");
  for (const char* text : {"@", "@/", "@/no/such/file"}) {
    EXPECT_FALSE(ReadByteArgument(text, Encoding::kText).ok()) << text;
  }
  EXPECT_FALSE(ReadByteArgument("@@61", Encoding::kHex).ok());
  std::remove(path.c_str());
}

TEST(TableTest, PrintsEachForm) {
  Table table({"id", "free_text"});
  table.Add({"1", "ä\n"});
  table.Add({"10", "say \"x, y\""});
  EXPECT_EQ(table.Aligned(),
            "ID  FREE TEXT\n"
            "1   ä\\n\n"
            "10  say \"x, y\"\n");
  EXPECT_EQ(table.Tabbed(true), "id\tfree_text\n1\tä\\n\n10\tsay \"x, y\"\n");
  EXPECT_EQ(table.Tabbed(false), "1\tä\\n\n10\tsay \"x, y\"\n");
  EXPECT_EQ(table.Csv(), "id,free_text\r\n1,\"ä\n\"\r\n10,\"say \"\"x, y\"\"\"\r\n");
}

TEST(RecordTest, SurvivesBeingPrinted) {
  for (const Record& record :
       {Record{.key = "k", .value = ""}, Record{.key = "ä\n\"", .value = "\\"},
        Record{.key = "\xff", .value = std::string("\0a", 2)}}) {
    const auto parsed = ParseRecord(RecordLine(record));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->key, record.key);
    EXPECT_EQ(parsed->value, record.value);
  }
  EXPECT_EQ(RecordLine({.key = "k", .value = "\xff"}), R"({"key":"k","value_b64":"/w=="})");
}

TEST(RecordTest, SaysWhatIsWrongWithALine) {
  const std::pair<const char*, const char*> table[] = {
      {"", "not a JSON object"},
      {"[1]", "not a JSON object"},
      {R"({"key":"a","value":"b")", "not a JSON object"},
      {R"({"value":"b"})", "neither \"key\" nor \"key_b64\""},
      {R"({"key":"a"})", "neither \"value\" nor"},
      {R"({"key":"a","key_b64":"YQ==","value":"b"})", "both \"key\""},
      {R"({"key":1,"value":"b"})", "\"key\" is not a string"},
      {R"({"key":"a","value_b64":"?"})", "\"value_b64\" is not base64"},
      {R"({"key":"a","value":"b","vlaue":"c"})", "unknown field \"vlaue\""},
  };
  for (const auto& [line, error] : table) {
    const auto parsed = ParseRecord(line);
    ASSERT_FALSE(parsed.ok()) << line;
    EXPECT_NE(std::string(parsed.status().message()).find(error), std::string::npos)
        << parsed.status();
  }
  EXPECT_TRUE(ParseRecord(R"({"key":"a","value":"b","version":"00"})").ok());
}

// The records of a text and, where there is one, the error that ended it.
std::pair<std::vector<std::string>, std::string> ReadAll(const std::string& text) {
  std::istringstream in(text);
  ImportInput input(&in);
  std::vector<std::string> keys;
  while (true) {
    const auto record = input.Next();
    if (!record.ok()) {
      return {keys, std::string(record.status().message())};
    }
    if (!record->has_value()) {
      return {keys, ""};
    }
    keys.push_back((*record)->key);
  }
}

TEST(ImportInputTest, ReadsRecordsAndSkipsEmptyLines) {
  const auto [keys, error] =
      ReadAll("{\"key\":\"a\",\"value\":\"1\"}\r\n\n  \n{\"key\":\"b\",\"value\":\"2\"}");
  EXPECT_EQ(keys, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(error, "");
}

TEST(ImportInputTest, ErrorsNameLineAndKey) {
  const std::string good = "{\"key\":\"a\",\"value\":\"1\"}\n";
  EXPECT_EQ(ReadAll(good + "\n{").second, "line 3: not a JSON object");
  EXPECT_EQ(ReadAll(good + "{\"key\":\"\",\"value\":\"\"}").second,
            "line 2: the key has 0 bytes; 1 to 4096 are allowed");
  EXPECT_EQ(ReadAll(good + "{\"key\":\"b\",\"value\":\"\"}\n{\"key_b64\":\"YQ==\",\"value\":\"2\"}")
                .second,
            "line 3: key a was given on line 1 already");
}

TEST(DurationTest, ReadsUnits) {
  using std::chrono::milliseconds;
  EXPECT_EQ(ParseDuration("5s"), milliseconds(5000));
  EXPECT_EQ(ParseDuration("5"), milliseconds(5000));
  EXPECT_EQ(ParseDuration("250ms"), milliseconds(250));
  EXPECT_EQ(ParseDuration("1.5m"), milliseconds(90000));
  for (const char* text : {"", "s", "-1s", "0", "5x", "nan", "inf", "25h", "1e9"}) {
    EXPECT_FALSE(ParseDuration(text)) << text;
  }
}

TEST(ProgressTest, FitsATerminal) {
  EXPECT_EQ(ProgressLine({.records = 50, .bytes = 500, .bytes_total = 1000, .seconds = 5}),
            "[============>           ]  50 %  50 records  10/s  ETA 0:05");
  EXPECT_EQ(ProgressLine({.records = 50, .seconds = 5}), "50 records  10/s");
  EXPECT_LT(
      ProgressLine({.records = 100000000, .bytes = 2000, .bytes_total = 1000, .seconds = 5000})
          .size(),
      80u);
}

}  // namespace
}  // namespace quorate::kvctl
