// engine/database.h
//
// Database is Korrel without a network: the front door of engine/, used by the server, by tests, benchmarks and embedders.
// Words and semantics are those of docs/semantics.md; the shapes follow the wire (proto/korrel/v1) without its types.
//
//   writes      Upsert, Track, Delete, UpdateMembers, ApplyDefinitions, …, AdvanceClock: each becomes Mutations, each Mutation goes
//               through Shard::Apply (or Catalog::Apply) at a position of the log.
//   reads       GetProfile, BatchGet, ListEvents: point reads under one shard's shared lock.
//   watching    Watch: what happened to live segments, from the log.
//   questions   Count, Query, Sample, Breakdown, Overlap, Explain: compiled once, evaluated per shard in bounded turns.
//
// Threads   All methods from any thread.
// Errors    absl::Status with reason and field (storage/status.h); expression errors as ExpressionErrorOf(status).
//           No exception leaves this room.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/clock.h"
#include "index/evaluator.h"
#include "index/expression/expression.h"
#include "storage/log/log.h"
#include "storage/profile_table.h"

namespace korrel {

struct DatabaseOptions {
  uint32_t shards = 0;                        // a power of two; 0: four per core
  uint32_t threads = 0;                       // of the executor; 0: one per core
  std::unique_ptr<Clock> clock;               // null: system
  std::unique_ptr<Log> log;                   // null: memory ring of 64 MiB, of an epoch chosen at random
  bool keep_postings = true;                  // false: answers must be the same (tests)
  uint64_t memory_limit_bytes = 0;            // 0: 90 % of the machine; shown by Status, not enforced in this version
  uint32_t events_hard_max = kEventsHardMax;  // tests lower it
};

// ---- Writes ----

struct AttributeWrite {
  std::string name;
  AttributeOperation operation = AttributeOperation::kSet;
  Value value;                // add/remove: a set or one string; unset: ignored
  int64_t event_time_us = 0;  // 0: the profile write's
};
struct ProfileWrite {
  std::vector<std::string> identifiers;  // "type:value"; at least one; `profile:<16 hex>` names an existing profile
  std::vector<AttributeWrite> attributes;
  int64_t event_time_us = 0;  // 0: now
};
struct EventProperty {
  std::string name;
  Value value;  // absent: the property is left out
};
struct EventWrite {
  std::vector<std::string> identifiers;
  std::string type;
  int64_t event_time_us = 0;  // 0: now
  std::string message_id;     // empty: none
  std::string source;         // empty: the request's
  std::vector<EventProperty> properties;
};
struct WriteOptions {
  std::string request_id;      // at most 64 bytes; empty: no protection
  std::string request_digest;  // what the id is compared with: any bytes that identify the request's content (a hash)
  Durability durability = Durability::kUnspecified;
  std::string source;
  int64_t deadline_ns = 0;  // CLOCK_MONOTONIC; 0: none. Looked at where a profile has a long way to its write's instant
};
struct ItemError {
  uint32_t index = 0;
  Status status;
};
struct WriteResult {
  Position position;  // newest position the write reached
  Durability durability = Durability::kMemory;
  uint32_t applied_count = 0;
  std::vector<uint32_t> duplicate_indexes;
  std::vector<ItemError> errors;   // ascending by index
  std::vector<std::string> notes;  // types that widened for it, for people: "attribute 'age' widened from int to decimal(1)"
};

// ---- Point reads ----

struct ReadOptions {
  Position min_position;    // the answer reflects at least this
  int64_t deadline_ns = 0;  // CLOCK_MONOTONIC; 0: none. A question that is not done by then ends with kDeadlineExceeded.
};
struct AttributeView {
  std::string name;
  Value value;
  int64_t event_time_us = 0;  // of the newest set; 0: never set, or computed
  std::string source;         // empty: computed
  bool filling = false;       // its definition, or one that it uses, is not filled yet: exact all the same
};
struct ProfileView {
  ProfileId id;
  std::vector<std::string> identifiers;   // "type:value", in order of arrival
  std::vector<AttributeView> attributes;  // by name; computed ones included; absent ones left out
  std::vector<std::string> segments;      // names, sorted; only when asked
  std::vector<std::string> truncated_event_types;
  int64_t create_time_us = 0, update_time_us = 0;
  Position version;
  Position position;  // what the answer reflects
  int64_t now_us = 0;
};
struct EventView {
  std::string type;
  int64_t time_us = 0;
  std::string source;
  std::vector<EventProperty> properties;  // by PropertyId, absent ones left out
};
struct EventPage {
  std::vector<EventView> events;
  std::string next_page_token;  // empty: the end
  Position position;
  int64_t now_us = 0;
};
struct ListEventsRequest {
  std::string profile;
  std::vector<std::string> types;              // empty: all
  int64_t start_time_us = 0, end_time_us = 0;  // [start, end); 0: open
  int32_t page_size = 0;                       // 0: 100; at most 1,000
  std::string page_token;
  bool oldest_first = false;
  ReadOptions read;
};

// Columns of an answer: what was asked (attribute names or expressions), in order, with types.
struct FieldSchema {
  std::string name;
  Type type;
};
// A prepared list of expressions; immutable, shared. Its handle is a hash of the texts and types and is the same everywhere.
struct Projection {
  std::string handle;  // 16 bytes
  std::vector<FieldSchema> fields;
  std::vector<PlanRef> plans;  // one per field
  uint64_t catalog_revision = 0, schema_version = 0;
  bool allow_unknown_names = false;  // as asked, to prepare again after a catalog change
};
using ProjectionRef = std::shared_ptr<const Projection>;

// Rows of an answer, column by column.
struct ResultBatch {
  std::vector<FieldSchema> fields;
  std::vector<ValueVector> columns;  // texts point into `text_store`
  std::vector<ProfileId> profile_ids;
  std::vector<std::vector<std::string>> identifiers;  // per profile, when identifier types were asked
  std::vector<std::unique_ptr<std::string>> text_store;
  std::vector<uint32_t> filling_fields;  // that use definitions which are not filled yet; ascending
  size_t size = 0;
};

// ---- Questions ----

struct Selection {
  std::string expression;
  bool allow_unknown_names = false;
  std::map<std::string, Value, std::less<>> parameters;
  ReadOptions read;
};
// Stands in every answer of a question.
struct AnswerContext {
  Position position;
  int64_t now_us = 0;
  uint64_t truncated_count = 0;  // matching profiles whose history was cut, for event types the question used
  std::string normal_form;
  std::vector<std::string> filling;  // full names of definitions it used that are not filled yet: exact all the same, and slower
};
struct CountAnswer : AnswerContext {
  uint64_t count = 0;
};
struct OrderBy {
  std::string by;  // attribute or expression; empty: none
  bool descending = false;
};
struct QueryRequest {
  Selection selection;
  ProjectionRef projection;         // or
  std::vector<std::string> select;  // attributes or expressions; both empty: ids only
  OrderBy order_by;
  uint64_t limit = 0;  // 0: all; required with order_by? no: without one everything is sorted, at most kTopMax
  std::string resume_token;
  std::vector<std::string> identifier_types;  // "*": all
};
inline constexpr uint64_t kTopMax = 1'000'000;  // order_by without or above this: kInvalidArgument LIMIT
// A pull source: Next() evaluates until about `bytes_max` of rows are there. Safe to leave unfinished.
class QueryStream {
 public:
  virtual ~QueryStream() = default;
  struct Chunk {
    ResultBatch batch;
    std::string resume_token;
    AnswerContext context;
  };
  // nullopt: the end. Errors: kAborted RESUME_CHANGED when definitions or layout changed meanwhile.
  virtual StatusOr<std::optional<Chunk>> Next(size_t bytes_max = 256 * 1024) = 0;
  virtual const std::vector<FieldSchema>& fields() const = 0;
};
struct SampleRequest {
  Selection selection;
  uint32_t size = 0;  // 1 … 10,000
  uint64_t seed = 0;
  std::vector<std::string> select;
  std::vector<std::string> identifier_types;
};
struct SampleAnswer : AnswerContext {
  ResultBatch batch;  // by ProfileId
  uint64_t member_count = 0;
};
struct Measure {
  std::string of;                 // numeric attribute or expression
  std::vector<double> quantiles;  // each in [0, 1]; nearest rank
  std::vector<Value> bounds;      // ascending: a histogram of bounds.size() + 1 counts
};
struct BreakdownRequest {
  Selection selection;
  std::vector<std::string> by;  // empty: one group, everybody
  std::vector<Measure> measures;
  uint32_t limit = 0;  // 0: 1,000; at most 100,000
};
struct BreakdownAnswer : AnswerContext {
  // Fields: the groups', `count`, then per measure sum(x), avg(x), min(x), max(x), quantile(x, q)…, histogram(x)[i]…
  ResultBatch groups;           // by falling count, then value; absent is a group of its own and comes last among equals
  uint64_t total_count = 0;     // profiles matched
  uint64_t other_count = 0;     // profiles in groups beyond the limit
  bool groups_overlap = false;  // a set-valued group: they add to more than the total
};
struct OverlapAnswer : AnswerContext {
  std::vector<uint64_t> counts;  // N × N row by row; the diagonal is each selection's own count
  uint64_t population_count = 0;
  std::vector<double> jaccard, lift;  // NaN-free: 0 where undefined
};
struct ExplainAnswer : AnswerContext {
  ExplainNode plan;
};

// ---- Watching ----

enum class ChangeCause : uint8_t;  // index/live/live_state.h

struct WatchRequest {
  std::vector<std::string> segments;       // live ones, by name; empty: all, those to come included
  std::optional<Position> after_position;  // nullopt: from now on; Position(): from the oldest change kept
};
// A profile entered or left a segment.
struct SegmentChange {
  std::string_view segment;  // its name; lives as long as the database
  ProfileId profile;
  bool entered = true;
  Position position;  // of the record that tells of it; several changes may have the same
  int64_t time_us = 0;
  ChangeCause cause{};
};
// A pull source over the log: durable changes in the log's order, without gap or duplicate. It holds nothing that a write waits for.
// Threads  One at a time. Lifetime  Not beyond the database's.
class WatchStream {
 public:
  virtual ~WatchStream() = default;
  struct Chunk {
    std::vector<SegmentChange> changes;
    Position position;  // everything up to here has been told; another watch may go on behind it
  };
  // What is there already, up to about `bytes_max` and always whole records. Errors: kOutOfRange POSITION_GONE when the log dropped
  // what comes next.
  virtual StatusOr<Chunk> Take(size_t bytes_max = 256 * 1024) = 0;
  // Waits for changes: at most until the deadline (CLOCK_MONOTONIC; 0: none) and at most a second, then tells the position alone.
  virtual StatusOr<Chunk> Next(int64_t deadline_ns) = 0;
  // About how many bytes of changes stand behind `after`, as far as they are there; takes nothing.
  struct Backlog {
    size_t bytes = 0;
    Position position;  // looked at up to here
  };
  virtual StatusOr<Backlog> LookAhead(Position after) = 0;
};

// ---- Catalog ----

struct AttributeDefinition {
  std::optional<Type> type;
  std::string expression;  // `is:`
  std::string description, unit, sensitivity;
  int64_t retention_us = 0;
};
struct EventDefinition {
  std::vector<FieldSchema> properties;
  int64_t retention_us = 0;  // 0: none
  uint32_t max_events = 0;   // 0: none
  std::string description;
};
struct SegmentDefinition {
  std::string expression;  // `where:`
  bool is_static = false;
  std::string description;
};
// A figure about everybody, published at whole multiples of `every_us` since 1970-01-01T00:00:00Z.
struct PopulationDefinition {
  std::string expression;  // quantile(VALUE, Q), see docs/expressions.md
  int64_t every_us = 0;    // a second to 100 years
  std::string description;
};
enum class DefinitionKind : uint8_t { kAttribute, kEvent, kSegment, kPopulation };
enum class DefinitionState : uint8_t { kReady = 1, kFilling, kUndeclared };  // undeclared: known from writes alone
struct Definition {
  std::string name;  // "attributes/orders_30d", "events/order", "segments/churn risk", "population/spend_p90"
  DefinitionKind kind = DefinitionKind::kAttribute;
  AttributeDefinition attribute;
  EventDefinition event;
  SegmentDefinition segment;
  PopulationDefinition population;
  // Filled in answers:
  DefinitionState state = DefinitionState::kReady;
  double fill_ratio = 1;
  std::vector<std::string> used_by;
  std::string normal_form;
  Type result_type;       // of an attribute: its type, stored or computed; of a figure: that of its values
  uint64_t revision = 0;  // catalog revision that last changed it
};
enum class ChangeKind : uint8_t { kCreate = 1, kUpdate, kDelete, kNone };
struct SegmentPreview {
  uint64_t added_count = 0, removed_count = 0, member_count = 0;
  std::vector<std::string> added_sample, removed_sample;  // "profile:…"
};
struct DefinitionChange {
  std::string name;
  ChangeKind kind = ChangeKind::kNone;
  std::optional<Definition> before, after;
  Status error;  // OK, or why this one is refused
  std::optional<SegmentPreview> segment;
};
struct ApplyRequest {
  std::vector<Definition> definitions;
  std::string time_zone;  // empty: unchanged. Wire: a definition named "settings/time_zone".
  bool prune = false, cascade = false;
  uint64_t base_revision = 0;  // 0: not checked
  bool validate_only = false;
  uint32_t preview_sample_size = 0;  // with validate_only: also fills SegmentPreview
  int64_t deadline_ns = 0;           // CLOCK_MONOTONIC; 0: none. Of previews: each looks at everybody
  std::string request_id, request_digest;
};
struct ApplyAnswer {
  uint64_t revision = 0;
  // One per definition given, in order, and per one pruned or cascaded. With previews also one of kind kNone for every other live segment
  // whose members would change because of what it uses.
  std::vector<DefinitionChange> changes;
  Position position;
};
struct RetypeAnswer {
  uint64_t converted_count = 0, failed_count = 0;
  std::vector<ItemError> errors;  // sample, at most 10
  Position position;
};

// ---- Segments' lists, administration ----

enum class MemberOperation : uint8_t { kPut = 1, kAdd, kRemove };
struct UpdateMembersRequest {
  std::string segment;
  MemberOperation operation = MemberOperation::kAdd;
  std::vector<std::string> profiles;   // "type:value"; unknown ones are item errors (PROFILE)
  std::optional<Selection> selection;  // or: everybody who matches now
  int64_t expire_time_us = 0;          // 0: never
  WriteOptions write;
};
struct UpdateMembersAnswer {
  WriteResult result;
  uint64_t member_count = 0;
};
struct LimitView {
  std::string name;
  uint64_t value = 0, used = 0;
};
struct StatusAnswer {
  uint64_t profile_count = 0, event_count = 0, memory_bytes = 0, memory_limit_bytes = 0;
  uint32_t shards = 0;
  ClockMode clock_mode = ClockMode::kSystem;
  int64_t now_us = 0, timer_lag_us = 0;
  uint64_t catalog_revision = 0;
  Position position, durable_position;
  std::string time_zone_version;
  std::vector<LimitView> limits;
  uint64_t oldest_request_age_us = 0;
  std::vector<std::string> event_types_without_retention;
};

class Database {
 public:
  static StatusOr<std::unique_ptr<Database>> Open(DatabaseOptions options);
  virtual ~Database() = default;

