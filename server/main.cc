// korreld: opens a database in memory, serves it, ends cleanly on SIGTERM and SIGINT. See `korreld --help`.

#include <signal.h>

#include <cstdio>
#include <fstream>

#include "server/log.h"
#include "server/options.h"
#include "server/server.h"

namespace korrel::server {
namespace {

// Signals are waited for, not handled: blocked in every thread, so this comes before the first one is made.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// Whole or not at all: who waits for the file never reads half a number.
bool WritePortFile(const std::string& path, int port) {
  std::string temporary = path + ".new";
  {
    std::ofstream file(temporary);
    file << port << "\n";
    if (!file.flush()) return false;
  }
  return std::rename(temporary.c_str(), path.c_str()) == 0;
}

int Fail(std::string_view what) {
  spdlog::error("event=failed message=\"{}\"", what);
  return 1;
}

DatabaseOptions DatabaseOptionsOf(const ProgramOptions& options) {
  DatabaseOptions database;
  database.shards = options.shards;
  database.clock = options.clock == ClockMode::kReplay ? Clock::MakeReplay(options.max_step_us) : Clock::MakeSystem();
  return database;
}

int Serve(const ProgramOptions& options, const sigset_t& signals) {
  auto database = Database::Open(DatabaseOptionsOf(options));
  if (!database.ok()) return Fail(MessageOf(database.status()));
  auto server = Server::Start(database->get(), options.server);
  if (!server.ok()) return Fail(MessageOf(server.status()));
  if (!options.port_file.empty() && !WritePortFile(options.port_file, (*server)->port())) {
    return Fail(fmt::format("cannot write {}", options.port_file));
  }
  StatusAnswer status = (*database)->GetStatus();
  spdlog::info("event=listening address={} version={} state=memory shards={} clock={}", (*server)->address(), KORREL_VERSION, status.shards,
               status.clock_mode == ClockMode::kReplay ? "replay" : "system");
  if (options.server.insecure_listen_anywhere) {
    spdlog::warn("event=insecure message=\"neither encryption nor authentication: whoever reaches {} reads and writes everything\"",
                 (*server)->address());
  }
  int signal = 0;
  sigwait(&signals, &signal);
  // A second signal ends the program at once.
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  spdlog::info("event=stopping signal={}", signal == SIGTERM ? "SIGTERM" : "SIGINT");
  (*server)->Stop();
  spdlog::info("event=stopped");
  return 0;
}

}  // namespace
}  // namespace korrel::server

int main(int argc, char** argv) {
  using namespace korrel::server;
  ParsedOptions parsed = ParseOptions(argc, argv);
  if (!parsed.options) return parsed.exit_code;
  SetUpLog();
  sigset_t signals = BlockSignals();
  return Serve(*parsed.options, signals);
}
