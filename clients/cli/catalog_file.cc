#include "clients/cli/catalog_file.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "clients/cli/time_text.h"
#include "clients/cpp/values.h"

namespace korrel::cli {
namespace {

constexpr size_t kFileBytesMax = 16 << 20;
constexpr size_t kDefinitionsMax = 10'000;
constexpr std::string_view kQuoteAdvice = "put the expression into quotes, or into a block after '|'";

// Reads one file. A problem is thrown inside as Problem and leaves by Read as a status; YAML-cpp throws its own.
class Reader {
 public:
  Reader(std::string_view text, const std::string& file, Catalog* catalog) : text_(text), file_(file), catalog_(catalog) {
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      lines_.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }

  Status Read() {
    try {
      for (const YAML::Node& document : YAML::LoadAll(std::string(text_))) {
        if (!document.IsNull()) ReadDocument(document);
      }
    } catch (const Problem& problem) {
      return InvalidArgument("CATALOG", "", problem.text);
    } catch (const YAML::Exception& error) {
      return InvalidArgument("CATALOG", "", YamlProblem(error));
    }
    return absl::OkStatus();
  }

 private:
  struct Problem {
    std::string text;
  };

  std::string Place(const YAML::Mark& mark) const { return fmt::format("{}:{}:{}", file_, mark.line + 1, mark.column + 1); }
  [[noreturn]] void Fail(const YAML::Node& node, const std::string& text) const {
    throw Problem{fmt::format("{}: {}", Place(node.Mark()), text)};
  }

  std::string YamlProblem(const YAML::Exception& error) const {
    if (error.mark.is_null()) return fmt::format("{}: {}", file_, error.msg);
    std::string text = fmt::format("{}: {}", Place(error.mark), error.msg);
    const auto line = static_cast<size_t>(error.mark.line);
    if (line < lines_.size()) text += fmt::format("\n    {}", lines_[line]);
    return text + fmt::format("\n  (an expression that begins with a quote or holds ': ' cannot stand bare: {})", kQuoteAdvice);
  }

  void ReadDocument(const YAML::Node& document) {
    if (!document.IsMap()) Fail(document, "a catalog is a map of time_zone, events, attributes, segments, population");
    for (const auto& member : document) {
      const std::string key = Text(member.first, "a key");
      if (key == "time_zone") {
        ReadZone(member.second);
      } else if (key == "events") {
        ForEach(member.second, key, [this](const YAML::Node& node) { ReadEvent(node); });
      } else if (key == "attributes") {
        ForEach(member.second, key, [this](const YAML::Node& node) { ReadAttribute(node); });
      } else if (key == "segments") {
        ForEach(member.second, key, [this](const YAML::Node& node) { ReadSegment(node); });
      } else if (key == "population") {
        ForEach(member.second, key, [this](const YAML::Node& node) { ReadFigure(node); });
      } else {
        RefuseKey(member.first, key, {"time_zone", "events", "attributes", "segments", "population"});
      }
    }
  }

  [[noreturn]] void RefuseKey(const YAML::Node& node, const std::string& key, const std::vector<std::string_view>& known) const {
    constexpr std::string_view kLater[] = {"context", "actions", "identity", "identifiers", "purposes", "consent", "groups"};
    if (node.Mark().column == 0 && std::find(std::begin(kLater), std::end(kLater), key) != std::end(kLater)) {
      Fail(node, fmt::format("'{}' is not available in this version", key));
    }
    std::string names;
    for (const std::string_view name : known) names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
    const std::string suggestion = Suggestion(key, known);
    std::string text =
        fmt::format("unknown key '{}'; {}", key, suggestion.empty() ? "known are " + names : "did you mean '" + suggestion + "'?");
    if (key.find_first_of("'\"()[]=<> ") != std::string::npos) {
      text += fmt::format(" An expression with a comma or brackets inside {{…}} cannot stand bare: {}.", kQuoteAdvice);
    }
    Fail(node, text);
  }

