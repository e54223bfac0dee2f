// ListEvents: one profile's events across types, page by page, in order of (time, type, arrival) or the reverse.
//
// A page token names the last event given: its time, its type, and how many events of that type and time came before it. Histories
// may grow or shrink between pages; what stays is then still given once. A page ends early at kPageBytesMax.
#include <fmt/format.h>

#include <algorithm>

#include "engine/question/question_run.h"
#include "engine/question/resume_token.h"
#include "engine/read/reads.h"
#include "engine/turns.h"

namespace korrel {
namespace {

constexpr int32_t kPageDefault = 100;
constexpr int32_t kPageMax = 1'000;
constexpr size_t kPageBytesMax = 2u << 20;
constexpr uint64_t kWorkPerEvent = 80;     // finding the next among the types, and building it
constexpr uint64_t kWorkPerProperty = 40;  // decoding one

// The last event given.
struct EventMark {
  int64_t time_us = 0;
  EventTypeId type;
  uint32_t ordinal = 0;  // among the events of the type at that time
};

uint64_t HashOf(const ListEventsRequest& request, ProfileId id) {
  TextHash hash;
  hash.Add(id.value).Add(static_cast<uint64_t>(request.start_time_us)).Add(static_cast<uint64_t>(request.end_time_us));
  hash.Add(request.oldest_first ? 1 : 0);
  for (const std::string& type : request.types) hash.Add(type);
  return hash.Sum64();
}

//   time 8 | type 4 | ordinal 4 | request 8 | checksum 8, in the words of a resume token's fields
std::string Encode(const EventMark& mark, uint64_t request) {
  ResumeToken token;
  token.request = request;
  token.sent = static_cast<uint64_t>(mark.time_us);
  token.shard = mark.type.value;
  token.row = Row(mark.ordinal);
  return token.Encode();
}

StatusOr<EventMark> Decode(std::string_view bytes, uint64_t request) {
  auto token = ResumeToken::Decode(bytes);
  if (!token.ok()) return InvalidArgument("FIELD", "page_token", "this is not a page token of this version");
  if (token->request != request) return InvalidArgument("FIELD", "page_token", "this token belongs to another request");
  return EventMark{static_cast<int64_t>(token->sent), EventTypeId(token->shard), token->row.value};
}

// The events of one type that are asked for and visible, and the next of them to give.
struct Cursor {
  const EventTypeSchema* type;
  const EventHistory* history;
  const PropertyDictionaries* dictionaries;
  uint32_t begin, end;  // left to give
};

// Walks one row's events in order, either way, from behind a mark.
class EventWalk {
 public:
  EventWalk(const Turn& turn, Row row, const ListEventsRequest& request, const std::vector<EventTypeId>& wanted)
      : turn_(turn), row_(row), request_(request), wanted_(wanted) {}

  // False: the schema is older than the row.
  bool Open(const std::optional<EventMark>& mark) {
    const Schema& schema = *turn_.view().schema;
    for (EventTypeId id : turn_.table().EventTypesOf(row_)) {
      if (id.value >= schema.event_types.size()) return false;
      const EventTypeSchema& type = schema.event_types[id.value];
      if (type.dropped || (!request_.types.empty() && std::ranges::count(wanted_, id) == 0)) continue;
      const EventHistory* history = turn_.table().History(row_, id);
      if (!history) continue;
      const Cursor cursor = CursorOf(type, *history, mark);
      if (cursor.begin < cursor.end) cursors_.push_back(cursor);
    }
    return true;
  }

  // The cursor whose next event comes next; nullptr at the end.
  Cursor* Next() {
    Cursor* next = nullptr;
    for (Cursor& cursor : cursors_) {
      if (cursor.begin < cursor.end && (!next || ComesBefore(cursor, *next))) next = &cursor;
    }
    return next;
  }
  uint32_t IndexOf(const Cursor& cursor) const { return request_.oldest_first ? cursor.begin : cursor.end - 1; }
  void Advance(Cursor* cursor) const { request_.oldest_first ? ++cursor->begin : --cursor->end; }

