// How late are exits when a million windows end, and what do readers notice?
//
//   expiry [PROFILES] [spread SECONDS | instant]     default: 1000000 spread 60
//
// Every profile has one event, and one live segment holds whoever had one within the last hour: `count(ping) over 1h > 0`. The events' times
// are such that the windows end evenly within so many seconds, or all at the same microsecond. A watcher notes when each exit
// reaches it; a reader calls GetProfile at an even pace (open loop: a read's latency counts from when it was due) before and during.
// Everything is in one process, under the system clock. Exit code 1 when not everybody left exactly once.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "engine/background.h"
#include "engine/database.h"
#include "index/live/live_state.h"

namespace korrel {
namespace {

using Clock_ = std::chrono::steady_clock;
constexpr int64_t kSecondUs = 1'000'000, kHourUs = 3'600 * kSecondUs;

int64_t WallUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

[[noreturn]] void Fail(std::string_view what) {
  fmt::print(stderr, "expiry: {}\n", what);
  std::exit(1);
}

double Percentile(std::vector<int64_t>* values, double p) {
  if (values->empty()) return 0;
  std::sort(values->begin(), values->end());
  return static_cast<double>((*values)[static_cast<size_t>(p * static_cast<double>(values->size() - 1))]);
}

// Point reads, two thousand a second, until told to stop; nanoseconds each.
class Reader {
 public:
  Reader(Database* database, uint64_t profiles) : thread_([this, database, profiles] { Run(database, profiles); }) {}
  std::vector<int64_t> Stop() {
    stop_ = true;
    thread_.join();
    return std::move(nanoseconds_);
  }

 private:
  void Run(Database* database, uint64_t profiles) {
    auto due = Clock_::now();
    for (uint64_t i = 0; !stop_; ++i) {
      due += std::chrono::microseconds(500);
      std::this_thread::sleep_until(due);
      const auto begin = std::max(due, Clock_::now() - std::chrono::milliseconds(50));
      const auto view = database->GetProfile(fmt::format("customer:{}", i * 7'919 % profiles), {}, true, {});
      if (!view.ok()) Fail(view.status().ToString());
      nanoseconds_.push_back((Clock_::now() - begin).count());
    }
  }
  std::atomic<bool> stop_{false};
  std::vector<int64_t> nanoseconds_;
  std::thread thread_;
};

void Load(Database* database, uint64_t profiles, int64_t first_end_us, int64_t spread_us) {
  std::vector<EventWrite> events;
  for (uint64_t i = 0; i < profiles; ++i) {
    EventWrite event;
    event.identifiers = {fmt::format("customer:{}", i)};
    event.type = "ping";
    event.event_time_us = first_end_us - kHourUs +
                          (spread_us == 0 ? 0 : static_cast<int64_t>(i * 7'919 % profiles) * spread_us / static_cast<int64_t>(profiles));
    events.push_back(std::move(event));
    if (events.size() < 2'000 && i + 1 < profiles) continue;
    const auto result = database->Track(events, {});
    if (!result.ok() || !result->errors.empty()) Fail("an event was refused");
    events.clear();
  }
}

void Define(Database* database) {
  ApplyRequest request;
  Definition event;
  event.name = "events/ping";
  event.kind = DefinitionKind::kEvent;
  Definition segment;
  segment.name = "segments/lately";
  segment.kind = DefinitionKind::kSegment;
  segment.segment.expression = "count(ping) over 1h > 0";
  request.definitions = {event, segment};
  const auto applied = database->ApplyDefinitions(request);
  if (!applied.ok()) Fail(applied.status().ToString());
  for (const auto& change : applied->changes) {
    if (!change.error.ok()) Fail(change.error.ToString());
  }
}

int Run(uint64_t profiles, int64_t spread_us) {
  auto database = *Database::Open({});
  Define(database.get());
  // Long enough for loading a million events on a slow machine.
  const bool is_small = profiles < 100'000;
  const int64_t first_end_us = WallUs() + static_cast<int64_t>(profiles) * 25 + (is_small ? 6 : 20) * kSecondUs;
  Load(database.get(), profiles, first_end_us, spread_us);
  if (WallUs() > first_end_us - (is_small ? 3 : 8) * kSecondUs) Fail("loading took too long; the windows end already");
  Reader idle(database.get(), profiles);
  std::this_thread::sleep_for(std::chrono::seconds(is_small ? 1 : 5));
  std::vector<int64_t> idle_ns = idle.Stop();

  auto watch = *database->Watch({{"lately"}, std::nullopt});
  std::this_thread::sleep_for(std::chrono::microseconds(first_end_us - WallUs() - kSecondUs / 2));
  Reader busy(database.get(), profiles);
  BecomeBackgroundThread();  // as those are who serve watches
  std::vector<int64_t> late_us;
  const int64_t give_up_us = first_end_us + spread_us + 60 * kSecondUs;
  while (late_us.size() < profiles && WallUs() < give_up_us) {
    const auto chunk = watch->Next(0);
    if (!chunk.ok()) Fail(chunk.status().ToString());
    const int64_t now = WallUs();
    for (const SegmentChange& change : chunk->changes) {
      if (change.entered || change.cause != ChangeCause::kClock) Fail("a change that is no exit by the clock");
      late_us.push_back(now - change.time_us);
    }
  }
  std::vector<int64_t> busy_ns = busy.Stop();
  const auto left = database->Count({"in segment 'lately'"});
  if (late_us.size() != profiles || !left.ok() || left->count != 0) Fail(fmt::format("{} exits of {}", late_us.size(), profiles));

  fmt::print("{} windows end {}: exits late p50 {:.0f} ms, p99 {:.0f} ms, the last {:.0f} ms\n", profiles,
             spread_us == 0 ? "at one microsecond" : fmt::format("within {} s", spread_us / kSecondUs), Percentile(&late_us, 0.5) / 1e3,
             Percentile(&late_us, 0.99) / 1e3, Percentile(&late_us, 1) / 1e3);
  for (auto& [name, values] : {std::pair{"idle", &idle_ns}, std::pair{"during", &busy_ns}}) {
    fmt::print("point reads {}: {} of them, p50 {:.0f} us, p99 {:.0f} us, max {:.0f} us\n", name, values->size(),
               Percentile(values, 0.5) / 1e3, Percentile(values, 0.99) / 1e3, Percentile(values, 1) / 1e3);
  }
  fmt::print("largest turn {} units, {} MiB\n", database->largest_turn_work(), database->GetStatus().memory_bytes >> 20);
  return 0;
}

}  // namespace
}  // namespace korrel

int main(int argc, char** argv) {
  const uint64_t profiles = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  const bool instant = argc > 2 && std::string_view(argv[2]) == "instant";
  const int64_t seconds = argc > 3 ? std::strtoll(argv[3], nullptr, 10) : 60;
  if (profiles == 0 || profiles > 100'000'000 || seconds < 0 || seconds > 86'400) return 2;
  return korrel::Run(profiles, instant ? 0 : seconds * korrel::kSecondUs);
}
