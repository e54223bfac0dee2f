#include "clients/cli/import_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "clients/cli/output.h"

namespace korrel::cli {
namespace {

Status Usage(const std::string& message) { return InvalidArgument("USAGE", "", message); }

std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

class Planner {
 public:
  Planner(const ImportOptions& options, const Survey& survey, const ServerFacts& facts)
      : options_(options), survey_(survey), facts_(facts) {}

  StatusOr<ImportPlan> Make() {
    KORREL_RETURN_IF_ERROR(Rename());
    KORREL_RETURN_IF_ERROR(PlanIdentifiers());
    KORREL_RETURN_IF_ERROR(PlanTime());
    KORREL_RETURN_IF_ERROR(PlanMessageIds());
    KORREL_RETURN_IF_ERROR(PlanValues());
    if (!options_.until.empty()) {
      plan_.until_us = ParseTimeUs(options_.until, DateFormat::kYearFirst, facts_.zone);
      if (!plan_.until_us) return Usage(fmt::format("--until: '{}' is not a time", options_.until));
      if (!plan_.time) return Usage("--until needs --time");
    }
    plan_.unset_empty = options_.empty == "unset";
    return std::move(plan_);
  }

 private:
  StatusOr<size_t> Find(std::string_view option, std::string_view name) const {
    const auto found = std::find(plan_.names.begin(), plan_.names.end(), name);
    if (found != plan_.names.end()) return static_cast<size_t>(found - plan_.names.begin());
    return Usage(fmt::format("{}: the file has no column '{}'; it has {}", option, name, Joined(plan_.names)));
  }

  Status Rename() {
    KORREL_ASSIGN_OR_RETURN(const auto renames, ParseRenames(options_.rename));
    plan_.names = survey_.columns;
    std::vector<std::pair<size_t, std::string>> changes;
    for (const auto& [before, after] : renames) {
      KORREL_ASSIGN_OR_RETURN(const size_t column, Find("--rename", before));
      changes.emplace_back(column, after);
    }
    for (auto& [column, name] : changes) plan_.names[column] = name;
    absl::flat_hash_set<std::string> seen;
    for (const std::string& name : plan_.names) {
      if (!seen.insert(name).second) return Usage(fmt::format("--rename: two columns would be called '{}'", name));
    }
    used_.resize(plan_.names.size());
    return absl::OkStatus();
  }

  Status PlanIdentifiers() {
    KORREL_ASSIGN_OR_RETURN(const auto columns, ParseIdentifierColumns(options_.ids));
    for (const IdentifierColumn& column : columns) {
      KORREL_ASSIGN_OR_RETURN(const size_t index, Find("--id", column.column));
      plan_.identifiers.push_back({index, column.type});
      used_[index] = true;
    }
    return absl::OkStatus();
  }

  // The way a column of times is written; an error where day and month cannot be told apart.
  StatusOr<DateFormat> Dates(size_t column) const {
    if (!options_.date_format.empty()) return *ParseDateFormatName(options_.date_format);
    const ColumnGuess& guess = survey_.guesses[column];
    if (guess.AmbiguousDates(survey_.style.point)) {
      return Usage(fmt::format("column '{}' holds dates in which day and month cannot be told apart; say --date-format dmy or mdy",
                               plan_.names[column]));
    }
    const auto only = guess.OnlyDateFormat(survey_.style.point);
    return only ? *only : DateFormat::kYearFirst;
  }

  Status PlanTime() {
    plan_.time_style = Style();
    if (options_.time.empty()) return absl::OkStatus();
    KORREL_ASSIGN_OR_RETURN(const size_t column, Find("--time", options_.time));
    KORREL_ASSIGN_OR_RETURN(plan_.time_style.dates, Dates(column));
    const auto type = survey_.guesses[column].Narrowest(survey_.style.point, std::nullopt);
    if (type && IsNumber(*type) && options_.date_format.empty()) {
      return Usage(fmt::format("--time: column '{}' holds numbers; say --date-format unix, unix_ms or unix_us", options_.time));
    }
    plan_.time = column;
    used_[column] = true;
    return absl::OkStatus();
  }

  Status PlanMessageIds() {
    for (const std::string& name : SplitList(options_.message_id)) {
      KORREL_ASSIGN_OR_RETURN(const size_t column, Find("--message-id", name));
      plan_.message_ids.push_back(column);
      used_[column] = true;
    }
    return absl::OkStatus();
  }

  CellStyle Style() const {
    CellStyle style;
    style.point = survey_.style.point;
    style.zone = facts_.zone;
    style.round = options_.round;
    return style;
  }

  Status PlanValues() {
    KORREL_ASSIGN_OR_RETURN(const auto declared, ParseTypes(options_.types));
    absl::flat_hash_map<size_t, DeclaredType> declared_of;
    for (const DeclaredType& type : declared) {
      KORREL_ASSIGN_OR_RETURN(const size_t column, Find("--types", type.column));
      if (used_[column])
        return Usage(fmt::format("--types: column '{}' is an identifier, time or message id and is not stored", type.column));
      declared_of[column] = type;
    }
    for (const std::string& name : SplitList(options_.skip)) {
      KORREL_ASSIGN_OR_RETURN(const size_t column, Find("--skip", name));
      used_[column] = true;
    }
    for (size_t column = 0; column < plan_.names.size(); ++column) {
      if (used_[column]) continue;
      const auto found = declared_of.find(column);
      KORREL_RETURN_IF_ERROR(PlanValue(column, found == declared_of.end() ? nullptr : &found->second));
    }
    return absl::OkStatus();
  }