 private:
  Cursor CursorOf(const EventTypeSchema& type, const EventHistory& history, const std::optional<EventMark>& mark) const {
    auto [begin, end] = ProfileTable::Visible(history, type, turn_.now_us());
    if (request_.start_time_us != 0) begin = std::max(begin, history.LowerBound(request_.start_time_us));
    if (request_.end_time_us != 0) end = std::min(end, history.LowerBound(request_.end_time_us));
    if (mark) {
      // Events before the mark in the order: all earlier ones, and of its time those of types before its own and earlier arrivals.
      const uint32_t first = history.LowerBound(mark->time_us), behind = history.UpperBound(mark->time_us);
      uint32_t before = type.id < mark->type ? behind : first;
      if (type.id == mark->type) before = static_cast<uint32_t>(std::min<uint64_t>(uint64_t{first} + mark->ordinal, behind));
      if (!request_.oldest_first) {
        end = std::min(end, before);
      } else {
        begin = std::max(begin, type.id == mark->type && before < behind ? before + 1 : before);
      }
    }
    return {&type, &history, &turn_.table().Properties(type.id), begin, std::max(begin, end)};
  }

  bool ComesBefore(const Cursor& a, const Cursor& b) const {
    const int64_t x = a.history->TimeOf(IndexOf(a)), y = b.history->TimeOf(IndexOf(b));
    if (x != y) return request_.oldest_first ? x < y : x > y;
    return request_.oldest_first ? a.type->id < b.type->id : a.type->id > b.type->id;
  }

  const Turn& turn_;
  const Row row_;
  const ListEventsRequest& request_;
  const std::vector<EventTypeId>& wanted_;
  std::vector<Cursor> cursors_;
};

size_t BytesOf(const Value& value) {
  if (const std::string* text = std::get_if<std::string>(&value)) return text->size();
  size_t bytes = sizeof(int64_t);
  if (const StringSet* set = std::get_if<StringSet>(&value)) {
    for (const std::string& item : *set) bytes += item.size() + sizeof(int64_t);
  }
  return bytes;
}

// Adds one event and what its values take to `bytes`; false: the schema is older than it.
bool AppendEvent(const Schema& schema, const Cursor& cursor, uint32_t index, std::vector<EventView>* events, size_t* bytes) {
  EventView view;
  view.type = cursor.type->name;
  view.time_us = cursor.history->TimeOf(index);
  const SourceId source = cursor.history->SourceOf(index);
  if (source.value >= schema.sources.size()) return false;
  view.source = schema.sources[source.value];
  for (const PropertySchema& property : cursor.type->properties) {
    Value value = cursor.history->ValueOf(index, property.id, property.type, *cursor.dictionaries);
    if (!IsPresent(value)) continue;
    *bytes += BytesOf(value);
    view.properties.push_back({property.name, std::move(value)});
  }
  events->push_back(std::move(view));
  return true;
}

class PageReader {
 public:
  PageReader(Core& core, const CatalogSnapshot& catalog, const ListEventsRequest& request, ProfileId id, std::vector<EventTypeId> wanted)
      : core_(core), catalog_(catalog), request_(request), id_(id), wanted_(std::move(wanted)) {}

  // Fills the page, turn by turn. nullopt: stale.
  StatusOr<std::optional<EventPage>> Read(std::optional<EventMark> mark, size_t size) {
    EventPage page;
    page.now_us = INT64_MAX;
    for (bool more = true; more;) {
      Turn turn(core_, ShardOf(id_, static_cast<uint32_t>(core_.shards.size())), catalog_);
      page.now_us = std::min(page.now_us, turn.now_us());
      const std::optional<Row> row = turn.table().Find(id_);
      if (!row) return ProfileNotFound(request_.profile, "profile");
      EventWalk walk(turn, *row, request_, wanted_);
      if (!turn.fresh() || !walk.Open(mark)) return std::nullopt;
      const std::optional<bool> turn_ended = ReadTurn(&turn, &walk, size, &page, &mark);
      if (!turn_ended) return std::nullopt;
      more = *turn_ended;
      if (!more && walk.Next()) page.next_page_token = Encode(*mark, HashOf(request_, id_));
    }
    return page;
  }

