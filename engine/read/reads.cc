#include "engine/read/reads.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/live/filling.h"
#include "engine/question/question_run.h"
#include "engine/question/result_batch.h"
#include "engine/question/selection.h"
#include "engine/read/read_plans.h"
#include "engine/turns.h"

namespace korrel {
namespace {

// Why one try at a profile ended.
enum class ReadEnd : uint8_t { kDone, kNotFound, kStale };

// What is asked of one profile.
struct Wanted {
  bool everything = false;
  std::vector<std::string> names;  // of chosen attributes or expressions, sorted, distinct
  std::vector<PlanRef> plans;      // beside names
  bool segments = false;
};

// Reads one row during one turn. Ids the snapshot does not know mean that it is older than the row.
class ProfileReader {
 public:
  ProfileReader(const Turn& turn, const ReadPlans& plans, Row row, WorkMeter* meter)
      : view_(turn.view()),
        shard_(turn.shard()),
        table_(turn.table()),
        schema_(*turn.view().schema),
        plans_(plans),
        row_(row),
        meter_(meter) {}

  ReadEnd Read(const Wanted& wanted, ProfileView* view) {
    view->id = table_.IdOf(row_);
    view->version = table_.VersionOf(row_);
    view->now_us = view_.now_us;
    view->create_time_us = table_.CreatedAt(row_, view_.now_us).value_or(0);
    view->update_time_us = table_.UpdatedAt(row_, view_.now_us).value_or(0);
    bool fresh = ReadIdentifiers(view);
    ReadTruncated(view);
    fresh = fresh && (wanted.everything ? ReadEverything(view) : ReadChosen(wanted, view));
    if (fresh && wanted.segments) fresh = ReadSegments(&view->segments);
    return fresh ? ReadEnd::kDone : ReadEnd::kStale;
  }

  int64_t now_us() const { return view_.now_us; }

  // Names of the segments the profile is in now, sorted. False: stale.
  bool ReadSegments(std::vector<std::string>* names) {
    // The rule tables name all live segments at once; where they cannot, each is evaluated.
    std::optional<std::vector<SegmentId>> live;
    if (shard_.live.plan() == plans_.catalog->live) live = shard_.live.SegmentsOf(row_, view_.now_us);
    if (live) meter_->Add(live->size() * kWorkPerValue);
    for (const ReadPlans::Segment& segment : plans_.segments) {
      bool member = false;
      if (segment.plan && live) {
        member = std::ranges::binary_search(*live, segment.id);
      } else if (segment.plan) {
        Value truth;
        if (!Evaluate(*segment.plan, &truth)) return false;
        member = IsPresent(truth) && std::get<bool>(truth);
      } else if (const StaticList* list = table_.List(segment.id)) {
        member = list->Contains(row_, view_.now_us);
      }
      if (member) names->push_back(segment.name);
    }
    return true;
  }

 private:
  bool ReadIdentifiers(ProfileView* view) {
    const IdentifierFilter all = *IdentifierFilter::Make({"*"});
    const bool fresh = all.Read(table_, schema_, row_, &view->identifiers);
    meter_->Add(view->identifiers.size() * kWorkPerIdentifier);
    return fresh;
  }

  void ReadTruncated(ProfileView* view) {
    // What fell out stays out, also when time has taken the rest.
    for (const EventTypeSchema& type : schema_.event_types) {
      if (!type.dropped && table_.IsTruncated(row_, type.id)) view->truncated_event_types.push_back(type.name);
    }
    std::ranges::sort(view->truncated_event_types);
  }

  bool ReadEverything(ProfileView* view) {
    for (const AttributeSchema& attribute : schema_.attributes) {
      if (attribute.dropped || attribute.computed) continue;
      if (!ReadStored(attribute, attribute.name, view)) return false;
    }
    for (const ReadPlans::Computed& computed : plans_.computed) {
      if (!ReadPlan(*computed.plan, computed.name, view)) return false;
    }
    std::ranges::sort(view->attributes, {}, &AttributeView::name);
    return true;
  }

  bool ReadChosen(const Wanted& wanted, ProfileView* view) {
    for (size_t i = 0; i < wanted.names.size(); ++i) {
      const Node& root = *wanted.plans[i]->expression().root();
      const bool stored = root.op == Op::kAttribute && !root.definition && !root.unknown;
      const bool fresh = stored ? ReadStored(schema_.attributes[root.attribute.value], wanted.names[i], view)
                                : ReadPlan(*wanted.plans[i], wanted.names[i], view);
      if (!fresh) return false;
    }
    return true;
  }

  bool ReadStored(const AttributeSchema& attribute, const std::string& name, ProfileView* view) {
    const AttributeColumn* column = table_.column(attribute.id);
    if (!column || !column->Has(row_)) return true;
    if (column->type() != attribute.type) return false;
    AttributeView read{name, column->Get(row_)};
    const ProfileTable::WriteStamp stamp = table_.StampOf(row_, attribute.id);
    if (stamp.source.value >= schema_.sources.size()) return false;
    read.source = schema_.sources[stamp.source.value];
    if (stamp.time_us != INT64_MIN) read.event_time_us = stamp.time_us;
    view->attributes.push_back(std::move(read));
    meter_->Add(kWorkPerValue);
    return true;
  }

  bool ReadPlan(const Plan& plan, const std::string& name, ProfileView* view) {
    // A named definition may be a duration, which no answer can hold; it is there for other expressions.
    if (plan.expression().type().kind == ValueKind::kDuration) return true;
    Value value;
    if (!Evaluate(plan, &value)) return false;
    if (IsPresent(value)) view->attributes.push_back({name, std::move(value)});
    return true;
  }

