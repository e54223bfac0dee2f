// server/options.h
//
// The command line and configuration file of korreld.
#pragma once

#include <optional>
#include <string>

#include "engine/clock.h"
#include "server/server.h"

namespace korrel::server {

struct ProgramOptions {
  ServerOptions server;
  uint32_t shards = 0;  // 0: four per core
  ClockMode clock = ClockMode::kSystem;
  int64_t max_step_us = kMaxStepDefaultUs;
  std::string port_file;
};

// What to do, or the exit code where the program ends here: 0 after --help and --version, 2 for wrong usage (told on stderr).
struct ParsedOptions {
  std::optional<ProgramOptions> options;
  int exit_code = 0;
};
ParsedOptions ParseOptions(int argc, const char* const* argv);

}  // namespace korrel::server