 private:
  // True where the budget ended the turn, false where the page or the events did, nullopt where the schema is old.
  std::optional<bool> ReadTurn(Turn* turn, EventWalk* walk, size_t size, EventPage* page, std::optional<EventMark>* mark) {
    WorkMeter meter(kTurnWorkUnits);
    bool more = false;
    while (page->events.size() < size && bytes_ < kPageBytesMax) {
      Cursor* cursor = walk->Next();
      if (!cursor) break;
      if ((more = meter.exhausted())) break;
      const uint32_t index = walk->IndexOf(*cursor);
      const size_t bytes_before = bytes_;
      if (!AppendEvent(*turn->view().schema, *cursor, index, &page->events, &bytes_)) return std::nullopt;
      const int64_t time_us = page->events.back().time_us;
      *mark = EventMark{time_us, cursor->type->id, index - cursor->history->LowerBound(time_us)};
      walk->Advance(cursor);
      meter.Add(kWorkPerEvent + cursor->type->properties.size() * kWorkPerProperty + (bytes_ - bytes_before) / 8);
    }
    turn->AddWork(meter.used());
    return more;
  }

  Core& core_;
  const CatalogSnapshot& catalog_;
  const ListEventsRequest& request_;
  const ProfileId id_;
  const std::vector<EventTypeId> wanted_;
  size_t bytes_ = 0;  // of the values on the page
};

Status CheckPage(const ListEventsRequest& request) {
  if (request.page_size < 0) return InvalidArgument("FIELD", "page_size", "a page size is not negative");
  if (request.start_time_us != 0 && request.end_time_us != 0 && request.start_time_us > request.end_time_us) {
    return InvalidArgument("FIELD", "end_time_us", "the time range ends before it starts");
  }
  return absl::OkStatus();
}

StatusOr<std::vector<EventTypeId>> TypesOf(const Schema& schema, const ListEventsRequest& request) {
  std::vector<EventTypeId> ids;
  for (size_t i = 0; i < request.types.size(); ++i) {
    const EventTypeSchema* type = schema.FindEventType(request.types[i]);
    if (!type) {
      return InvalidArgument("UNKNOWN_NAME", fmt::format("types[{}]", i), fmt::format("unknown event type '{}'", request.types[i]));
    }
    ids.push_back(type->id);
  }
  return ids;
}

}  // namespace

StatusOr<EventPage> ReadEvents(Core& core, const ListEventsRequest& request) {
  KORREL_RETURN_IF_ERROR(CheckPage(request));
  const size_t size = request.page_size == 0 ? kPageDefault : std::min(request.page_size, kPageMax);
  KORREL_ASSIGN_OR_RETURN(const AnswerContext context, BeginAnswer(core, request.read));
  KORREL_ASSIGN_OR_RETURN(const std::optional<ProfileId> id, core.Resolve(request.profile, "profile"));
  if (!id) return ProfileNotFound(request.profile, "profile");
  std::optional<EventMark> mark;
  if (!request.page_token.empty()) {
    KORREL_ASSIGN_OR_RETURN(mark, Decode(request.page_token, HashOf(request, *id)));
  }
  return UntilFresh<EventPage>(core, [&](const CatalogRef& catalog) -> StatusOr<std::optional<EventPage>> {
    KORREL_ASSIGN_OR_RETURN(std::vector<EventTypeId> wanted, TypesOf(*catalog->schema, request));
    KORREL_ASSIGN_OR_RETURN(std::optional<EventPage> page, PageReader(core, *catalog, request, *id, std::move(wanted)).Read(mark, size));
    if (page) page->position = context.position;
    return page;
  });
}

}  // namespace korrel