  // Texts of the vector live no longer than the evaluator, so the value is copied here.
  bool Evaluate(const Plan& plan, Value* value) {
    Evaluator evaluator(plan, view_, meter_);
    if (evaluator.PlanIsStale()) return false;
    ValueVector read;
    evaluator.Read({&row_, 1}, &read);
    *value = read.At(0);
    return true;
  }

  const ShardView view_;
  const Shard& shard_;
  const ProfileTable& table_;
  const Schema& schema_;
  const ReadPlans& plans_;
  const Row row_;
  WorkMeter* const meter_;
};

// Compiles the chosen attributes; each once, by name.
StatusOr<Wanted> CompileWanted(const CatalogSnapshot& catalog, const std::vector<std::string>& attributes, bool segments) {
  KORREL_RETURN_IF_ERROR(CheckFieldCount(attributes.size(), "attributes"));
  Wanted wanted;
  wanted.everything = attributes.empty();
  wanted.segments = segments;
  std::vector<std::pair<std::string, PlanRef>> chosen;
  for (size_t i = 0; i < attributes.size(); ++i) {
    KORREL_ASSIGN_OR_RETURN(PlanRef plan, CompileField(catalog, FieldText{attributes[i], fmt::format("attributes[{}]", i)}));
    chosen.emplace_back(attributes[i], std::move(plan));
  }
  std::ranges::sort(chosen, {}, &std::pair<std::string, PlanRef>::first);
  for (auto& [name, plan] : chosen) {
    if (!wanted.names.empty() && wanted.names.back() == name) continue;
    wanted.names.push_back(std::move(name));
    wanted.plans.push_back(std::move(plan));
  }
  return wanted;
}

// Calls read(reader) for the profile, in one turn of its shard.
template <class Read>
ReadEnd ReadRow(Core& core, const CatalogRef& catalog, ProfileId id, Read read) {
  const ReadPlansRef plans = PlansFor(*core.read_plans, catalog);
  Turn turn(core, ShardOf(id, static_cast<uint32_t>(core.shards.size())), *catalog);
  if (!turn.fresh()) return ReadEnd::kStale;
  const std::optional<Row> row = turn.table().Find(id);
  if (!row) return ReadEnd::kNotFound;
  WorkMeter meter;
  ProfileReader reader(turn, *plans, *row, &meter);
  const ReadEnd end = read(reader);
  turn.AddWork(meter.used());
  return end;
}

// The profile that is asked for. Errors: kNotFound PROFILE; those of the identifier.
StatusOr<ProfileId> IdOf(Core& core, std::string_view profile) {
  KORREL_ASSIGN_OR_RETURN(const std::optional<ProfileId> id, core.Resolve(profile, "profile"));
  if (!id) return ProfileNotFound(profile, "profile");
  return *id;
}

}  // namespace

StatusOr<ProfileView> ReadProfile(Core& core, std::string_view profile, const std::vector<std::string>& attributes, bool include_segments,
                                  const ReadOptions& read) {
  KORREL_ASSIGN_OR_RETURN(const AnswerContext context, BeginAnswer(core, read));
  return UntilFresh<ProfileView>(core, [&](const CatalogRef& catalog) -> StatusOr<std::optional<ProfileView>> {
    KORREL_ASSIGN_OR_RETURN(const Wanted wanted, CompileWanted(*catalog, attributes, include_segments));
    KORREL_ASSIGN_OR_RETURN(const ProfileId id, IdOf(core, profile));
    ProfileView view;
    view.position = context.position;
    const ReadEnd end = ReadRow(core, catalog, id, [&](ProfileReader& reader) { return reader.Read(wanted, &view); });
    if (end == ReadEnd::kNotFound) return ProfileNotFound(profile, "profile");
    if (end == ReadEnd::kStale) return std::nullopt;
    Filling filling(core, catalog);
    for (AttributeView& attribute : view.attributes) {
      if (!filling.all_filled()) attribute.filling = filling.IsUnfinished("attributes/" + attribute.name);
    }
    return view;
  });
}

StatusOr<Database::SegmentsOfAnswer> ReadSegmentsOf(Core& core, std::string_view profile, const ReadOptions& read) {
  using Answer = Database::SegmentsOfAnswer;
  KORREL_ASSIGN_OR_RETURN(const AnswerContext context, BeginAnswer(core, read));
  return UntilFresh<Answer>(core, [&](const CatalogRef& catalog) -> StatusOr<std::optional<Answer>> {
    KORREL_ASSIGN_OR_RETURN(const ProfileId id, IdOf(core, profile));
    Answer answer;
    answer.position = context.position;
    const ReadEnd end = ReadRow(core, catalog, id, [&](ProfileReader& reader) {
      answer.now_us = reader.now_us();
      return reader.ReadSegments(&answer.segments) ? ReadEnd::kDone : ReadEnd::kStale;
    });
    if (end == ReadEnd::kNotFound) return ProfileNotFound(profile, "profile");
    if (end == ReadEnd::kStale) return std::nullopt;
    Filling filling(core, catalog);
    for (const auto& [name, segment] : catalog->definitions.segments) {
      if (!filling.all_filled() && !segment.is_static) filling.AddNamed("segments/" + name);
    }
    answer.filling = std::move(filling).Names();
    return answer;
  });
}

}  // namespace korrel