  template <class Each>
  void ForEach(const YAML::Node& list, const std::string& key, Each each) {
    if (list.IsNull()) return;
    if (!list.IsSequence()) Fail(list, fmt::format("'{}' is a list: lines that begin with '- '", key));
    for (const YAML::Node& item : list) {
      if (!item.IsMap()) Fail(item, fmt::format("an item of '{}' is a map with a name, as in {{name: …}}", key));
      if (catalog_->entries.size() == kDefinitionsMax) Fail(item, fmt::format("more than {} definitions", kDefinitionsMax));
      each(item);
    }
  }

  std::string Text(const YAML::Node& node, std::string_view what) const {
    if (!node.IsScalar()) Fail(node, fmt::format("{} is a text", what));
    return node.Scalar();
  }

  void ReadZone(const YAML::Node& node) {
    const std::string zone = Text(node, "time_zone");
    absl::TimeZone ignored;
    if (!absl::LoadTimeZone(zone, &ignored))
      Fail(node, fmt::format("unknown time zone '{}'; write an IANA name such as Europe/Amsterdam", zone));
    if (!catalog_->time_zone.empty() && catalog_->time_zone != zone) {
      Fail(node, fmt::format("time_zone is '{}' here and '{}' before", zone, catalog_->time_zone));
    }
    catalog_->time_zone = zone;
  }

  // The entry with its name, and every other member given to `member`, which says whether it knows the key.
  template <class Member>
  void ReadItem(const YAML::Node& item, const std::string& folder, const std::vector<std::string_view>& known, Member member) {
    CatalogEntry entry;
    entry.file = file_;
    entry.line = item.Mark().line + 1;
    const YAML::Node name = item["name"];
    if (!name) Fail(item, "a definition needs a name");
    if (Status status = CheckName(Text(name, "name"), "name"); !status.ok()) Fail(name, std::string(MessageOf(status)));
    entry.definition.set_name(folder + "/" + name.Scalar());
    std::vector<std::string> seen;
    for (const auto& pair : item) {
      const std::string key = Text(pair.first, "a key");
      if (std::find(seen.begin(), seen.end(), key) != seen.end()) Fail(pair.first, fmt::format("'{}' stands twice", key));
      seen.push_back(key);
      if (key != "name" && !member(&entry, key, pair.second)) RefuseKey(pair.first, key, known);
    }
    catalog_->entries.push_back(std::move(entry));
  }

  int64_t Duration(const YAML::Node& node, const std::string& key) const {
    const auto us = ParseDurationUs(Text(node, key));
    if (!us || *us == 0) Fail(node, fmt::format("'{}' is not a duration of up to 100 years; write 400d, 12h, 30m", node.Scalar()));
    return *us;
  }

  Type TypeOf(const YAML::Node& node) const {
    const auto type = ParseTypeName(Text(node, "a type"));
    if (type && ToWire(*type) != v1::VALUE_TYPE_UNSPECIFIED) return *type;
    const std::string suggestion = Suggestion(node.Scalar(), {"bool", "int", "decimal(2)", "double", "string", "timestamp", "set"});
    Fail(node, fmt::format("'{}' is not a type; {}", node.Scalar(),
                           suggestion.empty() ? "types are bool int decimal(S) double string timestamp set"
                                              : "did you mean '" + suggestion + "'?"));
  }

  void ReadEvent(const YAML::Node& item) {
    ReadItem(item, "events", {"name", "properties", "retention", "max_events", "description"},
             [this](CatalogEntry* entry, const std::string& key, const YAML::Node& value) {
               v1::EventDefinition* event = entry->definition.mutable_event();
               if (key == "properties") {
                 ReadProperties(value, event);
               } else if (key == "retention") {
                 event->set_retention_us(Duration(value, key));
               } else if (key == "max_events") {
                 event->set_max_events(Count(value, key));
               } else if (key == "description") {
                 event->set_description(Text(value, key));
               } else {
                 return false;
               }
               return true;
             });
    catalog_->entries.back().definition.mutable_event();  // also where nothing but the name is given
  }

