// server/log.h
//
// The server's log: one line an event on stderr, `time=… level=… event=… key=value …`. It never holds personal data: no identifiers,
// values or expressions.
#pragma once

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace korrel::server {

// Also sends gRPC's own errors there, as event=grpc.
void SetUpLog();

}  // namespace korrel::server
