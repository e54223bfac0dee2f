#include "clients/cli/jsonl.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "absl/container/flat_hash_map.h"

namespace korrel::cli {

namespace ondemand = simdjson::ondemand;

namespace {
constexpr int kDepthMax = 32;
}

struct JsonLinesParser::State {
  ondemand::parser parser;
  std::string padded;  // the line with the room behind it that simdjson reads over
  std::vector<std::string> columns;
  absl::flat_hash_map<std::string, size_t> index;
  std::string path;

  // The first thing wrong that is not simdjson's to find.
  std::string refusal;

  bool Refuse(std::string text) {
    if (refusal.empty()) refusal = std::move(text);
    return false;
  }
  Cell* CellFor(Row* row);
  bool ReadObject(ondemand::object object, int depth, Row* row);
  bool ReadValue(ondemand::value value, int depth, Row* row);
  bool ReadString(ondemand::value value, std::string* text);
  bool ReadSet(ondemand::array array, Row* row);
  bool ReadLine(Row* row);

  simdjson::error_code error = simdjson::SUCCESS;
  bool Failed(simdjson::error_code code) {
    if (code != simdjson::SUCCESS && error == simdjson::SUCCESS) error = code;
    return code != simdjson::SUCCESS;
  }
};

JsonLinesParser::JsonLinesParser(const std::vector<std::string>& columns) : state_(std::make_unique<State>()) {
  state_->columns = columns;
  for (size_t i = 0; i < columns.size(); ++i) state_->index.emplace(columns[i], i);
}

JsonLinesParser::~JsonLinesParser() = default;
const std::vector<std::string>& JsonLinesParser::columns() const { return state_->columns; }

Cell* JsonLinesParser::State::CellFor(Row* row) {
  auto [found, is_new] = index.try_emplace(path, columns.size());
  if (is_new) {
    if (columns.size() == kColumnsMax) {
      index.erase(found);
      Refuse(fmt::format("the file has more than {} different names", kColumnsMax));
      return nullptr;
    }
    columns.push_back(path);
  }
  if (row->cells.size() <= found->second) row->cells.resize(found->second + 1);
  Cell* cell = &row->cells[found->second];
  if (cell->form != CellForm::kEmpty) {
    Refuse(fmt::format("'{}' stands twice", path));
    return nullptr;
  }
  return cell;
}

bool JsonLinesParser::State::ReadString(ondemand::value value, std::string* text) {
  std::string_view view;
  if (Failed(value.get_string().get(view))) return false;
  text->assign(view);
  return true;
}

bool JsonLinesParser::State::ReadSet(ondemand::array array, Row* row) {
  StringSet& set = row->NewSet();
  for (auto element : array) {
    ondemand::value value;
    ondemand::json_type type;
    if (Failed(element.get(value)) || Failed(value.type().get(type))) return false;
    if (type != ondemand::json_type::string) return Refuse(fmt::format("'{}' is a list of something else than strings", path));
    if (set.size() == kSetItemsMax) return Refuse(fmt::format("'{}' has more than {} items", path, kSetItemsMax));
    if (!ReadString(value, &set.emplace_back())) return false;
  }
  Cell* cell = CellFor(row);
  if (cell == nullptr) return false;
  cell->form = CellForm::kSet;
  cell->set = &set;
  return true;
}

// The text of a number or literal: simdjson's raw token runs up to the next one, blanks included.
static std::string_view Trimmed(std::string_view token) {
  const size_t end = token.find_last_not_of(" \t\r\n");
  return token.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

bool JsonLinesParser::State::ReadValue(ondemand::value value, int depth, Row* row) {
  ondemand::json_type type;
  if (Failed(value.type().get(type))) return false;
  if (type == ondemand::json_type::object) {
    ondemand::object object;
    return !Failed(value.get_object().get(object)) && ReadObject(object, depth + 1, row);
  }
  if (type == ondemand::json_type::array) {
    ondemand::array array;
    return !Failed(value.get_array().get(array)) && ReadSet(array, row);
  }
  if (type == ondemand::json_type::null) {
    bool null = false;
    if (Failed(value.is_null().get(null))) return false;
    return CellFor(row) != nullptr;
  }
  std::string& text = row->NewText();
  Cell cell{CellForm::kString, {}, nullptr};
  if (type == ondemand::json_type::string) {
    if (!ReadString(value, &text)) return false;
  } else if (type == ondemand::json_type::boolean) {
    bool truth = false;
    if (Failed(value.get_bool().get(truth))) return false;
    text = truth ? "true" : "false";
    cell.form = CellForm::kBool;
  } else {
    text = Trimmed(value.raw_json_token());
    double number = 0;
    const auto code = value.get_double().get(number);  // checks the grammar; the text keeps the digits
    if (code == simdjson::NUMBER_ERROR && !text.empty())
      return Refuse(fmt::format("'{}' is {}: not a number a double could hold", path, text));
    if (Failed(code)) return false;
    cell.form = CellForm::kNumber;
  }
  cell.text = text;
  Cell* place = CellFor(row);
  if (place == nullptr) return false;
  *place = cell;
  return true;
}

bool JsonLinesParser::State::ReadObject(ondemand::object object, int depth, Row* row) {
  if (depth > kDepthMax) return Refuse(fmt::format("objects are nested more than {} deep", kDepthMax));
  const size_t length = path.size();
  for (auto element : object) {
    ondemand::field field;
    std::string_view name;
    if (Failed(std::move(element).get(field)) || Failed(field.unescaped_key().get(name))) return false;
    if (name.empty()) return Refuse(length == 0 ? "a name is empty" : fmt::format("a name inside '{}' is empty", path));
    if (length > 0) path += '.';
    path += name;
    if (!ReadValue(field.value(), depth, row)) return false;
    path.resize(length);
  }
  return true;
}

bool JsonLinesParser::State::ReadLine(Row* row) {
  ondemand::document document;
  if (Failed(parser.iterate(padded.data(), row->raw.size(), padded.size()).get(document))) {
    row->problem = fmt::format("not JSON: {}", simdjson::error_message(error));
    return false;
  }
  ondemand::object object;
  const bool read = !Failed(document.get_object().get(object)) && ReadObject(object, 1, row);
  const char* place = nullptr;
  const bool at_end = document.current_location().get(place) == simdjson::OUT_OF_BOUNDS;
  if (read && at_end) return true;
  if (!refusal.empty()) {
    row->problem = refusal;
    return false;
  }
  const size_t column = at_end || place == nullptr ? row->raw.size() + 1 : static_cast<size_t>(place - padded.data()) + 1;
  row->problem = read ? fmt::format("column {}: more follows the end of the object", column)
                      : fmt::format("column {}: not a JSON object: {}", column, simdjson::error_message(error));
  return false;
}

size_t JsonLinesParser::Parse(std::string_view text, bool at_end, Row* row) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos && !at_end) return 0;
  const size_t used = end == std::string_view::npos ? text.size() : end + 1;
  row->Clear();
  row->raw = text.substr(0, used);
  while (!row->raw.empty() && (row->raw.back() == '\n' || row->raw.back() == '\r' || row->raw.back() == ' ')) row->raw.remove_suffix(1);
  if (row->raw.empty()) return used;
  State& state = *state_;
  state.padded.assign(row->raw);
  state.padded.append(simdjson::SIMDJSON_PADDING, ' ');
  state.path.clear();
  state.refusal.clear();
  state.error = simdjson::SUCCESS;
  if (!state.ReadLine(row)) row->splits = false;
  return used;
}

}  // namespace korrel::cli