  uint32_t Count(const YAML::Node& node, const std::string& key) const {
    uint32_t count = 0;
    if (!YAML::convert<uint32_t>::decode(node, count) || count == 0) Fail(node, fmt::format("{} is a number from 1", key));
    return count;
  }

  void ReadProperties(const YAML::Node& node, v1::EventDefinition* event) const {
    if (!node.IsMap()) Fail(node, "properties is a map of names and types, as in {amount: decimal(2)}");
    for (const auto& pair : node) {
      const std::string name = Text(pair.first, "a property's name");
      if (Status status = CheckName(name, "property"); !status.ok()) Fail(pair.first, std::string(MessageOf(status)));
      for (const v1::Field& field : event->properties()) {
        if (field.name() == name) Fail(pair.first, fmt::format("property '{}' stands twice", name));
      }
      const Type type = TypeOf(pair.second);
      v1::Field* field = event->add_properties();
      field->set_name(name);
      field->set_type(ToWire(type));
      field->set_scale(type.scale);
    }
  }

  void ReadAttribute(const YAML::Node& item) {
    ReadItem(item, "attributes", {"name", "type", "is", "description", "unit", "sensitivity", "retention"},
             [this](CatalogEntry* entry, const std::string& key, const YAML::Node& value) {
               v1::AttributeDefinition* attribute = entry->definition.mutable_attribute();
               if (key == "type") {
                 const Type type = TypeOf(value);
                 attribute->set_type(ToWire(type));
                 attribute->set_scale(type.scale);
               } else if (key == "is") {
                 attribute->set_expression(Expression(value, key, entry));
               } else if (key == "description") {
                 attribute->set_description(Text(value, key));
               } else if (key == "unit") {
                 attribute->set_unit(Text(value, key));
               } else if (key == "sensitivity") {
                 attribute->set_sensitivity(Text(value, key));
               } else if (key == "retention") {
                 attribute->set_retention_us(Duration(value, key));
               } else {
                 return false;
               }
               return true;
             });
    catalog_->entries.back().definition.mutable_attribute();
  }

  void ReadSegment(const YAML::Node& item) {
    ReadItem(item, "segments", {"name", "where", "static", "description"},
             [this](CatalogEntry* entry, const std::string& key, const YAML::Node& value) {
               v1::SegmentDefinition* segment = entry->definition.mutable_segment();
               if (key == "where") {
                 segment->set_expression(Expression(value, key, entry));
               } else if (key == "static") {
                 bool truth = false;
                 if (!YAML::convert<bool>::decode(value, truth)) Fail(value, "static is true or false");
                 segment->set_static_(truth);
               } else if (key == "description") {
                 segment->set_description(Text(value, key));
               } else {
                 return false;
               }
               return true;
             });
    const v1::SegmentDefinition& segment = *catalog_->entries.back().definition.mutable_segment();
    if (segment.static_() == segment.expression().empty()) return;
    Fail(item, "a segment has either 'where: EXPRESSION' or 'static: true'");
  }

  void ReadFigure(const YAML::Node& item) {
    ReadItem(item, "population", {"name", "is", "every", "description"},
             [this](CatalogEntry* entry, const std::string& key, const YAML::Node& value) {
               v1::PopulationDefinition* figure = entry->definition.mutable_population();
               if (key == "is") {
                 figure->set_expression(Expression(value, key, entry));
               } else if (key == "every") {
                 figure->set_every_us(Duration(value, key));
               } else if (key == "description") {
                 figure->set_description(Text(value, key));
               } else {
                 return false;
               }
               return true;
             });
    const v1::PopulationDefinition& figure = *catalog_->entries.back().definition.mutable_population();
    if (figure.expression().empty()) Fail(item, "a figure needs 'is', as in is: quantile(spend_90d, 0.9)");
    if (figure.every_us() == 0) Fail(item, "a figure needs 'every', as in every: 1h");
  }

