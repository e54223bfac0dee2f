#include "server/log.h"

#include <grpc/support/log.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <string>

namespace korrel::server {
namespace {

// Quotes and line breaks would break the one line an event.
std::string OneLine(std::string text) {
  for (char& c : text) {
    if (c == '"') c = '\'';
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

void WriteGrpcLog(gpr_log_func_args* args) {
  if (args->severity < GPR_LOG_SEVERITY_ERROR) return;
  spdlog::warn("event=grpc message=\"{}\"", OneLine(args->message));
}

}  // namespace

void SetUpLog() {
  auto logger = spdlog::stderr_logger_mt("korreld");
  logger->set_pattern("time=%Y-%m-%dT%H:%M:%S.%e%z level=%l %v");
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  gpr_set_log_function(WriteGrpcLog);
}

}  // namespace korrel::server
