#include "engine/database.h"

#include <fmt/format.h>

#include <bit>
#include <random>
#include <thread>

#include "engine/catalog/catalog.h"
#include "engine/catalog/definitions.h"
#include "engine/core.h"
#include "engine/database_core.h"
#include "engine/identity.h"
#include "engine/live/change_feed.h"
#include "engine/live/clock_driver.h"
#include "engine/live/fill_driver.h"
#include "engine/live/filling.h"
#include "engine/live/horizon.h"
#include "engine/live/population.h"
#include "engine/live/watch.h"
#include "engine/question/questions.h"
#include "engine/read/projection.h"
#include "engine/read/reads.h"
#include "engine/status_answer.h"
#include "engine/write/prepared_write.h"
#include "engine/write/request_ids.h"
#include "engine/write/writes.h"

namespace korrel {
namespace {

size_t ErrorBytes(const std::vector<ItemError>& errors) {
  size_t bytes = 0;
  for (const ItemError& error : errors) bytes += sizeof(ItemError) + 300 + MessageOf(error.status).size();
  return bytes;
}

size_t BytesOf(const WriteResult& result) {
  size_t bytes = ErrorBytes(result.errors) + result.duplicate_indexes.size() * sizeof(uint32_t);
  for (const std::string& note : result.notes) bytes += sizeof(note) + note.size();
  return bytes;
}
size_t BytesOf(const UpdateMembersAnswer& answer) { return BytesOf(answer.result); }
size_t BytesOf(const RetypeAnswer& answer) { return ErrorBytes(answer.errors); }
size_t BytesOf(const Database::AdvanceAnswer&) { return 0; }
size_t BytesOf(const ApplyAnswer& answer) {
  size_t bytes = 0;
  for (const DefinitionChange& change : answer.changes) {
    bytes += sizeof(change) + 2 * change.name.size();
    for (const auto& definition : {change.before, change.after}) {
      if (definition) bytes += 400 + 3 * (definition->attribute.expression.size() + definition->segment.expression.size());
    }
  }
  return bytes;
}

// 1 to 65535. A run in memory has nobody to ask for the epoch before; that two runs have the same is left to chance.
uint16_t EpochOfRun(uint64_t incarnation) { return static_cast<uint16_t>(incarnation % 65'535 + 1); }

class DatabaseImpl final : public Database {
 public:
  DatabaseImpl(DatabaseOptions options, uint32_t shards, uint32_t threads) {
    for (uint32_t i = 0; i < shards; ++i) core_.shards.push_back(std::make_unique<Shard>(options.keep_postings));
    core_.clock = options.clock ? std::move(options.clock) : Clock::MakeSystem();
    std::random_device random;
    core_.incarnation = uint64_t{random()} << 32 | random();
    core_.log = options.log ? std::move(options.log) : MakeMemoryLog(kMemoryLogBytes, EpochOfRun(core_.incarnation));
    core_.change_feed = std::make_unique<ChangeFeed>(core_.log.get());
    core_.executor = Executor::Make(threads);
    core_.catalog = std::make_unique<Catalog>(&core_);
    core_.identity = std::make_unique<Identity>();
    core_.request_ids = std::make_unique<RequestIds>();
    core_.events_hard_max = options.events_hard_max;
    core_.memory_limit_bytes = options.memory_limit_bytes ? options.memory_limit_bytes : DefaultMemoryLimit();
    core_.horizon = std::make_unique<Horizon>(core_.clock.get());
    core_.population = std::make_unique<Population>(&core_);
    for (const auto& shard : core_.shards) shard->Adopt(*core_.CurrentCatalog());
    core_.fill_driver = std::make_unique<FillDriver>(&core_);
    core_.clock_driver = std::make_unique<ClockDriver>(&core_);
  }

  // ---- Writes ----

  StatusOr<WriteResult> Upsert(std::span<const ProfileWrite> writes, const WriteOptions& options) override {
    return Once<WriteResult>(options.request_id, "upsert", options.request_digest, [&] { return UpsertProfiles(core_, writes, options); });
  }
  StatusOr<WriteResult> Track(std::span<const EventWrite> events, const WriteOptions& options) override {
    return Once<WriteResult>(options.request_id, "track", options.request_digest, [&] { return TrackEvents(core_, events, options); });
  }
  StatusOr<WriteResult> Delete(std::string_view profile, const WriteOptions& options) override {
    return Once<WriteResult>(options.request_id, fmt::format("delete {}", profile), options.request_digest,
                             [&] { return DeleteProfile(core_, profile, options); });
  }
  StatusOr<UpdateMembersAnswer> UpdateMembers(const UpdateMembersRequest& request) override {
    return Once<UpdateMembersAnswer>(request.write.request_id, "members", request.write.request_digest,
                                     [&] { return UpdateListMembers(core_, request); });
  }
  void WhenDurable(Position position, Durability durability, std::function<void(Status)> done) override {
    if (ReachedAtOnce(durability)) return done(absl::OkStatus());
    core_.log->WhenDurable(position, std::move(done));
  }

  // ---- Reads ----

  StatusOr<ProfileView> GetProfile(std::string_view profile, const std::vector<std::string>& attributes, bool include_segments,
                                   const ReadOptions& read) override {
    return ReadProfile(core_, profile, attributes, include_segments, read);
  }
  StatusOr<ProjectionRef> PrepareProjection(const std::vector<std::string>& select, bool allow_unknown_names) override {
    return korrel::PrepareProjection(core_, projections_, select, allow_unknown_names);
  }
  StatusOr<ProjectionRef> FindProjection(std::string_view handle) override { return korrel::FindProjection(core_, projections_, handle); }
  StatusOr<BatchGetAnswer> BatchGet(std::span<const std::string> profiles, const ProjectionRef& projection,
                                    const ReadOptions& read) override {
    return ReadBatch(core_, profiles, projection, read);
  }
  StatusOr<EventPage> ListEvents(const ListEventsRequest& request) override { return ReadEvents(core_, request); }
  StatusOr<SegmentsOfAnswer> SegmentsOf(std::string_view profile, const ReadOptions& read) override {
    return ReadSegmentsOf(core_, profile, read);
  }

  // ---- Questions ----

  StatusOr<CountAnswer> Count(const Selection& selection) override { return AnswerCount(core_, selection); }
  StatusOr<std::unique_ptr<QueryStream>> Query(QueryRequest request) override { return AnswerQuery(core_, std::move(request)); }
  StatusOr<SampleAnswer> Sample(const SampleRequest& request) override { return AnswerSample(core_, request); }
  StatusOr<BreakdownAnswer> Breakdown(const BreakdownRequest& request) override { return AnswerBreakdown(core_, request); }
  StatusOr<OverlapAnswer> Overlap(std::span<const Selection> selections) override { return AnswerOverlap(core_, selections); }
  StatusOr<ExplainAnswer> Explain(const Selection& selection, std::string_view profile) override {
    return AnswerExplain(core_, selection, profile);
  }

  StatusOr<std::unique_ptr<WatchStream>> Watch(const WatchRequest& request) override { return OpenWatch(core_, request); }

  // ---- Catalog ----

  StatusOr<ApplyAnswer> ApplyDefinitions(const ApplyRequest& request) override {
    return Once<ApplyAnswer>(request.validate_only ? "" : request.request_id, "apply", request.request_digest,
                             [&] { return ApplyDefinitionsTo(core_, request); });
  }
  StatusOr<ApplyAnswer> DeleteDefinition(std::string_view name, bool cascade, uint64_t base_revision,
                                         std::string_view request_id) override {
    return Once<ApplyAnswer>(request_id, "delete-definition", fmt::format("{} {} {}", cascade, base_revision, name),
                             [&] { return DeleteDefinitionFrom(core_, name, cascade, base_revision); });
  }
  StatusOr<Definition> GetDefinition(std::string_view name) override {
    const CatalogRef catalog = core_.CurrentCatalog();
    StatusOr<Definition> definition = DescribeDefinition(*catalog, name);
    if (definition.ok()) Filling(core_, catalog).Describe(&*definition);
    return definition;
  }
  StatusOr<DefinitionPage> ListDefinitions(std::string_view parent, int32_t page_size, std::string_view page_token) override {
    const CatalogRef catalog = core_.CurrentCatalog();
    StatusOr<DefinitionPage> page = ListDefinitionsOf(*catalog, parent, page_size, page_token);
    if (!page.ok()) return page;
    Filling filling(core_, catalog);
    for (Definition& definition : page->definitions) filling.Describe(&definition);
    return page;
  }
  Status WaitUntilFilled(uint64_t revision, int64_t deadline_ns, const std::function<void(double)>& progress) override {
    return core_.fill_driver->WaitUntilFilled(revision, deadline_ns, progress);
  }
  StatusOr<RetypeAnswer> RetypeAttribute(std::string_view attribute, Type type, bool validate_only, std::string_view request_id) override {
    return Once<RetypeAnswer>(validate_only ? "" : request_id, "retype", fmt::format("{} {}", TypeName(type), attribute),
                              [&] { return core_.catalog->Retype(attribute, type, validate_only); });
  }
  std::string TimeZone() override { return core_.CurrentCatalog()->time_zone; }

  // ---- Administration ----

  StatusAnswer GetStatus() override { return AnswerStatus(core_); }
  StatusOr<AdvanceAnswer> AdvanceClock(int64_t to_us, std::string_view request_id, const Wanted& wanted) override {
    return Once<AdvanceAnswer>(request_id, "advance-clock", fmt::format("{}", to_us), [&] { return AdvanceClockTo(core_, to_us, wanted); });
  }
  bool IsBehind() const override {
    constexpr int64_t kSecondUs = 1'000'000;
    return core_.clock_driver->LagUs() > kSecondUs;
  }
  void Stop() override { core_.stopping = true; }
  uint64_t largest_turn_work() const override { return core_.largest_turn_work.load(std::memory_order_relaxed); }
  const Log& log() const override { return *core_.log; }

  Core& core() { return core_; }

 private:
  // A request id protects one method and its content; the same id with another of either is another request.
  template <class Answer>
  StatusOr<Answer> Once(std::string_view request_id, std::string_view method, std::string_view digest,
                        const std::function<StatusOr<Answer>()>& work) {
    if (request_id.empty()) return work();
    return core_.request_ids->Run<Answer>(request_id, fmt::format("{} {}", method, digest), work,
                                          [](const Answer& answer) { return BytesOf(answer); });
  }
  template <class Answer, class Work>
  StatusOr<Answer> Once(std::string_view request_id, std::string_view method, std::string_view digest, const Work& work) {
    return Once<Answer>(request_id, method, digest, std::function<StatusOr<Answer>()>(work));
  }

  bool ReachedAtOnce(Durability durability) const {
    return durability == Durability::kMemory || core_.log->Strongest() == Durability::kMemory;
  }

  Core core_;
  ProjectionCache projections_;
};

}  // namespace

StatusOr<std::unique_ptr<Database>> Database::Open(DatabaseOptions options) {
  constexpr uint32_t kShardsMax = 1'024;
  uint32_t cores = std::max(1u, std::thread::hardware_concurrency());
  uint32_t shards = options.shards ? options.shards : std::min(kShardsMax, std::bit_ceil(4 * cores));
  if (!std::has_single_bit(shards) || shards > kShardsMax) {
    return InvalidArgument("FIELD", "shards", fmt::format("the number of shards is a power of two up to {}, not {}", kShardsMax, shards));
  }
  uint32_t threads = options.threads ? options.threads : cores;
  if (options.events_hard_max == 0) return InvalidArgument("FIELD", "events_hard_max", "a profile holds at least one event");
  return std::unique_ptr<Database>(std::make_unique<DatabaseImpl>(std::move(options), shards, threads));
}

Core& CoreOf(Database& database) { return static_cast<DatabaseImpl&>(database).core(); }

StatusOr<IdentifierText> ParseIdentifier(std::string_view text, std::string_view field) {
  KORREL_ASSIGN_OR_RETURN(IdentifierParts parts, SplitIdentifier(text, field));
  return IdentifierText{std::string(parts.type), std::string(parts.value)};
}

std::string FormatProfileId(ProfileId id) { return fmt::format("profile:{:016x}", id.value); }

}  // namespace korrel
