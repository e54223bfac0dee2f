#include "server/server.h"

#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>

#include "server/address.h"
#include "server/limits.h"
#include "server/services.h"

namespace korrel::server {
namespace {

constexpr std::chrono::seconds kDrain{5};
// Reflection is a synchronous service, a thread a stream: this is how many there may be.
constexpr int kSyncThreadsMax = 8;

size_t WorkerCount(size_t asked) { return asked != 0 ? asked : std::max<size_t>(4, std::thread::hardware_concurrency()); }

// What gRPC and protobuf keep for the whole process.
void SetUpProcess() {
  static std::once_flag once;
  std::call_once(once, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    // protobuf would write a line to stderr for every request that is not UTF-8: the caller's mistake, and the caller is told.
    google::protobuf::SetLogHandler(nullptr);
  });
}

void SetLimits(grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(kReceiveBytesMax);
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kConcurrentStreamsMax);
  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 16 * 1'024);
  // A peer that is gone is noticed within 80 s; one that pings more than every 10 s is sent away.
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 3);
  builder->SetResourceQuota(grpc::ResourceQuota("korreld").SetMaxThreads(kSyncThreadsMax));
  builder->SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder->SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder->SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
}

}  // namespace

StatusOr<std::unique_ptr<Server>> Server::Start(Database* database, const ServerOptions& options) {
  KORREL_ASSIGN_OR_RETURN(ListenAddress address, ParseListenAddress(options.listen));
  if (!address.IsLoopback() && !options.insecure_listen_anywhere) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "INSECURE", "listen",
                     fmt::format("{} can be reached from other machines, and this version has neither encryption nor authentication; "
                                 "listen on 127.0.0.1, or say --insecure-listen-anywhere",
                                 address.Text()));
  }
  SetUpProcess();
  std::unique_ptr<Server> server(new Server(database, WorkerCount(options.threads)));
  server->Build(address.Text());
  if (!server->grpc_server_) {
    return MakeError(absl::StatusCode::kUnavailable, "LISTEN", "listen",
                     fmt::format("cannot listen on {}: {}", address.Text(), WhyNotListening(address)));
  }
  address.port = static_cast<uint16_t>(server->port_);
  server->address_ = address.Text();
  server->grpc_server_->GetHealthCheckService()->SetServingStatus(true);
  if (options.keep_warm) server->keep_warm_.Start(server->grpc_server_.get());
  return server;
}

void Server::Build(const std::string& address) {
  services_.push_back(MakeProfileService(&door_));
  services_.push_back(MakeEventService(&door_));
  services_.push_back(MakeCatalogService(&door_));
  services_.push_back(MakeSegmentService(&door_));
  services_.push_back(MakeAdminService(&door_));
  grpc::ServerBuilder builder;
  SetLimits(&builder);
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port_);
  for (auto& service : services_) builder.RegisterService(service.get());
  grpc_server_ = builder.BuildAndStart();
}

void Server::Stop() {
  if (!grpc_server_) return;
  grpc_server_->GetHealthCheckService()->Shutdown();
  door_.database->Stop();  // first: whoever is waited for below may be waiting for it
  keep_warm_.Stop();
  door_.gate.Stop();
  door_.watch_loop.Stop();
  grpc_server_->Shutdown(std::chrono::system_clock::now() + kDrain);
  grpc_server_->Wait();
  // Every reactor is done now; what is left of the pool is nobody's.
  door_.pool.Stop();
  door_.catalog_pool.Stop();
  door_.clock_pool.Stop();
  grpc_server_.reset();
}

}  // namespace korrel::server
