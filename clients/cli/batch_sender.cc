#include "clients/cli/batch_sender.h"

#include <algorithm>

namespace korrel::cli {
namespace {
constexpr size_t kWaitingMax = 2;
constexpr size_t kNotesMax = 100;
}  // namespace

BatchSender::BatchSender(Client* client, RejectedFile* rejected) : client_(client), rejected_(rejected), thread_([this] { Run(); }) {}

BatchSender::~BatchSender() { Finish().IgnoreError(); }

bool BatchSender::Send(PreparedBatch batch) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return waiting_.size() < kWaitingMax || !status_.ok(); });
  if (!status_.ok()) return false;
  waiting_.push_back(std::move(batch));
  changed_.notify_all();
  return true;
}

Status BatchSender::Finish() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  return status_;
}

ImportCounts BatchSender::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void BatchSender::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    PreparedBatch batch = std::move(waiting_.front());
    waiting_.pop_front();
    changed_.notify_all();
    lock.unlock();
    const auto result = SendOne(batch);
    lock.lock();
    if (!result.ok()) {
      status_ = result.status();
      waiting_.clear();
      changed_.notify_all();
      return;
    }
    Count(batch, *result);
  }
}

StatusOr<v1::WriteResult> BatchSender::SendOne(PreparedBatch& batch) {
  if (auto* events = std::get_if<v1::TrackRequest>(&batch.request)) {
    KORREL_ASSIGN_OR_RETURN(auto response, client_->Track(std::move(*events)));
    return std::move(*response.mutable_result());
  }
  KORREL_ASSIGN_OR_RETURN(auto response, client_->UpsertProfiles(std::move(std::get<v1::UpsertProfilesRequest>(batch.request))));
  return std::move(*response.mutable_result());
}

void BatchSender::Count(const PreparedBatch& batch, const v1::WriteResult& result) {
  for (const v1::ItemError& error : result.errors()) {
    if (error.index() >= batch.origins.size()) continue;  // an item never sent cannot be told by its line
    rejected_->Add(batch.origins[error.index()].line, error.message().empty() ? error.reason() : error.message(),
                   batch.RawOf(error.index()), true);
  }
  for (const std::string& note : result.notes()) {
    const bool known = std::find(counts_.notes.begin(), counts_.notes.end(), note) != counts_.notes.end();
    if (!known && counts_.notes.size() < kNotesMax) counts_.notes.push_back(note);
  }
  counts_.acknowledged += batch.origins.size();
  counts_.applied += result.applied_count();
  counts_.duplicates += static_cast<uint64_t>(result.duplicate_indexes_size());
}

}  // namespace korrel::cli