  // Item by item; the StatusOr fails only where nothing was looked at (REQUEST_ID_REUSED, QUEUE). A repeated request id gets the
  // first answer again. One profile write applies whole or not at all.
  virtual StatusOr<WriteResult> Upsert(std::span<const ProfileWrite> writes, const WriteOptions& options) = 0;
  virtual StatusOr<WriteResult> Track(std::span<const EventWrite> events, const WriteOptions& options) = 0;
  // Errors: kNotFound PROFILE.
  virtual StatusOr<WriteResult> Delete(std::string_view profile, const WriteOptions& options) = 0;
  // Calls back when the position has reached the durability (for replies); a memory log answers at once.
  virtual void WhenDurable(Position position, Durability durability, std::function<void(Status)> done) = 0;

  // attributes empty and no projection: everything known. Errors: kNotFound PROFILE; kInvalidArgument for an expression.
  virtual StatusOr<ProfileView> GetProfile(std::string_view profile, const std::vector<std::string>& attributes, bool include_segments,
                                           const ReadOptions& read) = 0;
  virtual StatusOr<ProjectionRef> PrepareProjection(const std::vector<std::string>& select, bool allow_unknown_names) = 0;
  // Errors: kFailedPrecondition PROJECTION_UNKNOWN. Prepared again by itself after a catalog change.
  virtual StatusOr<ProjectionRef> FindProjection(std::string_view handle) = 0;
  struct BatchGetAnswer {
    ResultBatch batch;  // one row per profile asked, in order; a profile not found is all absent
    std::vector<bool> found;
    std::vector<ItemError> errors;  // malformed identifiers
    Position position;
    int64_t now_us = 0;
  };
  virtual StatusOr<BatchGetAnswer> BatchGet(std::span<const std::string> profiles, const ProjectionRef& projection,
                                            const ReadOptions& read) = 0;
  virtual StatusOr<EventPage> ListEvents(const ListEventsRequest& request) = 0;

