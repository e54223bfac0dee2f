#include "engine/mutation.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <limits>

namespace korrel {
namespace {

constexpr uint8_t kRecordVersion = 1;
enum class RecordKind : uint8_t {
  kShardPart = 1,
  kCatalog = 2,
  kClock = 3,
  kTurn = 4,
  kFilled = 5,
  kPopulation = 6,
  kShardPartWithFlips = 7,
};

uint64_t ZigZag(int64_t v) { return (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63); }
int64_t UnZigZag(uint64_t v) { return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1); }
// Distances wrap, so that any two times have one and no arithmetic overflows.
int64_t Distance(int64_t a, int64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b)); }
int64_t Moved(int64_t a, int64_t by) { return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(by)); }

// The two archives have the same methods, so that one function per struct lists its fields for both directions.
class Encoder {
 public:
  explicit Encoder(std::string* out) : out_(out) {}
  static constexpr bool kReading = false;
  bool failed() const { return false; }

  void Byte(uint8_t v) { out_->push_back(static_cast<char>(v)); }
  void Unsigned(uint64_t v) {
    char bytes[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) bytes[n++] = static_cast<char>(v | 0x80);
    bytes[n++] = static_cast<char>(v);
    out_->append(bytes, n);
  }
  void Signed(int64_t v) { Unsigned(ZigZag(v)); }
  void Fixed64(uint64_t v) {
    char bytes[8];
    for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(v >> (8 * i));
    out_->append(bytes, 8);
  }
  void Text(std::string_view text) {
    Unsigned(text.size());
    out_->append(text);
  }
  template <class T, class Each>
  void List(const std::vector<T>& list, Each each) {
    Unsigned(list.size());
    for (const T& item : list) each(item);
  }

 private:
  std::string* out_;
};

class Decoder {
 public:
  explicit Decoder(std::string_view in) : in_(in) {}
  static constexpr bool kReading = true;
  bool failed() const { return failure_ != nullptr; }
  const char* failure() const { return failure_; }
  bool at_end() const { return in_.empty(); }
  void Fail(const char* what) {
    if (!failure_) failure_ = what;
    in_ = {};
  }

  void Byte(uint8_t& v) {
    v = 0;
    if (in_.empty()) return Fail("it ends early");
    v = static_cast<uint8_t>(in_.front());
    in_.remove_prefix(1);
  }
  void Unsigned(uint64_t& v) {
    v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      uint8_t byte;
      Byte(byte);
      if (failed()) return;
      if (shift == 63 && byte > 1) break;
      v |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return;
    }
    Fail("a number is too long");
  }
  void Signed(int64_t& v) {
    uint64_t raw;
    Unsigned(raw);
    v = UnZigZag(raw);
  }
  void Fixed64(uint64_t& v) {
    v = 0;
    if (in_.size() < 8) return Fail("it ends early");
    for (int i = 0; i < 8; ++i) v |= uint64_t{static_cast<uint8_t>(in_[i])} << (8 * i);
    in_.remove_prefix(8);
  }
  void Text(std::string& text) {
    uint64_t size;
    Unsigned(size);
    if (size > in_.size()) return Fail("a text is longer than the record");
    text.assign(in_.substr(0, size));
    in_.remove_prefix(size);
  }
  // Grows item by item, and every item costs at least one byte of input: a lying count cannot take memory.
  template <class T, class Each>
  void List(std::vector<T>& list, Each each) {
    uint64_t size;
    Unsigned(size);
    if (size > in_.size()) return Fail("a list is longer than the record");
    for (uint64_t i = 0; i < size && !failed(); ++i) each(list.emplace_back());
  }

 private:
  std::string_view in_;
  const char* failure_ = nullptr;
};

// ---- Scalars ----

template <class A, class T>
void Number(A& a, T& v) {
  if constexpr (A::kReading) {
    uint64_t raw;
    a.Unsigned(raw);
    if (raw > std::numeric_limits<std::remove_const_t<T>>::max()) return a.Fail("a number is out of range");
    v = static_cast<T>(raw);
  } else {
    a.Unsigned(v);
  }
}

template <class A, class T>
void IdField(A& a, T& id) {
  Number(a, id.value);
}

