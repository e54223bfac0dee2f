// tests/twin/naive_profile.h
//
// NaiveStore is the naive twin of the whole database's records: every profile a map of values with the time of their newest set,
// every event kept raw with its arrival number, every rule of writing spelled out. No shard, index, dictionary, column or log.
// What is asked of it is recomputed from these each time (naive_interpreter.h, naive_questions.h).
//
// It takes the same requests as Database and says for every item whether it was applied, a duplicate, or refused with which reason.
//
// Invariants  An event that is out (past its type's retention, or beyond its limits) is removed at once, before anything looks.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/database.h"

namespace korrel::twin {

struct NaiveAttribute {
  Value value;                      // absent after an unset
  int64_t set_time_us = INT64_MIN;  // of the newest set or unset; INT64_MIN: only other operations so far
  bool unset = false;               // the newest of them was an unset
  std::string source;
};

struct NaiveEvent {
  uint32_t type = 0;
  int64_t time_us = 0;
  uint64_t arrival = 0;
  std::string source, message_id;
  std::map<uint32_t, Value> properties;  // by PropertyId
};

struct NaiveProfile {
  uint64_t id = 0;
  std::vector<std::string> identifiers;  // "type:value", in order of arrival
  std::map<std::string, NaiveAttribute> attributes;
  std::vector<NaiveEvent> events;    // as they arrived
  std::set<uint32_t> truncated;      // event types of which the hard limit pushed something out
  std::vector<int64_t> activity_us;  // event times of all writes and events
};

// Members of a static segment, and when they leave by themselves.
using NaiveList = std::map<uint64_t, std::optional<int64_t>>;

struct ItemOutcome {
  enum class Kind { kApplied, kDuplicate, kRefused };
  Kind kind = Kind::kApplied;
  std::string reason;             // the first found; empty: none
  std::set<std::string> reasons;  // of an item with several faults any may be answered
};

struct NaiveOptions {
  ClockMode clock = ClockMode::kReplay;
  int64_t start_us = 0;
  int64_t max_step_us = kMaxStepDefaultUs;
  uint32_t events_hard_max = kEventsHardMax;
};

class NaiveStore {
 public:
  explicit NaiveStore(NaiveOptions options) : options_(options), now_us_(options.start_us) {}

  // ---- Writes ----
  ItemOutcome Upsert(const ProfileWrite& write, const std::string& source);
  ItemOutcome Track(const EventWrite& event, const std::string& source);
  bool Delete(const std::string& identifier);  // false: nobody
  bool AdvanceClock(int64_t to_us);            // false: backwards

  // ---- Catalog: each leaves everything else as it is ----
  void DeclareAttribute(const std::string& name, Type type);
  void DeclareEvent(const std::string& name, const std::vector<FieldSchema>& properties, std::optional<int64_t> retention_us,
                    std::optional<uint32_t> max_events);
  // A computed or derived attribute, a live or static segment. CHECK-like: the test fails loudly where it does not compile.
  void DefineAttribute(const std::string& name, const std::string& expression);
  void DefineSegment(const std::string& name, const std::string& expression);
  void DefineList(const std::string& name);
  // Nothing else may use it.
  void DropAttribute(const std::string& name);
  void DropSegment(const std::string& name);
  void SetTimeZone(const std::string& name) { time_zone_ = name; }

  // ---- Static segments ----
  void AddMember(const std::string& segment, uint64_t id, std::optional<int64_t> expires_us);
  void RemoveMember(const std::string& segment, uint64_t id);
  void ClearMembers(const std::string& segment);
  bool IsMember(const std::string& segment, uint64_t id) const;
  std::optional<int64_t> ExpiryOf(const std::string& segment, uint64_t id) const;

  // ---- Published figures (population.x): what is given; absent until then ----
  void SetFigure(const std::string& name, Value value) { figures_[name] = std::move(value); }
  Value Figure(const std::string& name) const;

  // ---- Looking ----
  StatusOr<ExpressionRef> Compile(const std::string& text, const std::map<std::string, Value, std::less<>>* parameters = nullptr,
                                  bool allow_unknown_names = false);
  std::optional<uint64_t> Find(const std::string& identifier) const;
  const std::map<uint64_t, NaiveProfile>& profiles() const { return profiles_; }
  const NaiveProfile& profile(uint64_t id) const { return profiles_.at(id); }
  // The profile's events that may be seen now, in event order. nullopt: of all types.
  std::vector<const NaiveEvent*> VisibleEvents(const NaiveProfile& profile, std::optional<uint32_t> type) const;
  const Schema& schema();
  const NamedDefinitions& definitions();
  int64_t now_us() const { return now_us_; }
  const std::string& time_zone() const { return time_zone_; }
  // A store of this one profile alone, whose clock can be moved by itself. Nothing may be defined in it.
  NaiveStore With(uint64_t id);
  // Everything known about one profile, for the message of a failing test.
  std::string Dump(uint64_t id) const;

 private:
  struct Resolved {
    std::optional<uint64_t> id;
    std::string refused;  // reason
  };
  Resolved Resolve(const std::vector<std::string>& identifiers) const;
  uint64_t FindOrMake(const std::vector<std::string>& identifiers);
  AttributeSchema* FindAttribute(const std::string& name);
  void ApplyAttributes(const ProfileWrite& write, int64_t time_us, const std::string& source, NaiveProfile* pending,
                       std::map<std::string, Type>* types, std::set<std::string>* faults);
  std::string ApplyAttribute(const AttributeWrite& a, int64_t time_us, const std::string& source, NaiveProfile* pending,
                             std::map<std::string, Type>* types);
  std::string ApplyOperation(const AttributeWrite& write, int64_t time_us, const std::string& source, Type type,
                             NaiveProfile* profile) const;
  // The type the attribute must have to take the value as well; nullopt: a clash.
  std::optional<Type> TypeFor(const std::string& name, const Value& value, Type type, const NaiveProfile& pending) const;
  std::optional<Type> PropertyTypeFor(uint32_t event_type, uint32_t property, const Value& value, Type type) const;
  bool EveryAttributeConverts(const std::string& name, Type to, const NaiveProfile& pending) const;
  void ConvertAttribute(const std::string& name, Type to);
  void ConvertProperty(uint32_t event_type, uint32_t property, Type to);
  bool HoldsMessage(const NaiveProfile& profile, const std::string& source, const std::string& message_id, int64_t now_us) const;
  void RemoveWhatIsOut(NaiveProfile* profile);
  void RemoveWhatIsOut();
  void Recompile();
  bool CompileDefinition(uint32_t order, const std::pair<bool, std::string>& definition, std::string* trouble);

  NaiveOptions options_;
  int64_t now_us_;
  bool event_seen_ = false;
  uint64_t next_id_ = 1, next_arrival_ = 1;
  std::map<uint64_t, NaiveProfile> profiles_;
  std::map<std::string, uint64_t> by_identifier_;
  Schema schema_;
  bool definitions_are_stale_ = false;
  uint32_t next_definition_ = 0;
  std::map<std::string, std::pair<uint32_t, std::string>> attribute_texts_;  // name → (order of definition, text)
  std::map<std::string, std::pair<uint32_t, std::string>> segment_texts_;    // text empty: a list
  std::map<std::string, NaiveList> lists_;
  NamedDefinitions definitions_;
  std::map<std::string, Value> figures_;
  std::string time_zone_ = "UTC";
};

// `value` in `type` without loss, or nullopt: the twin's own reading of "as long as every stored value stays exact".
std::optional<Value> Converted(const Value& value, Type type);

}  // namespace korrel::twin