  virtual StatusOr<CountAnswer> Count(const Selection& selection) = 0;
  virtual StatusOr<std::unique_ptr<QueryStream>> Query(QueryRequest request) = 0;
  virtual StatusOr<SampleAnswer> Sample(const SampleRequest& request) = 0;
  virtual StatusOr<BreakdownAnswer> Breakdown(const BreakdownRequest& request) = 0;
  virtual StatusOr<OverlapAnswer> Overlap(std::span<const Selection> selections) = 0;                 // 1 … 100
  virtual StatusOr<ExplainAnswer> Explain(const Selection& selection, std::string_view profile) = 0;  // profile empty: everybody
  struct SegmentsOfAnswer {
    std::vector<std::string> segments;
    std::vector<std::string> filling;  // full names of live segments, and of what they use, that are not filled yet
    Position position;
    int64_t now_us = 0;
  };
  virtual StatusOr<SegmentsOfAnswer> SegmentsOf(std::string_view profile, const ReadOptions& read) = 0;
  virtual StatusOr<UpdateMembersAnswer> UpdateMembers(const UpdateMembersRequest& request) = 0;
  // Errors: kNotFound DEFINITION; kInvalidArgument FIELD for a static segment; kOutOfRange POSITION_GONE, POSITION_LOST.
  virtual StatusOr<std::unique_ptr<WatchStream>> Watch(const WatchRequest& request) = 0;

