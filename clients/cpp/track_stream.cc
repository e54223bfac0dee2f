#include "clients/cpp/track_stream.h"

#include <fmt/format.h>

namespace korrel {

using std::chrono::steady_clock;

TrackStream::TrackStream(Client* client, Options options, OnResult on_result)
    : client_(client), options_(std::move(options)), on_result_(std::move(on_result)), stream_id_(NewRequestId()) {
  Open();
  reader_ = std::thread([this] { ReadAll(); });
}

TrackStream::~TrackStream() { Close().IgnoreError(); }

void TrackStream::Open() {
  context_ = std::make_unique<grpc::ClientContext>();
  stream_ = client_->events()->TrackStream(context_.get());
}

Status TrackStream::WaitUntil(std::unique_lock<std::mutex>& lock, const std::function<bool()>& ready) {
  const auto timeout = client_->options().call_timeout;
  uint64_t seen = acknowledged_;
  while (!ended_ && !ready()) {
    if (changed_.wait_for(lock, timeout) == std::cv_status::no_timeout) continue;
    if (acknowledged_ == seen && !ended_ && !ready()) {
      return MakeError(absl::StatusCode::kDeadlineExceeded, "", "", fmt::format("no acknowledgement for {} ms", timeout.count()));
    }
    seen = acknowledged_;
  }
  return ended_ ? status_ : absl::OkStatus();
}

StatusOr<uint64_t> TrackStream::Send(v1::TrackStreamRequest message) {
  {
    std::unique_lock lock(mutex_);
    KORREL_RETURN_IF_ERROR(WaitUntil(lock, [this] { return under_way_.size() < options_.under_way_max; }));
    if (ended_ || closing_) return MakeError(absl::StatusCode::kFailedPrecondition, "", "", "the stream is closed");
  }
  const std::lock_guard write_lock(write_mutex_);
  {
    const std::lock_guard lock(mutex_);
    message.set_sequence(next_sequence_++);
    message.set_stream_id(stream_id_);
    message.set_source(options_.source);
    message.set_durability(options_.durability);
    under_way_.push_back(message);
  }
  // A failed write is no error yet: the reading thread sees the broken stream and sends all that is under way again. The copy is
  // written, not the one in the queue, which an acknowledgement may take away.
  stream_->Write(message);
  return message.sequence();
}

void TrackStream::Acknowledge(const v1::TrackStreamResponse& response) {
  on_result_(response.sequence(), response.result());
  const std::lock_guard lock(mutex_);
  while (!under_way_.empty() && under_way_.front().sequence() <= response.sequence()) under_way_.pop_front();
  acknowledged_ = response.sequence();
  changed_.notify_all();
}

void TrackStream::End(Status status) {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  status_ = std::move(status);
  changed_.notify_all();
}

// Opens the stream anew and sends what is under way. False: it is to end with `broken`.
bool TrackStream::Reopen(const grpc::Status& broken) {
  if (broken.error_code() != grpc::StatusCode::UNAVAILABLE) return false;
  const auto now = steady_clock::now();
  if (broken_since_ == steady_clock::time_point{}) broken_since_ = now;
  if (now - broken_since_ > client_->options().retry_for) return false;
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const std::lock_guard write_lock(write_mutex_);
  Open();
  std::deque<v1::TrackStreamRequest> again;
  bool closing = false;
  {
    const std::lock_guard lock(mutex_);
    again = under_way_;
    closing = closing_;
  }
  // Acknowledgements are small and few: they wait in the connection's window while this thread writes.
  for (const v1::TrackStreamRequest& message : again) {
    if (!stream_->Write(message)) break;
  }
  if (closing) stream_->WritesDone();
  return true;
}

void TrackStream::ReadAll() {
  while (true) {
    v1::TrackStreamResponse response;
    while (stream_->Read(&response)) {
      broken_since_ = {};
      Acknowledge(response);
    }
    grpc::Status status;
    {
      const std::lock_guard write_lock(write_mutex_);  // no write may be under way when the stream is finished
      status = stream_->Finish();
    }
    bool complete = false;
    {
      const std::lock_guard lock(mutex_);
      complete = closing_ && under_way_.empty();
    }
    if (status.ok() && !complete) status = {grpc::StatusCode::UNAVAILABLE, "the server closed the stream"};
    if (status.ok()) return End(absl::OkStatus());
    if (!Reopen(status)) return End(FromGrpc(status));
  }
}

Status TrackStream::Close() {
  if (!reader_.joinable()) {
    const std::lock_guard lock(mutex_);
    return status_;
  }
  Status waited;
  {
    std::unique_lock lock(mutex_);
    waited = WaitUntil(lock, [this] { return under_way_.empty(); });
    closing_ = true;
  }
  {
    const std::lock_guard write_lock(write_mutex_);
    waited.ok() ? static_cast<void>(stream_->WritesDone()) : context_->TryCancel();
  }
  reader_.join();
  const std::lock_guard lock(mutex_);
  return waited.ok() ? status_ : waited;
}

}  // namespace korrel
