#include "clients/cli/event_sort.h"

#include <errno.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace korrel::cli {

// A sorted run on disk: records of time, line, size (8 bytes each) and the row's text.
struct EventSort::Run {
  FILE* file = nullptr;
  std::string buffer;
  Item head;

  ~Run() {
    if (file != nullptr) std::fclose(file);
  }
};

namespace {

Status DiskError(const char* what) {
  return MakeError(absl::StatusCode::kInternal, "DISK", "",
                   fmt::format("cannot {} a temporary file for sorting: {}; set TMPDIR to a folder with room", what, std::strerror(errno)));
}

FILE* OpenUnnamed() {
  const char* folder = getenv("TMPDIR");
  std::string path = std::string(folder != nullptr && *folder != '\0' ? folder : "/tmp") + "/korrel-sort-XXXXXX";
  const int descriptor = mkstemp(path.data());
  if (descriptor < 0) return nullptr;
  unlink(path.c_str());  // gone when the program ends, however it ends
  return fdopen(descriptor, "w+b");
}

}  // namespace

EventSort::EventSort(size_t run_bytes) : run_bytes_(run_bytes) {}
EventSort::~EventSort() = default;

Status EventSort::Add(int64_t time_us, uint64_t line, std::string_view raw) {
  if (text_.size() + raw.size() + entries_.size() * sizeof(Entry) > run_bytes_ && !entries_.empty()) KORREL_RETURN_IF_ERROR(WriteRun());
  entries_.push_back({time_us, line, text_.size(), raw.size()});
  text_.append(raw);
  return absl::OkStatus();
}

void EventSort::SortRun() {
  const auto before = [](const Entry& a, const Entry& b) { return a.time_us < b.time_us; };
  if (!std::is_sorted(entries_.begin(), entries_.end(), before)) std::stable_sort(entries_.begin(), entries_.end(), before);
}

Status EventSort::WriteRun() {
  SortRun();
  auto run = std::make_unique<Run>();
  run->file = OpenUnnamed();
  if (run->file == nullptr) return DiskError("make");
  for (const Entry& entry : entries_) {
    const uint64_t record[3] = {static_cast<uint64_t>(entry.time_us), entry.line, entry.size};
    if (std::fwrite(record, sizeof(record), 1, run->file) != 1) return DiskError("write");
    if (entry.size > 0 && std::fwrite(text_.data() + entry.begin, entry.size, 1, run->file) != 1) return DiskError("write");
  }
  if (std::fflush(run->file) != 0 || std::fseek(run->file, 0, SEEK_SET) != 0) return DiskError("write");
  runs_.push_back(std::move(run));
  entries_.clear();
  text_.clear();
  return absl::OkStatus();
}

Status EventSort::Finish() {
  if (runs_.empty()) {
    SortRun();
    return absl::OkStatus();
  }
  if (!entries_.empty()) KORREL_RETURN_IF_ERROR(WriteRun());
  entries_ = {};
  text_ = {};
  for (size_t i = runs_.size(); i-- > 0;) {
    KORREL_ASSIGN_OR_RETURN(const bool more, Advance(runs_[i].get()));
    if (!more) runs_.erase(runs_.begin() + static_cast<ptrdiff_t>(i));
  }
  return absl::OkStatus();
}

StatusOr<bool> EventSort::Advance(Run* run) {
  uint64_t record[3];
  if (std::fread(record, sizeof(record), 1, run->file) != 1) {
    if (std::ferror(run->file) != 0) return DiskError("read");
    return false;
  }
  run->buffer.resize(record[2]);
  if (record[2] > 0 && std::fread(run->buffer.data(), record[2], 1, run->file) != 1) return DiskError("read");
  run->head = {static_cast<int64_t>(record[0]), record[1], run->buffer};
  return true;
}

StatusOr<bool> EventSort::Next(Item* item) {
  if (last_ != nullptr) {
    KORREL_ASSIGN_OR_RETURN(const bool more, Advance(last_));
    if (!more) std::erase_if(runs_, [this](const auto& run) { return run.get() == last_; });
    last_ = nullptr;
  }
  if (!runs_.empty()) {
    // A handful of runs: the least is found faster by looking than by a heap. Lines tell equal times apart.
    const auto least = std::min_element(runs_.begin(), runs_.end(), [](const auto& a, const auto& b) {
      return std::pair(a->head.time_us, a->head.line) < std::pair(b->head.time_us, b->head.line);
    });
    last_ = least->get();
    *item = last_->head;
    return true;
  }
  if (next_ == entries_.size()) return false;
  const Entry& entry = entries_[next_++];
  *item = {entry.time_us, entry.line, std::string_view(text_).substr(entry.begin, entry.size)};
  return true;
}

}  // namespace korrel::cli