  virtual StatusOr<ApplyAnswer> ApplyDefinitions(const ApplyRequest& request) = 0;
  virtual StatusOr<ApplyAnswer> DeleteDefinition(std::string_view name, bool cascade, uint64_t base_revision,
                                                 std::string_view request_id) = 0;
  virtual StatusOr<Definition> GetDefinition(std::string_view name) = 0;
  struct DefinitionPage {
    std::vector<Definition> definitions;  // by name
    std::string next_page_token;
    uint64_t revision = 0;
  };
  virtual StatusOr<DefinitionPage> ListDefinitions(std::string_view parent /* "attributes", "events", "segments" or "" */,
                                                   int32_t page_size, std::string_view page_token) = 0;
  // Definitions are in force as soon as they are applied: questions evaluate what is not filled yet. Waits until everything that the
  // catalog of this revision (ApplyAnswer::revision) defines is filled, or that of a later one; `progress` (may be empty) hears now and
  // then, from the calling thread, which share is done. Errors: kDeadlineExceeded DEADLINE.
  virtual Status WaitUntilFilled(uint64_t revision, int64_t deadline_ns, const std::function<void(double)>& progress) = 0;
  virtual StatusOr<RetypeAnswer> RetypeAttribute(std::string_view attribute, Type type, bool validate_only,
                                                 std::string_view request_id) = 0;
  virtual std::string TimeZone() = 0;  // the catalog's, an IANA name

