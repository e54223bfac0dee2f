// server/query_call.h
//
// One Query: a pull source behind a writer. The next message is made when the one before has been taken by the transport, so a slow
// reader costs one message of memory and no thread.
//
// Lifetime  A call owns itself: it dies in OnDone.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <memory>

#include "server/door.h"
#include "server/handlers/segment_handlers.h"
#include "server/wire.h"

namespace korrel::server {

class QueryCall final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  QueryCall(Door* door, const grpc::CallbackServerContext& context);
  void Start(const grpc::ByteBuffer& bytes);
  void OnWriteDone(bool ok) override;
  void OnCancel() override { cancelled_.store(true, std::memory_order_relaxed); }
  void OnDone() override { delete this; }

 private:
  void Begin(size_t bytes);
  void Step();
  Status MakeMessage(bool* more);
  void Fail(const Status& status) { Finish(ToGrpcStatus(status)); }

  Door* const door_;
  StreamPermit permit_;
  std::atomic<bool> cancelled_{false};
  CallContext call_;
  bool has_deadline_;
  v1::QueryRequest request_;
  v1::QueryResponse response_;
  std::unique_ptr<QuerySource> source_;  // opened by the first step
  grpc::ByteBuffer message_;             // being written
};

}  // namespace korrel::server
