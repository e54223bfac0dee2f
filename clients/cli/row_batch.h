// clients/cli/row_batch.h
//
// RowBatch turns rows into one request of events or profile writes, and remembers which line each item came from.
//
// A file of one identifier column goes as columns (EventBatch, ProfileBatch). Several identifiers of a profile, or --empty
// unset, need a ProfileWrite for each row.
//
// Threads    One thread.
// Lifetime   The plan outlives the batch.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "clients/cli/import_plan.h"
#include "clients/cpp/values.h"
#include "korrel/v1/event_service.pb.h"
#include "korrel/v1/profile_service.pb.h"

namespace korrel::cli {

using ImportRequest = std::variant<v1::TrackRequest, v1::UpsertProfilesRequest>;

// A request with, for each of its items, the row it came from.
struct PreparedBatch {
  struct Origin {
    uint64_t line = 0;
    size_t begin = 0;  // of the row's text in `raw`
    size_t size = 0;
  };
  ImportRequest request;
  std::vector<Origin> origins;
  std::string raw;

  std::string_view RawOf(size_t item) const { return std::string_view(raw).substr(origins[item].begin, origins[item].size); }
};

// The event time of a row. Empty problem: `us` holds it, 0 where the plan has no time column.
std::string RowTime(const ImportPlan& plan, Row* row, int64_t* us);

class RowBatch {
 public:
  RowBatch(const ImportOptions& options, const ImportPlan& plan, std::string digest);

  // Takes the row, or answers why it cannot; then the batch is unchanged.
  std::string Add(Row* row, int64_t time_us);

  size_t rows() const { return rows_; }
  // Whether it should be sent before more is added: a few thousand rows, or half of what a server takes in at once.
  bool Full() const;
  // The request; the batch is empty afterwards.
  PreparedBatch Take();

 private:
  bool UsesWrites() const { return !options_.events && (plan_.identifiers.size() > 1 || plan_.unset_empty); }
  std::string ReadIdentifiers(const Row& row);
  std::string MessageId(const Row& row) const;
  void AddColumns();
  void AddWrite(int64_t time_us);

  const ImportOptions& options_;
  const ImportPlan& plan_;
  std::string digest_;
  size_t rows_ = 0;
  size_t bytes_ = 0;
  std::vector<ColumnBuilder> columns_;
  std::vector<v1::Identifiers> identifiers_;
  v1::EventBatch events_;
  v1::ProfileBatch profiles_;
  v1::UpsertProfilesRequest writes_;
  PreparedBatch prepared_;

  // Of the row being added.
  std::vector<CellValue> values_;
  std::vector<std::string_view> ids_;
};

}  // namespace korrel::cli
