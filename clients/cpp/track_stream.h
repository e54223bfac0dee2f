// clients/cpp/track_stream.h
//
// TrackStream sends events message by message with several under way, and repeats after a broken connection what was not
// acknowledged, under the same stream id: nothing happens twice.
//
// Threads    One thread sends. Acknowledgements arrive on a thread of the stream's own, which calls `on_result`.
// Lifetime   Must not outlive its Client. Close, or the destructor, waits for that thread.
// Errors     A message the server refuses as a whole ends the stream; what was acknowledged before it stays. A stream without an
//            acknowledgement for the client's call_timeout ends with DEADLINE_EXCEEDED, one broken for longer than its retry_for
//            with UNAVAILABLE.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "clients/cpp/client.h"

namespace korrel {

struct TrackStreamOptions {
  std::string source;
  v1::Durability durability = v1::DURABILITY_UNSPECIFIED;
  size_t under_way_max = 16;  // messages sent and not acknowledged; Send waits beyond
};

class TrackStream {
 public:
  using Options = TrackStreamOptions;
  // Called for each acknowledgement, in order: everything up to `sequence`, and what became of the messages since the one before.
  using OnResult = std::function<void(uint64_t sequence, const v1::WriteResult& result)>;

  TrackStream(Client* client, Options options, OnResult on_result);
  ~TrackStream();
  TrackStream(const TrackStream&) = delete;
  TrackStream& operator=(const TrackStream&) = delete;

  // Sends events and batches of the message; its sequence is filled in and answered. Waits while too many are under way.
  StatusOr<uint64_t> Send(v1::TrackStreamRequest message);
  // Waits until everything is acknowledged; the error that ended the stream, if one did.
  Status Close();

  const std::string& stream_id() const { return stream_id_; }

 private:
  using Stream = grpc::ClientReaderWriter<v1::TrackStreamRequest, v1::TrackStreamResponse>;

  void Open();     // under write_mutex_
  void ReadAll();  // the thread
  bool Reopen(const grpc::Status& broken);
  void Acknowledge(const v1::TrackStreamResponse& response);
  void End(Status status);
  Status WaitUntil(std::unique_lock<std::mutex>& lock, const std::function<bool()>& ready);

  Client* client_;
  Options options_;
  OnResult on_result_;
  std::string stream_id_;

  // Held while a message is put under way and written, and while the stream is opened anew: so that messages are on the wire once
  // and in order. Never waited for under mutex_.
  std::mutex write_mutex_;
  std::unique_ptr<grpc::ClientContext> context_;  // under write_mutex_; replaced by the reading thread alone
  std::unique_ptr<Stream> stream_;                // as context_

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<v1::TrackStreamRequest> under_way_;  // under mutex_, as all below; oldest first
  uint64_t next_sequence_ = 1;
  uint64_t acknowledged_ = 0;
  bool closing_ = false;
  bool ended_ = false;
  Status status_;
  std::chrono::steady_clock::time_point broken_since_{};  // the reading thread's own; zero: not broken

  std::thread reader_;
};

}  // namespace korrel