template <class A, class T>
void Flag(A& a, T& v) {
  if constexpr (A::kReading) {
    uint8_t byte;
    a.Byte(byte);
    if (byte > 1) return a.Fail("a flag is neither 0 nor 1");
    v = byte == 1;
  } else {
    a.Byte(v ? 1 : 0);
  }
}

template <class A, class T>
void Enum(A& a, T& v, uint8_t first, uint8_t last) {
  if constexpr (A::kReading) {
    uint8_t byte;
    a.Byte(byte);
    if (byte < first || byte > last) return a.Fail("an unknown code");
    v = static_cast<T>(byte);
  } else {
    a.Byte(static_cast<uint8_t>(v));
  }
}

template <class A, class T>
void Time(A& a, T& time_us, int64_t now_us) {
  if constexpr (A::kReading) {
    int64_t distance;
    a.Signed(distance);
    time_us = Moved(now_us, distance);
  } else {
    a.Signed(Distance(time_us, now_us));
  }
}

template <class A, class T, class Each>
void Optional(A& a, T& v, Each each) {
  bool present = false;
  if constexpr (!A::kReading) present = v.has_value();
  Flag(a, present);
  if (!present || a.failed()) return;
  if constexpr (A::kReading) v.emplace();
  each(*v);
}

template <class A, class T>
void TypeField(A& a, T& type) {
  Enum(a, type.kind, 0, static_cast<uint8_t>(ValueKind::kDuration));
  if (type.kind != ValueKind::kDecimal) return;
  Number(a, type.scale);
  if constexpr (A::kReading) {
    if (type.scale > 18) a.Fail("a scale over 18");
  }
}

// ---- Values ----

void ValueField(Encoder& a, const Value& value) {
  a.Byte(static_cast<uint8_t>(value.index()));
  struct Put {
    Encoder& a;
    void operator()(std::monostate) {}
    void operator()(bool v) { a.Byte(v); }
    void operator()(int64_t v) { a.Signed(v); }
    void operator()(const Decimal& v) {
      a.Byte(v.scale);
      a.Signed(v.unscaled);
    }
    void operator()(double v) { a.Fixed64(std::bit_cast<uint64_t>(v)); }
    void operator()(const std::string& v) { a.Text(v); }
    void operator()(const Timestamp& v) { a.Signed(v.us); }
    void operator()(const StringSet& v) {
      a.List(v, [this](const std::string& item) { a.Text(item); });
    }
  };
  std::visit(Put{a}, value);
}

template <class T>
T& Make(Value& value) {
  return value.emplace<T>();
}

void ReadValueOf(Decoder& a, uint8_t index, Value& value) {
  switch (index) {
    case 0:
      value = {};
      return;
    case 1:
      return Flag(a, Make<bool>(value));
    case 2:
      return a.Signed(Make<int64_t>(value));
    case 3: {
      Decimal& decimal = Make<Decimal>(value);
      a.Byte(decimal.scale);
      return a.Signed(decimal.unscaled);
    }
    case 4: {
      uint64_t bits;
      a.Fixed64(bits);
      value = std::bit_cast<double>(bits);
      return;
    }
    case 5:
      return a.Text(Make<std::string>(value));
    case 6:
      return a.Signed(Make<Timestamp>(value).us);
    case 7:
      return a.List(Make<StringSet>(value), [&a](std::string& item) { a.Text(item); });
    default:
      a.Fail("an unknown kind of value");
  }
}

// A value that breaks the invariants of storage/value.h was not written by Encoder.
void ValueField(Decoder& a, Value& value) {
  uint8_t index;
  a.Byte(index);
  ReadValueOf(a, index, value);
  if (a.failed() || index == 0) return;
  if (!Normalize(&value, "").ok()) a.Fail("a value out of bounds");
}

// ---- Profiles ----

template <class A, class T>
void IdentifierField(A& a, T& identifier) {
  IdField(a, identifier.type);
  a.Text(identifier.text);
}

template <class A, class T>
void AttributeField(A& a, T& change, int64_t now_us) {
  IdField(a, change.attribute);
  Enum(a, change.operation, 1, static_cast<uint8_t>(AttributeOperation::kMax));
  ValueField(a, change.value);
  Time(a, change.event_time_us, now_us);
  IdField(a, change.source);
}