  Status PlanValue(size_t column, const DeclaredType* declared) {
    PlannedValue value{column, plan_.names[column], {}, Style(), ""};
    KORREL_RETURN_IF_ERROR(CheckName(value.name, options_.events ? "property" : "attribute"));
    if (std::find(facts_.computed.begin(), facts_.computed.end(), value.name) != facts_.computed.end()) {
      return Usage(fmt::format("attribute '{0}' is computed and cannot be written; leave the column out with --skip {0}, or --rename it",
                               value.name));
    }
    const ColumnGuess& guess = survey_.guesses[column];
    if (declared != nullptr) {
      value.type = declared->type;
      value.style.set_separator = declared->set_separator;
      value.note = "--types";
    } else if (const auto type = Choose(column, &value.note)) {
      value.type = *type;
    } else {
      plan_.empty_columns.push_back(value.name);
      if (options_.empty != "unset") return absl::OkStatus();
      value.type = kStringType;
    }
    if (value.type == kTimestampType) {
      KORREL_ASSIGN_OR_RETURN(value.style.dates, Dates(column));
    } else if (declared == nullptr && value.type == kStringType && guess.AmbiguousDates(survey_.style.point)) {
      value.note = "dates whose day and month cannot be told apart; for timestamps say --date-format dmy or mdy";
    }
    plan_.values.push_back(std::move(value));
    return absl::OkStatus();
  }

  std::optional<Type> Choose(size_t column, std::string* note) const {
    std::optional<DateFormat> dates;
    if (!options_.date_format.empty()) dates = ParseDateFormatName(options_.date_format);
    if (dates && *dates > DateFormat::kMonthFirst) dates = DateFormat::kYearFirst;  // Unix counts are never guessed
    const ColumnGuess& guess = survey_.guesses[column];
    const char point = survey_.style.point;
    auto narrowest = guess.Narrowest(point, dates);
    if (!narrowest && dates) narrowest = guess.Narrowest(point, std::nullopt);
    if (!narrowest) return std::nullopt;
    const auto known = facts_.types.find(plan_.names[column]);
    if (known != facts_.types.end() && UseKnown(known->second, *narrowest)) {
      *note = "as the database has it";
      return known->second;
    }
    if (*narrowest == kStringType) *note = guess.StringBecause(point);
    return narrowest;
  }

  // A number stays what the file says, so that the database may widen; its own type is right where text would not be read as a
  // number at all, for doubles, which hold the nearest value, and for rounding.
  bool UseKnown(Type known, Type narrowest) const {
    if (known.kind == ValueKind::kNone) return false;
    if (!IsNumber(known) || !IsNumber(narrowest)) return true;
    if (known == kDoubleType) return narrowest != kIntType;
    return options_.round;
  }

  const ImportOptions& options_;
  const Survey& survey_;
  const ServerFacts& facts_;
  ImportPlan plan_;
  std::vector<bool> used_;
};

std::string DescribeStyle(const FileStyle& style, const Survey& survey) {
  std::string text = style.packed ? "gzip, " : "";
  if (style.format == FileFormat::kJsonLines) {
    text += "JSON lines";
  } else {
    text += fmt::format("CSV, delimiter {} ({}), decimal {}", DelimiterName(style.delimiter),
                        style.delimiter == '\t' ? "\\t" : std::string(1, style.delimiter), style.point == ',' ? "comma" : "point");
    if (!style.header) text += ", no header";
  }
  text += fmt::format(", {}{}", EncodingName(style.encoding), style.had_byte_order_mark ? " with byte-order mark" : "");
  return text + fmt::format("; {} rows", survey.rows);
}

std::string ZoneNote(const CellStyle& style, const ServerFacts& facts) {
  return fmt::format("{}, without a zone in {}", DateFormatName(style.dates), facts.zone_name);
}

}  // namespace

StatusOr<ImportPlan> MakePlan(const ImportOptions& options, const Survey& survey, const ServerFacts& facts) {
  return Planner(options, survey, facts).Make();
}

std::string DescribePlan(const ImportOptions& options, const Survey& survey, const ImportPlan& plan, const ServerFacts& facts) {
  std::vector<std::string> use(plan.names.size(), "not loaded");
  std::vector<std::string> note(plan.names.size());
  for (const PlannedValue& value : plan.values) {
    use[value.column] = TypeName(value.type);
    note[value.column] = value.note;
    if (value.type == kTimestampType && value.note.empty()) note[value.column] = ZoneNote(value.style, facts);
    if (value.style.set_separator != '\0') use[value.column] = fmt::format("set({})", value.style.set_separator);
  }
  for (const size_t column : plan.message_ids) use[column] = "message id";
  for (const std::string& name : plan.empty_columns) {
    const auto column = std::find(plan.names.begin(), plan.names.end(), name) - plan.names.begin();
    note[static_cast<size_t>(column)] = "no value in any row";
  }
  if (plan.time) {
    use[*plan.time] = "time";
    note[*plan.time] = ZoneNote(plan.time_style, facts);
  }
  for (const PlannedIdentifier& id : plan.identifiers) use[id.column] = fmt::format("identifier {}", id.type);

  Table table({"column", "read as", "first row", "second", "third", "note"});
  for (size_t i = 0; i < plan.names.size(); ++i) {
    std::vector<std::string> row = {plan.names[i], use[i]};
    for (size_t head = 0; head < 3; ++head) {
      row.push_back(head < survey.head.size() && i < survey.head[head].size() ? Shortened(survey.head[head][i], 24) : "");
    }
    row.push_back(note[i]);
    table.Add(std::move(row));
  }
  return fmt::format("{}: {}\n{}", options.file, DescribeStyle(survey.style, survey), table.Text());
}

}  // namespace korrel::cli