  // A bare scalar ends at ' #': what follows is a comment to YAML. It is one to the reader too only if nothing is left open.
  std::string Expression(const YAML::Node& node, const std::string& key, CatalogEntry* entry) const {
    const std::string text = Text(node, key);
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) Fail(node, fmt::format("'{}' is empty", key));
    entry->expression_line = node.Mark().line + 1;
    const auto line = static_cast<size_t>(node.Mark().line);
    if (node.Tag() == "?" && line < lines_.size() && LeavesOpen(text)) {
      const std::string_view source = lines_[line];
      const size_t comment = source.find(" #", static_cast<size_t>(std::max(0, node.Mark().column)));
      if (comment != std::string_view::npos) {
        Fail(node, fmt::format("the rest of the line was cut off at ' #', which begins a comment in YAML: {}\n    {}\n    {}^",
                               kQuoteAdvice, source, std::string(comment + 1, ' ')));
      }
    }
    if (node.Tag() == "?" && LeavesOpen(text) && line < lines_.size() && lines_[line].find('{') != std::string_view::npos) {
      Fail(node, fmt::format("the expression '{}' was cut off; inside {{…}} a comma or bracket ends it: {}", text, kQuoteAdvice));
    }
    return text;
  }

  // Whether a quote or parenthesis is not closed.
  static bool LeavesOpen(std::string_view text) {
    char quote = '\0';
    int depth = 0;
    for (const char c : text) {
      if (quote != '\0') {
        if (c == quote) quote = '\0';
      } else if (c == '\'' || c == '"') {
        quote = c;
      } else if (c == '(') {
        ++depth;
      } else if (c == ')') {
        --depth;
      }
    }
    return quote != '\0' || depth > 0;
  }

  std::string_view text_;
  const std::string& file_;
  Catalog* catalog_;
  std::vector<std::string_view> lines_;
};

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string Suggestion(std::string_view word, const std::vector<std::string_view>& candidates) {
  if (word.size() > kNameBytesMax) return {};
  size_t best = word.size() / 3 + 1;
  std::string suggestion;
  for (const std::string_view candidate : candidates) {
    const size_t distance = EditDistance(word, candidate);
    if (distance >= best) continue;
    best = distance;
    suggestion = candidate;
  }
  return suggestion;
}

Status Catalog::CheckNames() const {
  absl::flat_hash_map<std::string, const CatalogEntry*> seen;
  for (const CatalogEntry& entry : entries) {
    const auto [found, is_new] = seen.emplace(entry.definition.name(), &entry);
    if (is_new) continue;
    return InvalidArgument("CATALOG", "",
                           fmt::format("{}:{}: {} is defined already at {}:{}", entry.file, entry.line, entry.definition.name(),
                                       found->second->file, found->second->line));
  }
  return absl::OkStatus();
}

Status ReadCatalogText(std::string_view text, const std::string& file, Catalog* catalog) {
  if (!IsValidUtf8(text)) return InvalidArgument("CATALOG", "", fmt::format("{}: not valid UTF-8", file));
  return Reader(text, file, catalog).Read();
}

namespace {

// Read to its end rather than measured first: it may be a pipe.
StatusOr<std::string> ReadSmallFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  std::array<char, 64 << 10> piece;
  while (file && text.size() <= kFileBytesMax) {
    file.read(piece.data(), piece.size());
    text.append(piece.data(), static_cast<size_t>(file.gcount()));
  }
  if (text.size() > kFileBytesMax) return InvalidArgument("CATALOG", "", fmt::format("'{}' is larger than {} bytes", path, kFileBytesMax));
  if (file.eof()) return text;
  return MakeError(absl::StatusCode::kNotFound, "FILE", "", fmt::format("cannot read '{}': {}", path, std::strerror(errno)));
}

}  // namespace

StatusOr<Catalog> ReadCatalogFiles(const std::vector<std::string>& files) {
  Catalog catalog;
  for (const std::string& path : files) {
    KORREL_ASSIGN_OR_RETURN(const std::string text, ReadSmallFile(path));
    KORREL_RETURN_IF_ERROR(ReadCatalogText(text, path, &catalog));
  }
  KORREL_RETURN_IF_ERROR(catalog.CheckNames());
  return catalog;
}

}  // namespace korrel::cli