template <class A, class T>
void EventField(A& a, T& change, int64_t now_us) {
  IdField(a, change.type);
  Time(a, change.event.time_us, now_us);
  a.Fixed64(change.event.message_hash);
  IdField(a, change.event.source);
  a.List(change.event.properties, [&a](auto& property) {
    IdField(a, property.first);
    ValueField(a, property.second);
  });
}

template <class A, class T>
void MemberField(A& a, T& change, int64_t now_us) {
  IdField(a, change.segment);
  Flag(a, change.is_member);
  Optional(a, change.expires_us, [&](auto& time_us) { Time(a, time_us, now_us); });
}

template <class A, class T>
void ChangeFields(A& a, T& change) {
  IdField(a, change.profile);
  a.Signed(change.now_us);
  Flag(a, change.creates);
  Flag(a, change.deletes);
  a.List(change.identifiers, [&a](auto& identifier) { IdentifierField(a, identifier); });
  Optional(a, change.event_time_us, [&](auto& time_us) { Time(a, time_us, change.now_us); });
  a.List(change.attributes, [&](auto& attribute) { AttributeField(a, attribute, change.now_us); });
  a.List(change.events, [&](auto& event) { EventField(a, event, change.now_us); });
  a.List(change.members, [&](auto& member) { MemberField(a, member, change.now_us); });
}

template <class A, class T>
void FlipList(A& a, T& flips, int64_t now_us) {
  a.List(flips, [&](auto& flip) {
    IdField(a, flip.segment);
    Flag(a, flip.entered);
    Time(a, flip.time_us, now_us);
    Enum(a, flip.cause, 1, static_cast<uint8_t>(ChangeCause::kErasure));
  });
}

template <class A, class T>
void ChangeWithFlips(A& a, T& change) {
  ChangeFields(a, change);
  FlipList(a, change.flips, change.now_us);
}

// ---- Turns ----

template <class A, class T>
void TurnFields(A& a, T& turn) {
  Enum(a, turn.kind, 1, static_cast<uint8_t>(TurnMutation::Kind::kCatchUp));
  a.Signed(turn.now_us);
  a.List(turn.profiles, [&](auto& profile) {
    IdField(a, profile.profile);
    FlipList(a, profile.flips, turn.now_us);
  });
}

template <class A, class T>
void FilledFields(A& a, T& filled) {
  a.Signed(filled.now_us);
  Number(a, filled.revision);
}

template <class A, class T>
void PopulationFields(A& a, T& population) {
  a.Signed(population.now_us);
  a.List(population.figures, [&](auto& figure) {
    a.Text(figure.name);
    ValueField(a, figure.value);
    Time(a, figure.published_us, population.now_us);
  });
}

// ---- Catalog ----

template <class A, class T>
void AttributeEntry(A& a, T& entry) {
  IdField(a, entry.id);
  a.Text(entry.name);
  TypeField(a, entry.type);
  Flag(a, entry.declared);
  Flag(a, entry.computed);
  Flag(a, entry.dropped);
}

template <class A, class T>
void PropertyEntry(A& a, T& entry) {
  IdField(a, entry.id);
  a.Text(entry.name);
  TypeField(a, entry.type);
  Flag(a, entry.declared);
}

template <class A, class T>
void EventTypeEntry(A& a, T& entry) {
  IdField(a, entry.id);
  a.Text(entry.name);
  a.List(entry.properties, [&a](auto& property) { PropertyEntry(a, property); });
  Optional(a, entry.retention_us, [&a](auto& us) { a.Signed(us); });
  Optional(a, entry.max_events, [&a](auto& count) { Number(a, count); });
  Flag(a, entry.dropped);
}

template <class A, class T>
void DefinitionEntry(A& a, T& definition) {
  a.Text(definition.name);
  Enum(a, definition.kind, 0, static_cast<uint8_t>(DefinitionKind::kPopulation));
  auto& attribute = definition.attribute;
  Optional(a, attribute.type, [&a](auto& type) { TypeField(a, type); });
  a.Text(attribute.expression);
  a.Text(attribute.description);
  a.Text(attribute.unit);
  a.Text(attribute.sensitivity);
  a.Signed(attribute.retention_us);
  auto& event = definition.event;
  a.List(event.properties, [&a](auto& property) {
    a.Text(property.name);
    TypeField(a, property.type);
  });
  a.Signed(event.retention_us);
  Number(a, event.max_events);
  a.Text(event.description);
  auto& segment = definition.segment;
  a.Text(segment.expression);
  Flag(a, segment.is_static);
  a.Text(segment.description);
  if (definition.kind != DefinitionKind::kPopulation) return;
  auto& population = definition.population;
  a.Text(population.expression);
  a.Signed(population.every_us);
  a.Text(population.description);
}

