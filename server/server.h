// server/server.h
//
// Server puts a Database on the network: all services, health and reflection on one address.
//
//   threads    gRPC's own for reactors (nothing blocks there), the door's workers for everything that takes long
//   limits     4 MiB a message, 256 streams a connection, keepalive, no port shared with another process
//   trust      plaintext on loopback alone, unless the options say otherwise
//
// Threads   Start, Stop from one thread.
// Lifetime  The database outlives the server.
#pragma once

#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/server.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/database.h"
#include "server/door.h"
#include "server/keep_warm.h"

namespace korrel::server {

struct ServerOptions {
  std::string listen = "127.0.0.1:7650";
  // Plaintext, unauthenticated, on an address other machines can reach.
  bool insecure_listen_anywhere = false;
  size_t threads = 0;  // workers; 0: one per core, at least 4
  bool keep_warm = true;
};

class Server {
 public:
  // Errors: kInvalidArgument FIELD for an address, kFailedPrecondition INSECURE off loopback, kUnavailable LISTEN in the system's words.
  static StatusOr<std::unique_ptr<Server>> Start(Database* database, const ServerOptions& options);
  ~Server() { Stop(); }

  int port() const { return port_; }
  const std::string& address() const { return address_; }  // with the port really taken
  // NOT_SERVING, no new calls; waits for those under way, at most five seconds, then cancels them. Stops the database for good: what takes
  // long there ends with an error (Database::Stop).
  void Stop();

  const KeepWarm& keep_warm() const { return keep_warm_; }

 private:
  Server(Database* database, size_t threads) : door_(database, threads) {}
  void Build(const std::string& address);

  Door door_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> grpc_server_;
  KeepWarm keep_warm_;
  int port_ = 0;
  std::string address_;
};

}  // namespace korrel::server
