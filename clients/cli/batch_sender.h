// clients/cli/batch_sender.h
//
// BatchSender sends the batches of an import in order, while the next ones are being prepared.
//
// One request is under way at a time: rows of one profile must not overtake each other, and equal event times are decided by
// arrival. Reading and preparing run beside it, so that the server never waits for the file.
//
// Threads    Send and Finish: the thread that reads the file. A thread of its own sends; Finish waits for it.
// Errors     The first call that fails as a whole ends the sending; what was acknowledged before stays counted.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "clients/cli/rejected_file.h"
#include "clients/cli/row_batch.h"
#include "clients/cpp/client.h"

namespace korrel::cli {

struct ImportCounts {
  uint64_t acknowledged = 0;  // applied, duplicates and refused by the server
  uint64_t applied = 0;
  uint64_t duplicates = 0;
  std::vector<std::string> notes;  // such as types that widened; each once, at most a hundred
};

class BatchSender {
 public:
  BatchSender(Client* client, RejectedFile* rejected);
  ~BatchSender();

  // Waits while two batches are waiting already. False: sending has ended with an error.
  bool Send(PreparedBatch batch);
  // Waits until all is sent. The error that ended it, if one did.
  Status Finish();

  ImportCounts counts() const;

 private:
  void Run();
  StatusOr<v1::WriteResult> SendOne(PreparedBatch& batch);
  void Count(const PreparedBatch& batch, const v1::WriteResult& result);

  Client* client_;
  RejectedFile* rejected_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<PreparedBatch> waiting_;  // under mutex_, as all below
  bool closed_ = false;
  Status status_;
  ImportCounts counts_;
  std::thread thread_;
};

}  // namespace korrel::cli