template <class A, class T>
void CatalogFields(A& a, T& m) {
  a.Signed(m.now_us);
  a.List(m.attributes, [&a](auto& entry) { AttributeEntry(a, entry); });
  a.List(m.event_types, [&a](auto& entry) { EventTypeEntry(a, entry); });
  Number(a, m.first_identifier_type);
  a.List(m.identifier_types, [&a](auto& name) { a.Text(name); });
  Number(a, m.first_source);
  a.List(m.sources, [&a](auto& name) { a.Text(name); });
  Optional(a, m.time_zone, [&a](auto& zone) { a.Text(zone); });
  a.List(m.definitions, [&a](auto& definition) { DefinitionEntry(a, definition); });
  a.List(m.removed, [&a](auto& name) { a.Text(name); });
  a.List(m.segment_ids, [&a](auto& segment) {
    a.Text(segment.first);
    IdField(a, segment.second);
  });
  Number(a, m.revision);
  a.List(m.data, [&a](auto& action) {
    Enum(a, action.kind, 1, static_cast<uint8_t>(DataAction::Kind::kDropList));
    Number(a, action.id);
    TypeField(a, action.type);
  });
}

Status BadRecord(std::string_view what) {
  return MakeError(absl::StatusCode::kDataLoss, "RECORD", "", fmt::format("a log record cannot be read: {}", what));
}

size_t ValueBytesMax(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return 12 + text->size();
  const auto* set = std::get_if<StringSet>(&value);
  if (!set) return 12;
  size_t bytes = 12;
  for (const std::string& item : *set) bytes += 10 + item.size();
  return bytes;
}

std::string BeginRecord(RecordKind kind) { return {static_cast<char>(kRecordVersion), static_cast<char>(kind)}; }

// The fields of a mutation that is not a shard part, for either archive.
template <class A>
struct FieldsOf {
  A& a;
  void operator()(auto& m) {
    using M = std::remove_cvref_t<decltype(m)>;
    if constexpr (std::is_same_v<M, CatalogMutation>) {
      CatalogFields(a, m);
    } else if constexpr (std::is_same_v<M, ClockMutation>) {
      a.Signed(m.to_us);
    } else if constexpr (std::is_same_v<M, TurnMutation>) {
      TurnFields(a, m);
    } else if constexpr (std::is_same_v<M, FilledMutation>) {
      FilledFields(a, m);
    } else if constexpr (std::is_same_v<M, PopulationMutation>) {
      PopulationFields(a, m);
    }
  }
};

RecordKind KindOf(const Mutation& mutation) {
  constexpr RecordKind kKinds[] = {RecordKind::kShardPart, RecordKind::kCatalog, RecordKind::kClock,
                                   RecordKind::kTurn,      RecordKind::kFilled,  RecordKind::kPopulation};
  static_assert(std::size(kKinds) == std::variant_size_v<Mutation>);
  return kKinds[mutation.index()];
}

StatusOr<RecordKind> ReadHeader(Decoder* decoder) {
  uint8_t version, kind;
  decoder->Byte(version);
  decoder->Byte(kind);
  if (decoder->failed()) return BadRecord("it ends early");
  if (version != kRecordVersion) return BadRecord(fmt::format("it has version {}, this program knows {}", version, kRecordVersion));
  if (kind < static_cast<uint8_t>(RecordKind::kShardPart) || kind > static_cast<uint8_t>(RecordKind::kShardPartWithFlips)) {
    return BadRecord(fmt::format("it is of unknown kind {}", kind));
  }
  return static_cast<RecordKind>(kind);
}

Status CheckEnd(const Decoder& decoder) {
  if (decoder.failed()) return BadRecord(decoder.failure());
  return decoder.at_end() ? absl::OkStatus() : BadRecord("bytes are left over");
}