  virtual StatusAnswer GetStatus() = 0;
  struct AdvanceAnswer {
    int64_t now_us = 0;
    Position position;
    uint64_t edges_processed = 0;
  };
  // Whether the answer is still waited for; an error says why not. Called now and then, from the calling thread; empty: it is.
  using Wanted = std::function<Status()>;
  // Moves a replay clock and returns when everybody has been stepped up to it. Errors: kFailedPrecondition CLOCK_NOT_REPLAY,
  // CLOCK_BACKWARDS: nothing changed; kUnavailable STOPPED or that of `wanted`: the clock may have moved, and stepping goes on by itself.
  virtual StatusOr<AdvanceAnswer> AdvanceClock(int64_t to_us, std::string_view request_id, const Wanted& wanted) = 0;
  StatusOr<AdvanceAnswer> AdvanceClock(int64_t to_us, std::string_view request_id) { return AdvanceClock(to_us, request_id, {}); }
  // Whether rows wait for an instant that is more than a second ago: a write may take longer than a few microseconds then. Costs a look at
  // an atomic a shard.
  virtual bool IsBehind() const = 0;
  // Ends what takes long within a turn: writes to profiles that are far behind the clock and WaitUntilFilled with kUnavailable SHUTDOWN,
  // AdvanceClock with STOPPED. What needs no waiting is still answered. From any thread; not to be taken back.
  virtual void Stop() = 0;

  // Largest work count of any turn so far, in WorkMeter units; tests assert it.
  virtual uint64_t largest_turn_work() const = 0;
  virtual const Log& log() const = 0;
};

// "type:value" split at the first colon. Errors: kInvalidArgument FIELD (no colon, bad type, empty or oversize value, not UTF-8).
struct IdentifierText {
  std::string type, value;
};
StatusOr<IdentifierText> ParseIdentifier(std::string_view text, std::string_view field);
std::string FormatProfileId(ProfileId id);  // "profile:" and 16 hex digits

}  // namespace korrel
