#include "tests/twin/state_check.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "tests/twin/expression_check.h"
#include "tests/twin/naive_interpreter.h"

namespace korrel::twin {
namespace {

constexpr int64_t kNoTime = INT64_MIN;

std::string Shown(const std::vector<uint64_t>& ids) { return fmt::format("{}", ids); }

// One line per attribute: what GetProfile should say. An attribute that only other operations wrote has no time of a set, and one
// that lives again after an unset shows none that a caller could rely on.
std::map<std::string, std::string> AttributesInTwin(NaiveStore& twin, const NaiveProfile& profile) {
  std::map<std::string, std::string> lines;
  for (const auto& [name, attribute] : profile.attributes) {
    if (!IsPresent(attribute.value)) continue;
    std::string stamp = attribute.set_time_us == kNoTime ? "never set" : fmt::format("{} by {}", attribute.set_time_us, attribute.source);
    lines[name] = fmt::format("{} ({}) {}", DisplayValue(attribute.value), TypeName(TypeOf(attribute.value)), attribute.unset ? "" : stamp);
  }
  const Schema& schema = twin.schema();
  for (const auto& [name, expression] : twin.definitions().attributes) {
    Value value = NaiveInterpreter(twin, profile, schema).Evaluate(*expression->root()).AsAnswer();
    if (IsPresent(value)) lines[name] = fmt::format("{} ({}) computed", DisplayValue(value), TypeName(TypeOf(value)));
  }
  return lines;
}

std::map<std::string, std::string> AttributesInView(NaiveStore& twin, const NaiveProfile& profile, const ProfileView& view) {
  std::map<std::string, std::string> lines;
  for (const AttributeView& attribute : view.attributes) {
    bool computed = twin.definitions().attributes.count(attribute.name) > 0;
    auto held = profile.attributes.find(attribute.name);
    bool was_unset = held != profile.attributes.end() && held->second.unset;
    std::string stamp = attribute.event_time_us == 0 ? "never set" : fmt::format("{} by {}", attribute.event_time_us, attribute.source);
    if (computed) stamp = attribute.event_time_us == 0 && attribute.source.empty() ? "computed" : "computed, yet with a time or source";
    lines[attribute.name] =
        fmt::format("{} ({}) {}", DisplayValue(attribute.value), TypeName(TypeOf(attribute.value)), was_unset ? "" : stamp);
  }
  return lines;
}

std::vector<std::string> SegmentsInTwin(NaiveStore& twin, const NaiveProfile& profile) {
  std::vector<std::string> names;
  const Schema& schema = twin.schema();
  for (const auto& [name, segment] : twin.definitions().segments) {
    bool member =
        segment.is_static ? twin.IsMember(name, profile.id) : NaiveInterpreter(twin, profile, schema).Holds(*segment.expression->root());
    if (member) names.push_back(name);
  }
  return names;
}

std::string EventLine(const std::string& type, int64_t time_us, const std::string& source,
                      const std::vector<std::pair<std::string, Value>>& properties) {
  std::string line = fmt::format("{} {} {}", type, time_us, source);
  for (const auto& [name, value] : properties) line += fmt::format(" {}={}({})", name, DisplayValue(value), TypeName(TypeOf(value)));
  return line;
}

// Events of one type in order; between types of equal time the order is the database's own.
std::map<std::string, std::vector<std::string>> EventsInTwin(NaiveStore& twin, const NaiveProfile& profile) {
  std::map<std::string, std::vector<std::string>> lines;
  for (const EventTypeSchema& type : twin.schema().event_types) {
    for (const NaiveEvent* event : twin.VisibleEvents(profile, type.id.value)) {
      std::vector<std::pair<std::string, Value>> properties;
      for (const auto& [property, value] : event->properties) properties.emplace_back(type.properties[property].name, value);
      std::sort(properties.begin(), properties.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      lines[type.name].push_back(EventLine(type.name, event->time_us, event->source, properties));
    }
  }
  return lines;
}

StatusOr<std::map<std::string, std::vector<std::string>>> EventsInDatabase(Database& database, const std::string& identifier,
                                                                           bool oldest_first) {
  std::map<std::string, std::vector<std::string>> lines;
  ListEventsRequest request;
  request.profile = identifier;
  request.page_size = 7;
  request.oldest_first = oldest_first;
  int64_t before = oldest_first ? INT64_MIN : INT64_MAX;
  do {
    KORREL_ASSIGN_OR_RETURN(EventPage page, database.ListEvents(request));
    for (const EventView& event : page.events) {
      if (oldest_first ? event.time_us < before : event.time_us > before) return absl::InternalError("events out of order");
      before = event.time_us;
      std::vector<std::pair<std::string, Value>> properties;
      for (const EventProperty& property : event.properties) properties.emplace_back(property.name, property.value);
      std::sort(properties.begin(), properties.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      lines[event.type].push_back(EventLine(event.type, event.time_us, event.source, properties));
    }
    request.page_token = page.next_page_token;
  } while (!request.page_token.empty());
  if (!oldest_first) {
    for (auto& [type, list] : lines) std::reverse(list.begin(), list.end());
  }
  return lines;
}

std::string DifferenceInEvents(NaiveStore& twin, const NaiveProfile& profile, Database& database, const std::string& identifier) {
  std::map<std::string, std::vector<std::string>> expected = EventsInTwin(twin, profile);
  for (bool oldest_first : {true, false}) {
    auto actual = EventsInDatabase(database, identifier, oldest_first);
    if (!actual.ok()) return fmt::format("ListEvents of {}: {}", identifier, MessageOf(actual.status()));
    for (const auto& [type, lines] : *actual) {
      if (expected.count(type) == 0) return fmt::format("{} has events '{}' that it should not have", identifier, type);
    }
    for (const auto& [type, lines] : expected) {
      const std::vector<std::string>& got = (*actual)[type];
      if (got != lines) {
        return fmt::format("{} events of {}, {} first: expected\n  {}\ngot\n  {}", type, identifier, oldest_first ? "oldest" : "newest",
                           fmt::join(lines, "\n  "), fmt::join(got, "\n  "));
      }
    }
  }
  return "";
}

template <class T>
std::string Unless(bool same, const std::string& what, const T& expected, const T& got) {
  return same ? "" : fmt::format("{}: expected {}, got {}", what, expected, got);
}

// 0 where there is none.
int64_t ActivityTime(NaiveStore& twin, const NaiveProfile& profile, const char* function) {
  StatusOr<ExpressionRef> expression = twin.Compile(function);
  Value value = NaiveInterpreter(twin, profile, twin.schema()).Evaluate(*(*expression)->root()).AsAnswer();
  return IsPresent(value) ? std::get<Timestamp>(value).us : 0;
}

}  // namespace

std::string DifferenceInProfile(NaiveStore& twin, Database& database, const std::string& identifier) {
  std::optional<uint64_t> id = twin.Find(identifier);
  StatusOr<ProfileView> view = database.GetProfile(identifier, {}, true, {});
  if (!id.has_value()) return view.ok() || ReasonOf(view.status()) != "PROFILE" ? fmt::format("{} should not be known", identifier) : "";
  if (!view.ok()) return fmt::format("{} is unknown: {}", identifier, MessageOf(view.status()));
  const NaiveProfile& profile = twin.profile(*id);
  if (view->id.value != *id) return fmt::format("{} is profile {}, expected {}", identifier, view->id.value, *id);
  if (view->now_us != twin.now_us()) return fmt::format("now is {}, expected {}", view->now_us, twin.now_us());

  std::map<std::string, std::string> expected = AttributesInTwin(twin, profile), got = AttributesInView(twin, profile, *view);
  for (const auto& [name, line] : expected) {
    if (got[name] != line) return fmt::format("{} of {}: expected {}, got {}\n{}", name, identifier, line, got[name], twin.Dump(*id));
  }
  if (got.size() != expected.size()) return fmt::format("{} has attributes that it should not have", identifier);
  if (view->identifiers != profile.identifiers) {
    return fmt::format("identifiers of {}: expected {}, got {}", identifier, fmt::join(profile.identifiers, " "),
                       fmt::join(view->identifiers, " "));
  }
  std::vector<std::string> segments = SegmentsInTwin(twin, profile);
  if (view->segments != segments) {
    return fmt::format("segments of {}: expected {}, got {}\n{}", identifier, fmt::join(segments, ", "), fmt::join(view->segments, ", "),
                       twin.Dump(*id));
  }
  StatusOr<Database::SegmentsOfAnswer> again = database.SegmentsOf(identifier, {});
  if (!again.ok() || again->segments != segments) return fmt::format("SegmentsOf {} differs from GetProfile", identifier);
  std::set<std::string> truncated, truncated_in_view(view->truncated_event_types.begin(), view->truncated_event_types.end());
  for (uint32_t type : profile.truncated) truncated.insert(twin.schema().event_types[type].name);
  if (truncated != truncated_in_view) return fmt::format("truncation of {} differs", identifier);
  std::string difference = Unless(view->create_time_us == ActivityTime(twin, profile, "created_at()"), "create_time of " + identifier,
                                  ActivityTime(twin, profile, "created_at()"), view->create_time_us);
  if (!difference.empty()) return difference;
  difference = Unless(view->update_time_us == ActivityTime(twin, profile, "updated_at()"), "update_time of " + identifier,
                      ActivityTime(twin, profile, "updated_at()"), view->update_time_us);
  if (!difference.empty()) return difference;
  return DifferenceInEvents(twin, profile, database, identifier);
}

std::string DifferenceInStatus(NaiveStore& twin, Database& database) {
  StatusAnswer status = database.GetStatus();
  std::string difference =
      Unless<uint64_t>(status.profile_count == twin.profiles().size(), "profiles", twin.profiles().size(), status.profile_count);
  if (!difference.empty()) return difference;
  return Unless(status.now_us == twin.now_us(), "clock", twin.now_us(), status.now_us);
}

// ---- Questions ----

std::string DifferenceInTop(NaiveStore& twin, Database& database, const Expression& where, const Expression& by, bool descending,
                            uint64_t limit) {
  std::vector<uint64_t> expected = OrderedMatches(twin, where, by, descending);
  if (expected.size() > limit) expected.resize(limit);
  QueryRequest request;
  request.selection.expression = where.text();
  request.order_by = {by.text(), descending};
  request.limit = limit;
  StatusOr<QueryResult> result = RunQuery(database, std::move(request));
  std::string what = fmt::format("top {} of '{}' by '{}'{}", limit, where.text(), by.text(), descending ? " descending" : "");
  if (!result.ok()) return fmt::format("{}: {}", what, MessageOf(result.status()));
  return Unless(result->ids == expected, what, Shown(expected), Shown(result->ids));
}

std::string DifferenceInResumedQuery(NaiveStore& twin, Database& database, const Expression& where) {
  std::vector<uint64_t> expected = MatchesInTwin(twin, where), ids;
  std::string token;
  size_t rounds_max = twin.profiles().size() * 2 + 64;  // each but the last brings at least one profile, or ends a shard
  for (size_t round = 0;; ++round) {                    // every time a new stream, of which one small chunk is read
    if (round > rounds_max) return fmt::format("resuming '{}' does not end: {} profiles after {} rounds", where.text(), ids.size(), round);
    QueryRequest request;
    request.selection.expression = where.text();
    request.resume_token = token;
    StatusOr<std::unique_ptr<QueryStream>> stream = database.Query(std::move(request));
    if (!stream.ok()) return fmt::format("resuming '{}': {}", where.text(), MessageOf(stream.status()));
    StatusOr<std::optional<QueryStream::Chunk>> chunk = (*stream)->Next(1);
    // One without profiles only carries the answer's context, or says how far the stream has come.
    while (chunk.ok() && chunk->has_value() && (*chunk)->batch.size == 0) chunk = (*stream)->Next(1);
    if (!chunk.ok()) return fmt::format("resuming '{}': {}", where.text(), MessageOf(chunk.status()));
    if (!chunk->has_value()) break;
    for (ProfileId id : (*chunk)->batch.profile_ids) ids.push_back(id.value);
    token = (*chunk)->resume_token;
    if (token.empty()) break;
  }
  std::sort(ids.begin(), ids.end());
  return Unless(ids == expected, "resumed query of " + where.text(), Shown(expected), Shown(ids));
}

std::string DifferenceInSample(NaiveStore& twin, Database& database, const Expression& where, uint32_t size, uint64_t seed,
                               std::vector<uint64_t>* sampled) {
  std::vector<uint64_t> members = MatchesInTwin(twin, where);
  SampleRequest request;
  request.selection.expression = where.text();
  request.size = size;
  request.seed = seed;
  StatusOr<SampleAnswer> answer = database.Sample(request);
  if (!answer.ok()) return fmt::format("sample of '{}': {}", where.text(), MessageOf(answer.status()));
  sampled->clear();
  for (ProfileId id : answer->batch.profile_ids) sampled->push_back(id.value);
  if (answer->member_count != members.size())
    return fmt::format("sample of '{}' counts {} members, expected {}", where.text(), answer->member_count, members.size());
  if (sampled->size() != std::min<size_t>(size, members.size()))
    return fmt::format("sample of '{}' has {} profiles", where.text(), sampled->size());
  if (!std::is_sorted(sampled->begin(), sampled->end())) return "sample is not ordered by profile";
  bool inside = std::includes(members.begin(), members.end(), sampled->begin(), sampled->end());
  return inside ? "" : fmt::format("sample of '{}' has profiles that do not match", where.text());
}

std::string DifferenceInBreakdown(NaiveStore& twin, Database& database, const Expression& where, const std::vector<ExpressionRef>& by,
                                  const std::vector<NaiveMeasure>& measures) {
  BreakdownRequest request;
  request.selection.expression = where.text();
  std::string what = fmt::format("breakdown of '{}' by", where.text());
  for (const ExpressionRef& expression : by) {
    request.by.push_back(expression->text());
    what += fmt::format(" '{}'", expression->text());
  }
  for (const NaiveMeasure& measure : measures) {
    request.measures.push_back({measure.of->text(), measure.quantiles, measure.bounds});
    what += fmt::format(", of '{}'", measure.of->text());
  }
  StatusOr<BreakdownAnswer> answer = database.Breakdown(request);
  if (!answer.ok()) return fmt::format("{}: {}", what, MessageOf(answer.status()));
  std::vector<NaiveGroup> expected = GroupsOf(twin, where, by, measures);
  uint64_t total = MatchesInTwin(twin, where).size();
  if (answer->total_count != total) return fmt::format("{}: total is {}, expected {}", what, answer->total_count, total);
  if (answer->groups.size != expected.size()) return fmt::format("{}: {} groups, expected {}", what, answer->groups.size, expected.size());
  for (size_t g = 0; g < expected.size(); ++g) {
    std::vector<Value> row = expected[g].by;
    row.push_back(static_cast<int64_t>(expected[g].count));
    row.insert(row.end(), expected[g].figures.begin(), expected[g].figures.end());
    if (answer->groups.columns.size() != row.size())
      return fmt::format("{}: {} columns, expected {}", what, answer->groups.columns.size(), row.size());
    for (size_t c = 0; c < row.size(); ++c) {
      Value got = answer->groups.columns[c].At(g);
      if (!SameValue(row[c], got)) {
        return fmt::format("{}: group {} ({}), field {}: expected {}, got {}", what, g, row.empty() ? "" : DisplayValue(row[0]),
                           answer->groups.fields[c].name, DisplayValue(row[c]), DisplayValue(got));
      }
    }
  }
  return "";
}

std::string DifferenceInOverlap(NaiveStore& twin, Database& database, const std::vector<ExpressionRef>& selections) {
  std::vector<Selection> asked;
  for (const ExpressionRef& expression : selections) {
    asked.emplace_back();
    asked.back().expression = expression->text();
  }
  StatusOr<OverlapAnswer> answer = database.Overlap(asked);
  if (!answer.ok()) return fmt::format("overlap: {}", MessageOf(answer.status()));
  std::vector<uint64_t> expected = OverlapOf(twin, selections);
  if (answer->counts != expected) return Unless(false, "overlap of " + asked[0].expression, Shown(expected), Shown(answer->counts));
  if (answer->population_count != twin.profiles().size()) return "overlap: population differs";
  size_t n = selections.size();
  for (size_t i = 0; i < n * n; ++i) {
    auto a = static_cast<double>(expected[i / n * (n + 1)]), b = static_cast<double>(expected[i % n * (n + 1)]),
         both = static_cast<double>(expected[i]);
    double jaccard = a + b - both == 0 ? 0 : both / (a + b - both);
    double lift = a * b == 0 ? 0 : both * static_cast<double>(twin.profiles().size()) / (a * b);
    if (std::fabs(answer->jaccard[i] - jaccard) > 1e-12)
      return fmt::format("jaccard {}: expected {}, got {}", i, jaccard, answer->jaccard[i]);
    if (std::fabs(answer->lift[i] - lift) > 1e-9 * (1 + lift)) return fmt::format("lift {}: expected {}, got {}", i, lift, answer->lift[i]);
  }
  return "";
}

std::string DifferenceInExplain(NaiveStore& twin, Database& database, const Expression& where, const std::string& identifier) {
  Selection selection;
  selection.expression = where.text();
  std::vector<uint64_t> matches = MatchesInTwin(twin, where);
  StatusOr<ExplainAnswer> everybody = database.Explain(selection, "");
  if (!everybody.ok()) return fmt::format("explain '{}': {}", where.text(), MessageOf(everybody.status()));
  if (everybody->plan.profile_count != matches.size()) {
    return fmt::format("explain '{}': {} profiles, expected {}", where.text(), everybody->plan.profile_count, matches.size());
  }
  std::optional<uint64_t> id = twin.Find(identifier);
  if (!id.has_value()) return "";
  StatusOr<ExplainAnswer> one = database.Explain(selection, identifier);
  if (!one.ok()) return fmt::format("explain '{}' for {}: {}", where.text(), identifier, MessageOf(one.status()));
  bool truth = std::binary_search(matches.begin(), matches.end(), *id);
  return one->plan.truth == truth ? ""
                                  : fmt::format("explain '{}' for {}: expected {}\n{}", where.text(), identifier, truth, twin.Dump(*id));
}

std::string DifferenceInBatchGet(NaiveStore& twin, Database& database, const std::vector<ExpressionRef>& select,
                                 const std::vector<std::string>& identifiers) {
  std::vector<std::string> texts;
  for (const ExpressionRef& expression : select) texts.push_back(expression->text());
  StatusOr<ProjectionRef> projection = database.PrepareProjection(texts, false);
  if (!projection.ok()) return fmt::format("projection: {}", MessageOf(projection.status()));
  StatusOr<Database::BatchGetAnswer> answer = database.BatchGet(identifiers, *projection, {});
  if (!answer.ok()) return fmt::format("BatchGet: {}", MessageOf(answer.status()));
  const Schema& schema = twin.schema();
  for (size_t i = 0; i < identifiers.size(); ++i) {
    std::optional<uint64_t> id = twin.Find(identifiers[i]);
    if (answer->found[i] != id.has_value()) return fmt::format("BatchGet: found of {} is wrong", identifiers[i]);
    for (size_t c = 0; c < select.size(); ++c) {
      Value got = answer->batch.columns[c].At(i), expected;
      if (id.has_value()) expected = NaiveInterpreter(twin, twin.profile(*id), schema).Evaluate(*select[c]->root()).AsAnswer();
      if (!SameValue(expected, got)) {
        return fmt::format("BatchGet of {}, '{}': expected {}, got {}", identifiers[i], texts[c], DisplayValue(expected),
                           DisplayValue(got));
      }
    }
  }
  return "";
}

}  // namespace korrel::twin
