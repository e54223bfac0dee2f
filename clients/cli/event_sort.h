// clients/cli/event_sort.h
//
// EventSort gives the rows of a file back in the order of their times, equal times in file order, in bounded memory.
//
// Rows are collected in runs of at most `run_bytes`; a run that is full is sorted and written to a temporary file without a
// name, and the runs are merged at the end. A file that fits one run never touches the disk.
//
// Threads    One thread.
// Errors     INTERNAL where the temporary file cannot be written (TMPDIR, by default /tmp).
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/status.h"

namespace korrel::cli {

class EventSort {
 public:
  struct Item {
    int64_t time_us = 0;
    uint64_t line = 0;
    std::string_view raw;  // lives until the next call
  };

  explicit EventSort(size_t run_bytes = size_t{128} << 20);
  ~EventSort();
  EventSort(const EventSort&) = delete;
  EventSort& operator=(const EventSort&) = delete;

  // Lines ascend from call to call.
  Status Add(int64_t time_us, uint64_t line, std::string_view raw);
  // After the last Add.
  Status Finish();
  // The next row; false at the end.
  StatusOr<bool> Next(Item* item);

 private:
  struct Entry {
    int64_t time_us;
    uint64_t line;
    size_t begin;
    size_t size;
  };
  struct Run;

  void SortRun();
  Status WriteRun();
  StatusOr<bool> Advance(Run* run);

  size_t run_bytes_;
  std::string text_;
  std::vector<Entry> entries_;
  size_t next_ = 0;
  std::vector<std::unique_ptr<Run>> runs_;
  Run* last_ = nullptr;  // whose row was given last
};

}  // namespace korrel::cli
