#include "tests/twin/naive_profile.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <tuple>

#include "fmt/format.h"
#include "tests/twin/naive_number.h"

namespace korrel::twin {
namespace {

[[noreturn]] void Stop(const std::string& what) {
  std::fprintf(stderr, "twin: %s\n", what.c_str());
  std::abort();
}

int KindRank(ValueKind kind) { return kind == ValueKind::kInt ? 1 : kind == ValueKind::kDecimal ? 2 : kind == ValueKind::kDouble ? 3 : 0; }

// The type that holds both by itself: int < decimal of the larger scale < double.
std::optional<Type> Wider(Type stored, Type incoming) {
  if (stored == incoming) return stored;
  if (!IsNumber(stored) || !IsNumber(incoming)) return std::nullopt;
  if (stored.kind == ValueKind::kDouble) return std::nullopt;  // the incoming one was not exact as a double
  if (incoming.kind == ValueKind::kDouble) return incoming;
  if (KindRank(incoming.kind) < KindRank(stored.kind)) return std::nullopt;
  return DecimalType(std::max(stored.scale, incoming.scale));
}

ItemOutcome Refused(const std::set<std::string>& reasons) { return {ItemOutcome::Kind::kRefused, *reasons.begin(), reasons}; }

bool InEventOrder(const NaiveEvent* a, const NaiveEvent* b) {
  return std::tuple(a->time_us, a->type, a->arrival) < std::tuple(b->time_us, b->type, b->arrival);
}

bool Fits(AttributeOperation operation, Type type) {
  switch (operation) {
    case AttributeOperation::kAdd:
    case AttributeOperation::kRemove:
      return type.kind == ValueKind::kSet;
    case AttributeOperation::kIncrement:
      return IsNumber(type);
    case AttributeOperation::kMin:
    case AttributeOperation::kMax:
      return IsNumber(type) || type.kind == ValueKind::kTimestamp;
    default:
      return true;
  }
}

bool IsSetOperation(AttributeOperation operation) {
  return operation == AttributeOperation::kAdd || operation == AttributeOperation::kRemove;
}

StringSet ItemsOf(const Value& value) {
  if (auto* text = std::get_if<std::string>(&value)) return {*text};
  return std::get<StringSet>(value);
}

Value ZeroOf(Type type) {
  if (type.kind == ValueKind::kInt) return int64_t{0};
  if (type.kind == ValueKind::kDecimal) return Decimal{0, type.scale};
  return 0.0;
}

// Both of one type.
bool LessValue(const Value& a, const Value& b) {
  if (auto* x = std::get_if<Decimal>(&a)) return x->unscaled < std::get<Decimal>(b).unscaled;
  if (auto* x = std::get_if<int64_t>(&a)) return *x < std::get<int64_t>(b);
  if (auto* x = std::get_if<double>(&a)) return *x < std::get<double>(b);
  if (auto* x = std::get_if<Timestamp>(&a)) return *x < std::get<Timestamp>(b);
  return std::get<std::string>(a) < std::get<std::string>(b);
}

}  // namespace

std::optional<Value> Converted(const Value& value, Type type) {
  if (!IsPresent(value) || TypeOf(value) == type) return value;
  std::optional<Exact> exact = ExactOf(value);
  if (!exact.has_value()) return std::nullopt;
  if (type.kind == ValueKind::kDouble) {
    double d = AsDouble(value);
    // The double times 10^scale is the unscaled number exactly, or it is not the same number.
    std::optional<int64_t> back = RoundedTo(Value(d), exact->scale, Rounding::kFloor);
    std::optional<int64_t> up = RoundedTo(Value(d), exact->scale, Rounding::kCeil);
    bool same = back.has_value() && up.has_value() && *back == *up && *back == exact->unscaled;
    return same ? std::optional<Value>(d) : std::nullopt;
  }
  if (type.kind != ValueKind::kInt && type.kind != ValueKind::kDecimal) return std::nullopt;
  std::optional<int64_t> down = RoundedTo(value, type.scale, Rounding::kFloor), up = RoundedTo(value, type.scale, Rounding::kCeil);
  if (!down.has_value() || down != up) return std::nullopt;
  return type.kind == ValueKind::kInt ? Value(*down) : Value(Decimal{*down, type.scale});
}

// ---- Identity ----

std::optional<uint64_t> NaiveStore::Find(const std::string& identifier) const {
  if (identifier.rfind("profile:", 0) == 0) {
    uint64_t id = std::strtoull(identifier.c_str() + 8, nullptr, 16);
    return profiles_.count(id) > 0 ? std::optional(id) : std::nullopt;
  }
  auto it = by_identifier_.find(identifier);
  return it == by_identifier_.end() ? std::nullopt : std::optional(it->second);
}

NaiveStore::Resolved NaiveStore::Resolve(const std::vector<std::string>& identifiers) const {
  Resolved resolved;
  for (const std::string& identifier : identifiers) {
    std::optional<uint64_t> found = Find(identifier);
    if (!found.has_value() && identifier.rfind("profile:", 0) == 0) return {std::nullopt, "PROFILE"};
    if (!found.has_value()) continue;
    if (resolved.id.has_value() && resolved.id != found) return {std::nullopt, "WOULD_JOIN"};
    resolved.id = found;
  }
  return resolved;
}

uint64_t NaiveStore::FindOrMake(const std::vector<std::string>& identifiers) {
  Resolved resolved = Resolve(identifiers);
  uint64_t id = resolved.id.has_value() ? *resolved.id : next_id_++;
  NaiveProfile& profile = profiles_[id];
  profile.id = id;
  for (const std::string& identifier : identifiers) {
    if (identifier.rfind("profile:", 0) == 0 || by_identifier_.count(identifier) > 0) continue;
    by_identifier_[identifier] = id;
    profile.identifiers.push_back(identifier);
    std::string type = identifier.substr(0, identifier.find(':'));
    if (schema_.identifier_type_by_name.count(Abseil(type)) == 0) {
      schema_.identifier_type_by_name[type] = static_cast<uint32_t>(schema_.identifier_types.size());
      schema_.identifier_types.push_back(type);
      definitions_are_stale_ = true;
    }
  }
  return id;
}

bool NaiveStore::Delete(const std::string& identifier) {
  std::optional<uint64_t> id = Find(identifier);
  if (!id.has_value()) return false;
  for (const std::string& name : profiles_.at(*id).identifiers) by_identifier_.erase(name);
  for (auto& [segment, members] : lists_) members.erase(*id);
  profiles_.erase(*id);
  return true;
}

// ---- Attributes ----

AttributeSchema* NaiveStore::FindAttribute(const std::string& name) {
  auto it = schema_.attribute_by_name.find(Abseil(name));
  return it == schema_.attribute_by_name.end() ? nullptr : &schema_.attributes[it->second];
}

void NaiveStore::DeclareAttribute(const std::string& name, Type type) {
  AttributeSchema* known = FindAttribute(name);
  if (known == nullptr) {
    AttributeId id(static_cast<uint32_t>(schema_.attributes.size()));
    schema_.attribute_by_name[name] = id.value;
    schema_.attributes.push_back({id, name, type, true});
  } else {
    ConvertAttribute(name, type);
    known->declared = true;
  }
  definitions_are_stale_ = true;
}

bool NaiveStore::EveryAttributeConverts(const std::string& name, Type to, const NaiveProfile& pending) const {
  auto converts = [&](const NaiveProfile& profile) {
    auto it = profile.attributes.find(name);
    return it == profile.attributes.end() || Converted(it->second.value, to).has_value();
  };
  if (!converts(pending)) return false;
  return std::all_of(profiles_.begin(), profiles_.end(), [&](const auto& p) { return p.first == pending.id || converts(p.second); });
}

void NaiveStore::ConvertAttribute(const std::string& name, Type to) {
  for (auto& [id, profile] : profiles_) {
    auto it = profile.attributes.find(name);
    if (it != profile.attributes.end()) it->second.value = *Converted(it->second.value, to);
  }
  FindAttribute(name)->type = to;
  definitions_are_stale_ = true;
}

std::optional<Type> NaiveStore::TypeFor(const std::string& name, const Value& value, Type type, const NaiveProfile& pending) const {
  if (Converted(value, type).has_value()) return type;
  auto it = schema_.attribute_by_name.find(Abseil(name));
  if (it != schema_.attribute_by_name.end() && schema_.attributes[it->second].declared) return std::nullopt;
  std::optional<Type> wider = Wider(type, TypeOf(value));
  if (!wider.has_value() || !Converted(value, *wider).has_value() || !EveryAttributeConverts(name, *wider, pending)) return std::nullopt;
  return wider;
}

// Returns the reason of a refusal, or nothing.
std::string NaiveStore::ApplyOperation(const AttributeWrite& write, int64_t time_us, const std::string& source, Type type,
                                       NaiveProfile* profile) const {
  if (!Fits(write.operation, type)) return "TYPE_CLASH";
  if (write.operation == AttributeOperation::kRemove && profile->attributes.count(write.name) == 0) return "";
  NaiveAttribute& attribute = profile->attributes[write.name];
  Value& stored = attribute.value;
  switch (write.operation) {
    case AttributeOperation::kSet:
    case AttributeOperation::kUnset: {
      if (time_us < attribute.set_time_us) return "";
      bool unset = write.operation == AttributeOperation::kUnset;
      attribute = {unset ? Value() : *Converted(write.value, type), time_us, unset, source};
      return "";
    }
    case AttributeOperation::kAdd: {
      std::set<std::string> items;
      if (IsPresent(stored)) items.insert(std::get<StringSet>(stored).begin(), std::get<StringSet>(stored).end());
      for (const std::string& item : ItemsOf(write.value)) items.insert(item);
      stored = StringSet(items.begin(), items.end());
      return "";
    }
    case AttributeOperation::kRemove: {
      if (!IsPresent(stored)) return "";
      for (const std::string& item : ItemsOf(write.value)) std::erase(std::get<StringSet>(stored), item);
      return "";
    }
    case AttributeOperation::kIncrement: {
      Value sum = twin::Add(IsPresent(stored) ? stored : ZeroOf(type), *Converted(write.value, type));
      if (!IsPresent(sum)) return "FIELD";
      stored = sum;
      return "";
    }
    case AttributeOperation::kMin:
    case AttributeOperation::kMax: {
      Value value = *Converted(write.value, type);
      bool smaller = IsPresent(stored) && LessValue(value, stored), larger = IsPresent(stored) && LessValue(stored, value);
      bool takes = !IsPresent(stored) || (write.operation == AttributeOperation::kMin ? smaller : larger);
      if (takes) stored = value;
      return "";
    }
  }
  return "";
}

// Adds what is wrong with the attributes of a write, each by itself; nothing: `pending` and `types` are as the write leaves them.
void NaiveStore::ApplyAttributes(const ProfileWrite& write, int64_t time_us, const std::string& source, NaiveProfile* pending,
                                 std::map<std::string, Type>* types, std::set<std::string>* faults) {
  for (const AttributeWrite& a : write.attributes) {
    const std::string fault = ApplyAttribute(a, a.event_time_us == 0 ? time_us : a.event_time_us, source, pending, types);
    if (!fault.empty()) faults->insert(fault);
  }
}

std::string NaiveStore::ApplyAttribute(const AttributeWrite& a, int64_t time_us, const std::string& source, NaiveProfile* pending,
                                       std::map<std::string, Type>* types) {
  const AttributeSchema* known = FindAttribute(a.name);
  if (known != nullptr && known->computed) return "TYPE_CLASH";
  Type incoming = IsSetOperation(a.operation) ? kSetType : TypeOf(a.value);
  Type type = types->count(a.name) > 0 ? (*types)[a.name] : known != nullptr ? known->type : incoming;
  bool takes_away = a.operation == AttributeOperation::kUnset || a.operation == AttributeOperation::kRemove;
  if (takes_away && known == nullptr && types->count(a.name) == 0) return "";  // there is nothing to take away from
  if (a.operation != AttributeOperation::kUnset && !IsSetOperation(a.operation)) {
    if (!Fits(a.operation, type)) return "TYPE_CLASH";
    std::optional<Type> wider = TypeFor(a.name, a.value, type, *pending);
    if (!wider.has_value()) return "TYPE_CLASH";
    type = *wider;
  }
  (*types)[a.name] = type;
  auto held = pending->attributes.find(a.name);
  if (held != pending->attributes.end()) held->second.value = *Converted(held->second.value, type);
  return ApplyOperation(a, time_us, source, type, pending);
}

ItemOutcome NaiveStore::Upsert(const ProfileWrite& write, const std::string& source) {
  int64_t time_us = write.event_time_us == 0 ? now_us_ : write.event_time_us;
  std::set<std::string> faults;
  auto check_time = [&](int64_t t) {
    if (options_.clock == ClockMode::kSystem && t > now_us_ + kFutureSlackUs) faults.insert("EVENT_TOO_NEW");
  };
  check_time(time_us);
  for (const AttributeWrite& a : write.attributes) check_time(a.event_time_us);
  Resolved resolved = Resolve(write.identifiers);
  if (!resolved.refused.empty()) faults.insert(resolved.refused);
  NaiveProfile pending = resolved.id.has_value() ? profiles_.at(*resolved.id) : NaiveProfile();
  std::map<std::string, Type> types;  // after this write
  ApplyAttributes(write, time_us, source, &pending, &types, &faults);
  if (!faults.empty()) return Refused(faults);

  for (const auto& [name, type] : types) {
    if (AttributeSchema* known = FindAttribute(name); known == nullptr) {
      DeclareAttribute(name, type);
      FindAttribute(name)->declared = false;
    } else if (known->type != type) {
      ConvertAttribute(name, type);
    }
  }
  NaiveProfile& profile = profiles_[FindOrMake(write.identifiers)];
  profile.attributes = pending.attributes;
  profile.activity_us.push_back(time_us);
  for (const AttributeWrite& a : write.attributes) {
    if (a.event_time_us != 0) profile.activity_us.push_back(a.event_time_us);
  }
  return {};
}

// ---- Events ----

void NaiveStore::DeclareEvent(const std::string& name, const std::vector<FieldSchema>& properties, std::optional<int64_t> retention_us,
                              std::optional<uint32_t> max_events) {
  if (schema_.event_type_by_name.count(Abseil(name)) == 0) {
    EventTypeId id(static_cast<uint32_t>(schema_.event_types.size()));
    schema_.event_type_by_name[name] = id.value;
    schema_.event_types.push_back({id, name});
  }
  EventTypeSchema& type = schema_.event_types[schema_.event_type_by_name[name]];
  type.retention_us = retention_us;
  type.max_events = max_events;
  for (const FieldSchema& field : properties) {
    auto known = std::find_if(type.properties.begin(), type.properties.end(), [&](const auto& p) { return p.name == field.name; });
    if (known != type.properties.end()) {
      ConvertProperty(type.id.value, known->id.value, field.type);
      known->declared = true;
    } else {
      type.properties.push_back({PropertyId(static_cast<uint32_t>(type.properties.size())), field.name, field.type, true});
    }
  }
  definitions_are_stale_ = true;
  RemoveWhatIsOut();
}

std::optional<Type> NaiveStore::PropertyTypeFor(uint32_t event_type, uint32_t property, const Value& value, Type type) const {
  if (Converted(value, type).has_value()) return type;
  if (schema_.event_types[event_type].properties[property].declared) return std::nullopt;
  std::optional<Type> wider = Wider(type, TypeOf(value));
  if (!wider.has_value() || !Converted(value, *wider).has_value()) return std::nullopt;
  for (const auto& [id, profile] : profiles_) {
    for (const NaiveEvent& event : profile.events) {
      if (event.type != event_type || event.properties.count(property) == 0) continue;
      if (!Converted(event.properties.at(property), *wider).has_value()) return std::nullopt;
    }
  }
  return wider;
}

void NaiveStore::ConvertProperty(uint32_t event_type, uint32_t property, Type to) {
  for (auto& [id, profile] : profiles_) {
    for (NaiveEvent& event : profile.events) {
      if (event.type == event_type && event.properties.count(property) > 0) {
        event.properties[property] = *Converted(event.properties[property], to);
      }
    }
  }
  schema_.event_types[event_type].properties[property].type = to;
  definitions_are_stale_ = true;
}

bool NaiveStore::HoldsMessage(const NaiveProfile& profile, const std::string& source, const std::string& message_id, int64_t now_us) const {
  return std::any_of(profile.events.begin(), profile.events.end(), [&](const NaiveEvent& held) {
    std::optional<int64_t> retention_us = schema_.event_types[held.type].retention_us;
    bool out = retention_us.has_value() && held.time_us + *retention_us <= now_us;
    return held.message_id == message_id && held.source == source && !out;
  });
}

ItemOutcome NaiveStore::Track(const EventWrite& write, const std::string& request_source) {
  int64_t time_us = write.event_time_us == 0 ? now_us_ : write.event_time_us;
  std::string source = write.source.empty() ? request_source : write.source;
  bool replay = options_.clock == ClockMode::kReplay;
  std::set<std::string> faults;
  if (!replay && time_us > now_us_ + kFutureSlackUs) faults.insert("EVENT_TOO_NEW");
  if (replay && event_seen_ && time_us - now_us_ > options_.max_step_us) faults.insert("EVENT_TOO_NEW");
  Resolved resolved = Resolve(write.identifiers);
  if (!resolved.refused.empty()) faults.insert(resolved.refused);
  bool moves = replay && time_us > now_us_;
  int64_t now_us = moves ? time_us : now_us_;

  auto known = schema_.event_type_by_name.find(Abseil(write.type));
  const EventTypeSchema* type = known == schema_.event_type_by_name.end() ? nullptr : &schema_.event_types[known->second];
  if (type != nullptr && type->retention_us.has_value() && time_us + *type->retention_us <= now_us) faults.insert("EVENT_TOO_OLD");
  bool duplicate =
      resolved.id.has_value() && !write.message_id.empty() && HoldsMessage(profiles_.at(*resolved.id), source, write.message_id, now_us);
  if (duplicate && faults.empty()) {
    event_seen_ = true;
    if (moves) AdvanceClock(time_us);  // an event arrived, if only to be recognised
    return {ItemOutcome::Kind::kDuplicate, "", {}};
  }
  std::map<std::string, Type> types;
  for (const EventProperty& property : write.properties) {
    const PropertySchema* schema = type == nullptr ? nullptr : type->FindProperty(property.name);
    if (!IsPresent(property.value)) continue;
    std::optional<Type> wider =
        schema == nullptr ? TypeOf(property.value) : PropertyTypeFor(type->id.value, schema->id.value, property.value, schema->type);
    if (!wider.has_value()) faults.insert("TYPE_CLASH");
    if (wider.has_value()) types[property.name] = *wider;
  }
  if (!faults.empty()) return Refused(faults);

  // Nothing refuses it any more.
  event_seen_ = true;
  if (moves) AdvanceClock(time_us);
  if (type == nullptr) {
    DeclareEvent(write.type, {}, std::nullopt, std::nullopt);
    type = &schema_.event_types[schema_.event_type_by_name[write.type]];
  }
  uint32_t type_id = type->id.value;
  NaiveProfile& profile = profiles_[FindOrMake(write.identifiers)];
  NaiveEvent event{type_id, time_us, next_arrival_++, source, write.message_id, {}};
  for (const EventProperty& property : write.properties) {
    if (!IsPresent(property.value)) continue;
    EventTypeSchema& held = schema_.event_types[type_id];
    const PropertySchema* schema = held.FindProperty(property.name);
    Type wanted = types[property.name];
    if (schema == nullptr) {
      held.properties.push_back({PropertyId(static_cast<uint32_t>(held.properties.size())), property.name, wanted, false});
      schema = &held.properties.back();
      definitions_are_stale_ = true;
    } else if (schema->type != wanted) {
      ConvertProperty(type_id, schema->id.value, wanted);
    }
    event.properties[schema->id.value] = *Converted(property.value, wanted);
  }
  profile.events.push_back(std::move(event));
  profile.activity_us.push_back(time_us);
  RemoveWhatIsOut(&profile);
  return {};
}

void NaiveStore::RemoveWhatIsOut(NaiveProfile* profile) {
  for (const EventTypeSchema& type : schema_.event_types) {
    std::erase_if(profile->events, [&](const NaiveEvent& e) {
      return e.type == type.id.value && type.retention_us.has_value() && e.time_us + *type.retention_us <= now_us_;
    });
    std::vector<const NaiveEvent*> held;
    for (const NaiveEvent& event : profile->events) {
      if (event.type == type.id.value) held.push_back(&event);
    }
    uint32_t limit = std::min(options_.events_hard_max, type.max_events.value_or(UINT32_MAX));
    if (held.size() <= limit) continue;
    if (limit == options_.events_hard_max && type.max_events.value_or(UINT32_MAX) > limit) profile->truncated.insert(type.id.value);
    std::sort(held.begin(), held.end(), InEventOrder);
    std::set<uint64_t> out;
    for (size_t i = 0; i < held.size() - limit; ++i) out.insert(held[i]->arrival);
    std::erase_if(profile->events, [&](const NaiveEvent& e) { return out.count(e.arrival) > 0; });
  }
}

void NaiveStore::RemoveWhatIsOut() {
  for (auto& [id, profile] : profiles_) RemoveWhatIsOut(&profile);
}

std::vector<const NaiveEvent*> NaiveStore::VisibleEvents(const NaiveProfile& profile, std::optional<uint32_t> type) const {
  std::vector<const NaiveEvent*> visible;
  for (const NaiveEvent& event : profile.events) {
    if ((!type.has_value() || event.type == *type) && event.time_us <= now_us_) visible.push_back(&event);
  }
  std::sort(visible.begin(), visible.end(), InEventOrder);
  return visible;
}

bool NaiveStore::AdvanceClock(int64_t to_us) {
  if (to_us < now_us_) return false;
  now_us_ = to_us;
  RemoveWhatIsOut();
  return true;
}

// ---- Catalog and lists ----

void NaiveStore::DefineAttribute(const std::string& name, const std::string& expression) {
  uint32_t order = attribute_texts_.count(name) > 0 ? attribute_texts_[name].first : next_definition_++;
  attribute_texts_[name] = {order, expression};
  if (FindAttribute(name) == nullptr) {
    AttributeId id(static_cast<uint32_t>(schema_.attributes.size()));
    schema_.attribute_by_name[name] = id.value;
    schema_.attributes.push_back({id, name, Type(), true, true});
  }
  definitions_are_stale_ = true;
}

void NaiveStore::DefineSegment(const std::string& name, const std::string& expression) {
  uint32_t order = segment_texts_.count(name) > 0 ? segment_texts_[name].first : next_definition_++;
  segment_texts_[name] = {order, expression};
  definitions_are_stale_ = true;
}

void NaiveStore::DropAttribute(const std::string& name) {
  attribute_texts_.erase(name);
  definitions_are_stale_ = true;
}

void NaiveStore::DropSegment(const std::string& name) {
  segment_texts_.erase(name);
  definitions_are_stale_ = true;
}

NaiveStore NaiveStore::With(uint64_t id) {
  if (definitions_are_stale_) Recompile();
  NaiveStore one(options_);
  one.now_us_ = now_us_;
  one.profiles_.emplace(id, profiles_.at(id));
  one.schema_ = schema_;
  one.lists_ = lists_;
  one.definitions_ = definitions_;
  one.time_zone_ = time_zone_;
  one.figures_ = figures_;
  return one;
}

Value NaiveStore::Figure(const std::string& name) const {
  auto it = figures_.find(name);
  return it == figures_.end() ? Value() : it->second;
}

std::optional<int64_t> NaiveStore::ExpiryOf(const std::string& segment, uint64_t id) const {
  auto list = lists_.find(segment);
  if (list == lists_.end() || list->second.count(id) == 0) return std::nullopt;
  return list->second.at(id);
}

void NaiveStore::DefineList(const std::string& name) { DefineSegment(name, ""); }

void NaiveStore::AddMember(const std::string& segment, uint64_t id, std::optional<int64_t> expires_us) { lists_[segment][id] = expires_us; }
void NaiveStore::RemoveMember(const std::string& segment, uint64_t id) { lists_[segment].erase(id); }
void NaiveStore::ClearMembers(const std::string& segment) { lists_[segment].clear(); }

bool NaiveStore::IsMember(const std::string& segment, uint64_t id) const {
  auto list = lists_.find(segment);
  if (list == lists_.end()) return false;
  auto member = list->second.find(id);
  return member != list->second.end() && (!member->second.has_value() || now_us_ < *member->second);
}

// In the order of definition, those first that use none which is not compiled yet: a changed definition may use later ones.
void NaiveStore::Recompile() {
  definitions_are_stale_ = false;
  definitions_ = {};
  schema_.version++;
  std::map<uint32_t, std::pair<bool, std::string>> open;  // whether it is a segment, and its name
  for (const auto& [name, entry] : attribute_texts_) open[entry.first] = {false, name};
  for (const auto& [name, entry] : segment_texts_) {
    if (entry.second.empty()) {
      definitions_.segments[name] = {SegmentId(entry.first), true, nullptr};
    } else {
      open[entry.first] = {true, name};
    }
  }
  std::string trouble;
  while (!open.empty()) {
    const size_t erased = std::erase_if(open, [&](const auto& entry) { return CompileDefinition(entry.first, entry.second, &trouble); });
    if (erased == 0) Stop(trouble);
  }
}

// False: something it uses is not compiled yet, or it is wrong, which `trouble` says.
bool NaiveStore::CompileDefinition(uint32_t order, const std::pair<bool, std::string>& definition, std::string* trouble) {
  const auto& [is_segment, name] = definition;
  const std::string& text = is_segment ? segment_texts_[name].second : attribute_texts_[name].second;
  StatusOr<ExpressionRef> expression = Compile(text);
  if (!expression.ok()) {
    *trouble = fmt::format("'{}' is {}: {}", name, text, MessageOf(expression.status()));
    return false;
  }
  for (const std::string& used : (*expression)->uses()) {
    const std::string attribute = used.substr(used.find('/') + 1);
    if (!used.starts_with("attributes/") || !attribute_texts_.contains(attribute)) continue;
    if (!definitions_.attributes.contains(attribute)) return false;
  }
  if (is_segment) {
    definitions_.segments[name] = {SegmentId(order), false, *expression};
  } else {
    FindAttribute(name)->type = (*expression)->type();
    definitions_.attributes[name] = *expression;
  }
  return true;
}

const Schema& NaiveStore::schema() {
  if (definitions_are_stale_) Recompile();
  return schema_;
}

const NamedDefinitions& NaiveStore::definitions() {
  if (definitions_are_stale_) Recompile();
  return definitions_;
}

StatusOr<ExpressionRef> NaiveStore::Compile(const std::string& text, const std::map<std::string, Value, std::less<>>* parameters,
                                            bool allow_unknown_names) {
  if (definitions_are_stale_) Recompile();
  CompileOptions options;
  options.schema = &schema_;
  options.definitions = &definitions_;
  options.time_zone = time_zone_;
  options.parameters = parameters;
  options.allow_unknown_names = allow_unknown_names;
  return Expression::Compile(text, options);
}

std::string NaiveStore::Dump(uint64_t id) const {
  const NaiveProfile& profile = profiles_.at(id);
  std::string out = fmt::format("profile {} at {}\n", id, FormatTimestamp({now_us_}));
  for (const std::string& identifier : profile.identifiers) out += fmt::format("  {}\n", identifier);
  for (const auto& [name, attribute] : profile.attributes) {
    out += fmt::format("  {} = {} (set {})\n", name, DisplayValue(attribute.value),
                       attribute.set_time_us == INT64_MIN ? "never" : FormatTimestamp({attribute.set_time_us}));
  }
  std::vector<const NaiveEvent*> events;
  for (const NaiveEvent& event : profile.events) events.push_back(&event);
  std::sort(events.begin(), events.end(), InEventOrder);
  for (const NaiveEvent* event : events) {
    const EventTypeSchema& type = schema_.event_types[event->type];
    out += fmt::format("  {} {}", FormatTimestamp({event->time_us}), type.name);
    for (const auto& [property, value] : event->properties)
      out += fmt::format(" {}={}", type.properties[property].name, DisplayValue(value));
    out += "\n";
  }
  return out;
}

}  // namespace korrel::twin
