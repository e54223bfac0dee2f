// The command line of korreld, and the addresses it takes.

#include "server/options.h"

#include <gtest/gtest.h>

#include <fstream>

#include "engine/database.h"
#include "server/address.h"

namespace korrel::server {
namespace {

ParsedOptions Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "korreld");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  ParsedOptions parsed = ParseOptions(static_cast<int>(arguments.size()), arguments.data());
  testing::internal::GetCapturedStdout();
  testing::internal::GetCapturedStderr();
  return parsed;
}

TEST(Options, DefaultsServeOnLoopback) {
  ParsedOptions parsed = Parse({});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.options->server.listen, "127.0.0.1:7650");
  EXPECT_EQ(parsed.options->clock, ClockMode::kSystem);
  EXPECT_EQ(parsed.options->max_step_us, kMaxStepDefaultUs);
  EXPECT_FALSE(parsed.options->server.insecure_listen_anywhere);
}

TEST(Options, AllAreTaken) {
  ParsedOptions parsed = Parse({"--listen", "[::1]:0", "--in-memory", "--shards", "16", "--clock", "replay", "--max-step", "30d",
                                "--port-file", "p", "--insecure-listen-anywhere"});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.options->server.listen, "[::1]:0");
  EXPECT_EQ(parsed.options->shards, 16u);
  EXPECT_EQ(parsed.options->clock, ClockMode::kReplay);
  EXPECT_EQ(parsed.options->max_step_us, int64_t{30} * 86'400 * 1'000'000);
  EXPECT_EQ(parsed.options->port_file, "p");
  EXPECT_TRUE(parsed.options->server.insecure_listen_anywhere);
}

TEST(Options, WrongUsageIsTwoAndHelpIsNot) {
  for (const char* bad : {"--shards=3", "--shards=2048", "--shards=-1", "--clock=sundial", "--max-step=soon", "--listen=7650",
                          "--listen=host:99999", "--no-such-option", "stray"}) {
    ParsedOptions parsed = Parse({bad});
    EXPECT_FALSE(parsed.options) << bad;
    EXPECT_EQ(parsed.exit_code, 2) << bad;
  }
  for (const char* asked : {"--help", "--version"}) {
    ParsedOptions parsed = Parse({asked});
    EXPECT_FALSE(parsed.options);
    EXPECT_EQ(parsed.exit_code, 0);
  }
}

TEST(Options, ShardsAreLimitedAsInTheDatabase) {
  ASSERT_TRUE(Parse({"--shards=1024"}).options);
  DatabaseOptions options;
  options.threads = 1;
  options.shards = 1'024;
  EXPECT_TRUE(Database::Open(std::move(options)).ok());
  options = {};
  options.threads = 1;
  options.shards = 2'048;
  EXPECT_FALSE(Database::Open(std::move(options)).ok());
}

TEST(Options, AFileGivesOptionsAndTheCommandLineWins) {
  std::string path = testing::TempDir() + "korreld_options_test.toml";
  std::ofstream(path) << "listen = \"127.0.0.1:1\"\nclock = \"replay\"\nshards = 8\n";
  ParsedOptions parsed = Parse({"--config", path.c_str(), "--shards", "2"});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.options->server.listen, "127.0.0.1:1");
  EXPECT_EQ(parsed.options->clock, ClockMode::kReplay);
  EXPECT_EQ(parsed.options->shards, 2u);
  std::ofstream(path) << "listne = \"127.0.0.1:1\"\n";
  EXPECT_EQ(Parse({"--config", path.c_str()}).exit_code, 2);
  EXPECT_EQ(Parse({"--config", "/no/such/file"}).exit_code, 2);
}

TEST(ListenAddress, KnowsLoopback) {
  for (const char* text : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"}) {
    EXPECT_TRUE(ParseListenAddress(text).value().IsLoopback()) << text;
    EXPECT_EQ(ParseListenAddress(text).value().Text(), text);
  }
  for (const char* text : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.com:1", "128.0.0.1:1"}) {
    EXPECT_FALSE(ParseListenAddress(text).value().IsLoopback()) << text;
  }
  for (const char* text : {"", ":1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "::1:1", "[::1:1", "[]:1", "a:-1"}) {
    EXPECT_FALSE(ParseListenAddress(text).ok()) << text;
  }
}

}  // namespace
}  // namespace korrel::server
