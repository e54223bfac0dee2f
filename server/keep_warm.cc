#include "server/keep_warm.h"

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>

namespace korrel::server {
namespace {

constexpr std::chrono::milliseconds kEvery{200};

// One health check, waited for at most as long as the pause between two.
bool CallOnce(grpc::GenericStub* stub) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kEvery);
  grpc::Slice empty;  // HealthCheckRequest{}: the server as a whole
  grpc::ByteBuffer request(&empty, 1), response;
  std::mutex mutex;
  std::condition_variable wake;
  bool done = false, ok = false;
  stub->UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &request, &response, [&](grpc::Status status) {
    std::lock_guard lock(mutex);
    done = true;
    ok = status.ok();
    wake.notify_one();
  });
  std::unique_lock lock(mutex);
  wake.wait(lock, [&] { return done; });
  return ok;
}

}  // namespace

void KeepWarm::Start(grpc::Server* server) {
  thread_ = std::thread([this, server] { Run(server); });
}

void KeepWarm::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void KeepWarm::Run(grpc::Server* server) {
  grpc::GenericStub stub(server->InProcessChannel(grpc::ChannelArguments()));
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kEvery, [this] { return stopping_; })) {
    lock.unlock();
    if (CallOnce(&stub)) calls_answered_.fetch_add(1, std::memory_order_relaxed);
    lock.lock();
  }
}

}  // namespace korrel::server
