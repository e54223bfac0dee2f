#include "server/options.h"

#include <CLI/CLI.hpp>
#include <bit>
#include <iostream>
#include <map>

#include "index/expression/expression.h"
#include "server/address.h"

namespace korrel::server {
namespace {

constexpr char kAbout[] =
    R"(korreld is the Korrel server: profiles and their events in memory, and exact answers to questions about them, over gRPC.

All state is in memory: it is gone when the server ends.)";

constexpr char kMore[] = R"(
Examples
  korreld                                    serve on 127.0.0.1:7650, following the machine's clock
  korreld --listen 127.0.0.1:0 --port-file port.txt
                                             take any free port and write its number to a file
  korreld --clock replay                     stand at 1970 and follow the events: for importing history and asking
                                             questions as of any instant of it (see `korrel clock advance`)
  korreld --config korreld.toml              take options from a file, one `name = value` a line, such as
                                               listen = "127.0.0.1:7651"
                                               clock = "replay"

Then, from another terminal
  korrel status
  korrel set email:ada@example.com country=NL
  korrel count "country = 'NL'"

Exit status: 0 after a clean end (SIGTERM, SIGINT), 1 when it cannot serve, 2 for wrong usage.
)";

// A duration of the expression language ("366d") as microseconds.
std::string CheckDuration(const std::string& text) {
  auto us = ParseDuration(text);
  return us && *us > 0 ? "" : "'" + text + "' is not a duration such as 366d or 12h";
}

constexpr uint32_t kShardsMax = 1'024;  // the engine's

std::string CheckShards(const std::string& text) {
  uint32_t shards = 0;
  bool ok = CLI::detail::lexical_cast(text, shards) && std::has_single_bit(shards) && shards <= kShardsMax;
  return ok ? "" : "'" + text + "' is not a power of two from 1 to 1024";
}

std::string CheckListen(const std::string& text) {
  auto address = ParseListenAddress(text);
  return address.ok() ? "" : std::string(MessageOf(address.status()));
}

}  // namespace

ParsedOptions ParseOptions(int argc, const char* const* argv) {
  ProgramOptions options;
  std::string max_step = "366d";
  bool in_memory = false;
  CLI::App app(kAbout, "korreld");
  app.footer(kMore);
  app.set_version_flag("--version", "korreld " KORREL_VERSION);
  app.set_config("--config", "", "Read options from FILE; the command line wins")->type_name("FILE")->check(CLI::ExistingFile);
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.add_option("--listen", options.server.listen, "Address and port; port 0 takes a free one")
      ->capture_default_str()
      ->type_name("HOST:PORT")
      ->check(CheckListen);
  app.add_flag("--in-memory", in_memory, "Keep everything in memory; the only mode of this version, so it may be left out");
  app.add_option("--shards", options.shards, "Parts the profiles are spread over, a power of two up to 1024 (default: four per core)")
      ->type_name("N")
      ->check(CheckShards);
  app.add_option("--clock", options.clock, "`system` follows the machine; `replay` follows the newest event")
      ->transform(CLI::CheckedTransformer(std::map<std::string, ClockMode>{{"system", ClockMode::kSystem}, {"replay", ClockMode::kReplay}})
                      .description(""))
      ->type_name("system|replay");
  app.add_option("--max-step", max_step, "Largest step of the replay clock that one event may cause")
      ->capture_default_str()
      ->type_name("DURATION")
      ->check(CheckDuration);
  app.add_option("--port-file", options.port_file, "Write the port listened on to FILE once calls are answered")->type_name("FILE");
  app.add_flag("--insecure-listen-anywhere", options.server.insecure_listen_anywhere,
               "Allow --listen off loopback WITHOUT encryption or authentication: whoever reaches the port reads and writes everything");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    bool asked = error.get_exit_code() == 0;  // --help, --version
    app.exit(error, std::cout, std::cerr);
    return {std::nullopt, asked ? 0 : 2};
  }
  options.max_step_us = *ParseDuration(max_step);
  return {options, 0};
}

}  // namespace korrel::server
