// server/address.h
//
// Listen addresses: "127.0.0.1:7650", "localhost:0", "[::1]:7650".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/status.h"

namespace korrel::server {

struct ListenAddress {
  std::string host;         // without brackets
  uint16_t port = 0;        // 0: any free one
  bool IsLoopback() const;  // 127.0.0.0/8, ::1 or localhost: not reachable from another machine
  std::string Text() const;
};

// Errors: kInvalidArgument FIELD.
StatusOr<ListenAddress> ParseListenAddress(std::string_view text);

// Why the address cannot be listened on, in the system's words ("Address already in use"), found by trying.
std::string WhyNotListening(const ListenAddress& address);

}  // namespace korrel::server