void ReadShardPart(Decoder& decoder, bool with_flips, ShardMutation* part) {
  while (!decoder.at_end() && !decoder.failed()) {
    ProfileChange& change = part->changes.emplace_back();
    with_flips ? ChangeWithFlips(decoder, change) : ChangeFields(decoder, change);
  }
}

void ReadBody(Decoder& decoder, RecordKind kind, Mutation* result) {
  FieldsOf<Decoder> fields{decoder};
  switch (kind) {
    case RecordKind::kShardPart:
    case RecordKind::kShardPartWithFlips:
      return ReadShardPart(decoder, kind == RecordKind::kShardPartWithFlips, &result->emplace<ShardMutation>());
    case RecordKind::kCatalog:
      return fields(result->emplace<CatalogMutation>());
    case RecordKind::kClock:
      return fields(result->emplace<ClockMutation>());
    case RecordKind::kTurn:
      return fields(result->emplace<TurnMutation>());
    case RecordKind::kFilled:
      return fields(result->emplace<FilledMutation>());
    case RecordKind::kPopulation:
      return fields(result->emplace<PopulationMutation>());
  }
}

}  // namespace

ShardRecordWriter::ShardRecordWriter() : record_(BeginRecord(RecordKind::kShardPart)) {}

void ShardRecordWriter::Add(const ProfileChange& change) {
  if (!has_flips_ && !change.flips.empty()) MakeRoomForFlips();
  Encoder encoder(&record_);
  has_flips_ ? ChangeWithFlips(encoder, change) : ChangeFields(encoder, change);
  ends_.push_back(record_.size());
}

// The changes written so far had none: an empty list behind each.
void ShardRecordWriter::MakeRoomForFlips() {
  has_flips_ = true;
  std::string with = BeginRecord(RecordKind::kShardPartWithFlips);
  with.reserve(record_.size() + ends_.size());
  size_t begin = with.size();
  for (size_t end : ends_) {
    with.append(record_, begin, end - begin);
    with.push_back(0);
    begin = end;
  }
  record_ = std::move(with);
}

size_t EncodedBytesMax(const ProfileChange& change) {
  size_t bytes = 64 + change.members.size() * 32;
  for (const Identifier& identifier : change.identifiers) bytes += 16 + identifier.text.size();
  for (const AttributeChange& attribute : change.attributes) bytes += 32 + ValueBytesMax(attribute.value);
  for (const EventChange& event : change.events) {
    bytes += 48;
    for (const auto& [property, value] : event.event.properties) bytes += 8 + ValueBytesMax(value);
  }
  return bytes;
}

std::string EncodeMutation(const Mutation& mutation) {
  if (const auto* part = std::get_if<ShardMutation>(&mutation)) {
    ShardRecordWriter writer;
    for (const ProfileChange& change : part->changes) writer.Add(change);
    return std::move(writer).Take();
  }
  std::string record = BeginRecord(KindOf(mutation));
  Encoder encoder(&record);
  std::visit(FieldsOf<Encoder>{encoder}, mutation);
  return record;
}

StatusOr<Mutation> DecodeMutation(std::string_view record) {
  Decoder decoder(record);
  KORREL_ASSIGN_OR_RETURN(RecordKind kind, ReadHeader(&decoder));
  Mutation result;
  ReadBody(decoder, kind, &result);
  KORREL_RETURN_IF_ERROR(CheckEnd(decoder));
  return result;
}

StatusOr<std::vector<ProfileFlips>> FlipsIn(std::string_view record) {
  Decoder decoder(record);
  KORREL_ASSIGN_OR_RETURN(RecordKind kind, ReadHeader(&decoder));
  std::vector<ProfileFlips> flips;
  if (kind != RecordKind::kShardPartWithFlips && kind != RecordKind::kTurn) return flips;
  KORREL_ASSIGN_OR_RETURN(Mutation mutation, DecodeMutation(record));
  if (auto* turn = std::get_if<TurnMutation>(&mutation)) {
    for (TurnMutation::Profile& profile : turn->profiles) flips.push_back({profile.profile, std::move(profile.flips)});
    return flips;
  }
  for (ProfileChange& change : std::get<ShardMutation>(mutation).changes) {
    if (!change.flips.empty()) flips.push_back({change.profile, std::move(change.flips)});
  }
  return flips;
}

}  // namespace korrel
