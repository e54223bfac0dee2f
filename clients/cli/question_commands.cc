// Questions about everybody: count, query, breakdown, sample, overlap, explain.
#include "clients/cli/question_commands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>

#include "clients/cli/assignment.h"
#include "clients/cli/import_options.h"
#include "clients/cli/profile_rows.h"

namespace korrel::cli {
namespace {

constexpr uint64_t kOrderedMax = 1'000'000;  // the most an ordered query answers
constexpr size_t kTableRowsAtOnce = 2'000;   // what the widths of a streamed table are taken from

StatusOr<v1::Selection> MakeSelection(Client* client, const SelectionOptions& options) {
  // On the wire no expression is everybody; typed, it is an empty variable of a script more often than a wish.
  if (options.expression.empty()) return InvalidArgument("SYNTAX", "", "the expression is empty; write true for everybody");
  v1::Selection selection;
  selection.set_expression(options.expression);
  selection.set_allow_unknown_names(options.allow_unknown_names);
  if (options.parameters.empty()) return selection;
  KORREL_ASSIGN_OR_RETURN(const absl::TimeZone zone, CatalogZone(client));
  for (const std::string& text : options.parameters) {
    KORREL_ASSIGN_OR_RETURN(const Assignment assignment, ParseAssignment(text, zone));
    if (assignment.operation != v1::ATTRIBUTE_OPERATION_SET)
      return InvalidArgument("USAGE", "", fmt::format("--param: '{}' is not NAME=VALUE", text));
    v1::Parameter* parameter = selection.add_parameters();
    parameter->set_name(assignment.name);
    ToWire(assignment.value, parameter->mutable_value());
  }
  return selection;
}

// What stands in every answer of the service.
template <class Response>
void PutNotes(const Response& response, JsonWriter* json) {
  PutPositions(response.positions(), json);
  json->Key("now_us").Time(response.now_us());
  json->Key("truncated_count").Uint(response.truncated_count()).Key("filling").Strings(response.filling());
}

template <class Response>
void WarnTruncated(const Context& context, const Response& response) {
  if (response.truncated_count() == 0 || context.format == OutputFormat::kJson) return;
  context.err << fmt::format("note: the histories of {} profiles were cut at the limit of events; the answer rests on what is held\n",
                             response.truncated_count());
}

Status PrintCount(const Context& context, Client* client, const SelectionOptions& options) {
  v1::CountRequest request;
  KORREL_ASSIGN_OR_RETURN(*request.mutable_selection(), MakeSelection(client, options));
  KORREL_ASSIGN_OR_RETURN(const auto response, client->Count(request));
  if (context.format == OutputFormat::kJson) {
    JsonWriter json;
    json.BeginObject().Key("count").Uint(response.count()).Key("normal_form").String(response.normal_form());
    PutNotes(response, &json);
    context.out << json.EndObject().TakeLine();
  } else {
    context.out << response.count() << "\n";  // alone, so that a script can use it
  }
  WarnTruncated(context, response);
  return absl::OkStatus();
}

// Prints the messages of a query as they come.
class QueryPrinter {
 public:
  explicit QueryPrinter(const Context& context) : context_(context) {}

  Status Print(const v1::QueryResponse& response, const v1::Schema& schema) {
    KORREL_ASSIGN_OR_RETURN(const ProfileRows rows, ProfileRows::Make(response.profile_ids(), response.identifiers()));
    v1::Batch nothing;
    nothing.set_size(static_cast<uint32_t>(rows.names.size()));
    const bool has_fields = response.batch().vectors_size() > 0;
    static const v1::Schema no_fields;
    KORREL_ASSIGN_OR_RETURN(const BatchView fields,
                            BatchView::Make(has_fields ? response.batch() : nothing, has_fields ? schema : no_fields));
    if (fields.rows() < rows.names.size()) return MakeError(absl::StatusCode::kDataLoss, "", "", "the server's answer has too few rows");
    if (!table_) table_ = std::make_unique<Table>(ProfileRows::Header(schema));
    for (size_t row = 0; row < rows.names.size(); ++row) {
      if (context_.format == OutputFormat::kJson) {
        rows.PutRow(row, fields, &json_);
        context_.out << json_.TakeLine();
      } else {
        table_->Add(rows.Cells(row, fields));
        if (table_->rows() == kTableRowsAtOnce) Flush();
      }
    }
    return absl::OkStatus();
  }

  void Finish() {
    if (table_ && context_.format != OutputFormat::kJson && (table_->rows() > 0 || with_header_)) Flush();
  }

 private:
  void Flush() {
    context_.out << (context_.format == OutputFormat::kCsv ? table_->Csv(with_header_) : table_->Text(with_header_));
    table_->Clear();
    with_header_ = false;
  }

  const Context& context_;
  std::unique_ptr<Table> table_;
  JsonWriter json_;
  bool with_header_ = true;
};

Status PrintQuery(const Context& context, Client* client, const QueryOptions& options) {
  v1::QueryRequest request;
  KORREL_ASSIGN_OR_RETURN(*request.mutable_selection(), MakeSelection(client, options.selection));
  for (const std::string& expression : SplitExpressions(options.select)) request.add_select(expression);
  for (const std::string& type : SplitList(options.identifiers)) request.add_identifier_types(type);
  if (!options.order_by.empty()) {
    request.mutable_order_by()->set_by(options.order_by);
    request.mutable_order_by()->set_descending(options.descending);
  }
  const bool all_ordered = options.limit == 0 && !options.order_by.empty();  // an ordered query must have a limit
  request.set_limit(all_ordered ? kOrderedMax : options.limit);
  const auto reader = client->Query(std::move(request));
  QueryPrinter printer(context);
  v1::QueryResponse response;
  uint64_t printed = 0;
  while (true) {
    KORREL_ASSIGN_OR_RETURN(const bool more, reader->Next(&response));
    if (!more) break;
    KORREL_RETURN_IF_ERROR(printer.Print(response, reader->schema()));
    printed += static_cast<uint64_t>(response.profile_ids_size());
  }
  printer.Finish();
  if (all_ordered && printed == kOrderedMax) {
    context.err << "note: the answer ends at 1,000,000 profiles, the most an ordered query answers; more may match\n";
  }
  WarnTruncated(context, response);
  return absl::OkStatus();
}

struct BreakdownOptions {
  SelectionOptions selection;
  std::string by;
  std::vector<std::string> sums;
  uint32_t limit = 0;
};

// A group's value in a table: an absent one must not look like an empty string.
std::string GroupText(const Value& value) { return IsPresent(value) ? PlainValue(value) : "(absent)"; }

Status PrintBreakdown(const Context& context, Client* client, const BreakdownOptions& options) {
  v1::BreakdownRequest request;
  KORREL_ASSIGN_OR_RETURN(*request.mutable_selection(), MakeSelection(client, options.selection));
  for (const std::string& by : SplitExpressions(options.by)) request.add_by(by);
  for (const std::string& sum : options.sums) request.add_measures()->set_of(sum);
  request.set_limit(options.limit);
  KORREL_ASSIGN_OR_RETURN(const auto response, client->Breakdown(request));
  KORREL_ASSIGN_OR_RETURN(const BatchView groups, BatchView::Make(response.groups(), response.groups().schema()));
  std::vector<std::string> header;
  for (size_t field = 0; field < groups.fields(); ++field) header.push_back(groups.name(field));
  Table table(header);
  JsonWriter json;
  json.BeginObject().Key("groups").BeginArray();
  for (size_t row = 0; row < groups.rows(); ++row) {
    std::vector<std::string> cells;
    json.BeginObject();
    for (size_t field = 0; field < groups.fields(); ++field) {
      const Value value = groups.Get(field, row);
      json.Key(groups.name(field)).Put(value);
      cells.push_back(static_cast<int>(field) < request.by_size() && context.format == OutputFormat::kTable ? GroupText(value)
                                                                                                            : PlainValue(value));
    }
    json.EndObject();
    table.Add(std::move(cells));
  }
  json.EndArray().Key("total_count").Uint(response.total_count()).Key("other_count").Uint(response.other_count());
  json.Key("groups_overlap").Bool(response.groups_overlap());
  PutNotes(response, &json);
  json.EndObject();
  context.Print(table, json);
  if (context.format == OutputFormat::kTable) {
    context.out << fmt::format("total {}{}{}\n", response.total_count(),
                               response.other_count() > 0 ? fmt::format(", {} of them in further groups", response.other_count()) : "",
                               response.groups_overlap() ? "; a profile can be in several groups, so they add to more" : "");
  }
  WarnTruncated(context, response);
  return absl::OkStatus();
}

struct SampleOptions {
  SelectionOptions selection;
  uint32_t size = 10;
  uint64_t seed = 0;
  std::string select;
};

Status PrintSample(const Context& context, Client* client, const SampleOptions& options) {
  v1::SampleRequest request;
  KORREL_ASSIGN_OR_RETURN(*request.mutable_selection(), MakeSelection(client, options.selection));
  request.set_size(options.size);
  request.set_seed(options.seed);
  request.add_identifier_types("*");
  for (const std::string& expression : SplitExpressions(options.select)) request.add_select(expression);
  KORREL_ASSIGN_OR_RETURN(auto response, client->Sample(request));
  KORREL_ASSIGN_OR_RETURN(const ProfileRows rows, ProfileRows::Make(response.profile_ids(), response.identifiers()));
  if (response.batch().vectors_size() == 0) response.mutable_batch()->set_size(static_cast<uint32_t>(rows.names.size()));
  KORREL_ASSIGN_OR_RETURN(const BatchView fields, BatchView::Make(response.batch(), response.batch().schema()));
  if (fields.rows() < rows.names.size()) return MakeError(absl::StatusCode::kDataLoss, "", "", "the server's answer has too few rows");
  Table table(ProfileRows::Header(response.batch().schema()));
  JsonWriter json;
  json.BeginObject().Key("profiles").BeginArray();
  for (size_t row = 0; row < rows.names.size(); ++row) {
    rows.PutRow(row, fields, &json);
    table.Add(rows.Cells(row, fields));
  }
  json.EndArray().Key("member_count").Uint(response.member_count());
  PutNotes(response, &json);
  json.EndObject();
  context.Print(table, json);
  if (context.format == OutputFormat::kTable) context.out << fmt::format("{} of {}\n", rows.names.size(), response.member_count());
  return absl::OkStatus();
}

template <class Numbers, class Put>
void PutMatrix(std::string_view key, const Numbers& numbers, int size, Put put, JsonWriter* json) {
  json->Key(key).BeginArray();
  for (int row = 0; row < size; ++row) {
    json->BeginArray();
    for (int column = 0; column < size; ++column) put(numbers[row * size + column]);
    json->EndArray();
  }
  json->EndArray();
}

void PrintOverlapTables(const Context& context, const std::vector<std::string>& expressions, const v1::OverlapResponse& response) {
  const int size = static_cast<int>(expressions.size());
  std::vector<std::string> header = {"", "expression"};
  for (int i = 1; i <= size; ++i) header.push_back(fmt::format("& {}", i));
  for (int i = 1; i <= size; ++i) header.push_back(fmt::format("jaccard {}", i));
  for (int i = 1; i <= size; ++i) header.push_back(fmt::format("lift {}", i));
  Table table(header);
  for (int row = 0; row < size; ++row) {
    std::vector<std::string> cells = {fmt::format("{}", row + 1), expressions[static_cast<size_t>(row)]};
    for (int i = 0; i < size; ++i) cells.push_back(fmt::format("{}", response.counts(row * size + i)));
    for (int i = 0; i < size; ++i) cells.push_back(fmt::format("{:.4f}", response.jaccard(row * size + i)));
    for (int i = 0; i < size; ++i) cells.push_back(fmt::format("{:.4f}", response.lift(row * size + i)));
    table.Add(std::move(cells));
  }
  context.out << (context.format == OutputFormat::kCsv ? table.Csv() : table.Text());
  if (context.format == OutputFormat::kTable) context.out << fmt::format("population {}\n", response.population_count());
}

Status PrintOverlap(const Context& context, Client* client, const std::vector<std::string>& expressions) {
  v1::OverlapRequest request;
  for (const std::string& expression : expressions) request.add_selections()->set_expression(expression);
  KORREL_ASSIGN_OR_RETURN(const auto response, client->Overlap(request));
  const int size = static_cast<int>(expressions.size());
  if (response.counts_size() != size * size || response.jaccard_size() != size * size || response.lift_size() != size * size) {
    return MakeError(absl::StatusCode::kDataLoss, "", "", "the server's answer has too few numbers");
  }
  if (context.format != OutputFormat::kJson) {
    PrintOverlapTables(context, expressions, response);
    return absl::OkStatus();
  }
  JsonWriter json;
  json.BeginObject();
  PutMatrix(
      "counts", response.counts(), size, [&](uint64_t number) { json.Uint(number); }, &json);
  json.Key("population_count").Uint(response.population_count());
  PutMatrix(
      "jaccard", response.jaccard(), size, [&](double number) { json.Double(number); }, &json);
  PutMatrix(
      "lift", response.lift(), size, [&](double number) { json.Double(number); }, &json);
  PutNotes(response, &json);
  context.out << json.EndObject().TakeLine();
  return absl::OkStatus();
}

constexpr int kPlanDepthMax = 200;  // deeper than any expression may be

void PutPlan(const v1::PlanNode& node, bool for_profile, int depth, JsonWriter* json) {
  json->BeginObject().Key("text").String(node.text()).Key("type").String(TypeName(FromWire(node.type(), 0)));
  if (for_profile) {
    json->Key("truth").Bool(node.truth()).Key("needed").String(node.needed()).Key("actual").Put(FromWire(node.actual()));
    json->Key("valid_until_us").Time(node.valid_until_us());
  } else {
    json->Key("profile_count").Uint(node.profile_count()).Key("absent_count").Uint(node.absent_count());
    json->Key("blocks_read").Uint(node.blocks_read()).Key("blocks_pruned").Uint(node.blocks_pruned());
    json->Key("duration_ns").Int(node.duration_ns()).Key("access").String(node.access());
  }
  json->Key("inputs").BeginArray();
  if (depth < kPlanDepthMax) {
    for (const v1::PlanNode& input : node.inputs()) PutPlan(input, for_profile, depth + 1, json);
  }
  json->EndArray().EndObject();
}

void AddPlanRows(const v1::PlanNode& node, bool for_profile, int depth, Table* table) {
  const std::string text = std::string(static_cast<size_t>(2 * depth), ' ') + node.text();
  if (for_profile) {
    const std::string until = node.valid_until_us() == 0 ? "" : FormatTimestamp(Timestamp{node.valid_until_us()});
    table->Add({text, node.truth() ? "yes" : "no", node.needed(), GroupText(FromWire(node.actual())), until});
  } else {
    table->Add({text, fmt::format("{}", node.profile_count()), fmt::format("{}", node.absent_count()), node.access(),
                fmt::format("{}", node.blocks_read()), fmt::format("{}", node.blocks_pruned()),
                fmt::format("{:.1f}", static_cast<double>(node.duration_ns()) / 1'000)});
  }
  if (depth >= kPlanDepthMax) return;
  for (const v1::PlanNode& input : node.inputs()) AddPlanRows(input, for_profile, depth + 1, table);
}

Status PrintExplain(const Context& context, Client* client, const SelectionOptions& options, const std::string& profile) {
  v1::ExplainRequest request;
  KORREL_ASSIGN_OR_RETURN(*request.mutable_selection(), MakeSelection(client, options));
  request.set_profile(profile);
  KORREL_ASSIGN_OR_RETURN(const auto response, client->Explain(request));
  const bool for_profile = !profile.empty();
  Table table(for_profile ? std::vector<std::string>{"part", "holds", "needed", "actual", "until"}
                          : std::vector<std::string>{"part", "profiles", "absent", "access", "blocks read", "pruned", "µs"});
  AddPlanRows(response.plan(), for_profile, 0, &table);
  JsonWriter json;
  json.BeginObject().Key("normal_form").String(response.normal_form()).Key("plan");
  PutPlan(response.plan(), for_profile, 0, &json);
  PutNotes(response, &json);
  json.EndObject();
  context.Print(table, json);
  return absl::OkStatus();
}

// Connects, runs, and turns the status into an exit code.
template <class Ask>
int WithClient(const Context& context, Ask ask) {
  auto client = context.Connect();
  if (!client.ok()) return context.Fail(client.status());
  const Status status = ask(client->get());
  return status.ok() ? kDone : context.Fail(status);
}

void AddSelection(CLI::App* command, SelectionOptions* options) {
  command->add_option("EXPR", options->expression, "which profiles; see docs/expressions.md")->required();
  command->add_option("--param", options->parameters, "NAME=VALUE for @NAME in the expression; may be repeated")->allow_extra_args(false);
  command->add_flag("--allow-unknown-names", options->allow_unknown_names, "an unknown name is absent instead of an error");
}

}  // namespace

std::string InSegment(std::string_view name) {
  std::string text = "in segment '";
  for (const char c : name) {
    text += c;
    if (c == '\'') text += c;
  }
  return text + "'";
}

int RunCount(const Context& context, const SelectionOptions& options) {
  return WithClient(context, [&](Client* client) { return PrintCount(context, client, options); });
}

int RunQuery(const Context& context, const QueryOptions& options) {
  return WithClient(context, [&](Client* client) { return PrintQuery(context, client, options); });
}

void AddQuestionCommands(CLI::App* app, Context* context, Command* chosen) {
  const auto count = std::make_shared<SelectionOptions>();
  CLI::App* command = AddCommand(
      app, "count", "how many profiles match: the number alone\n\n  korrel count \"country = 'NL' and age >= @min\" --param min=18");
  AddSelection(command, count.get());
  command->callback([=] { *chosen = [=] { return RunCount(*context, *count); }; });

  const auto query = std::make_shared<QueryOptions>();
  command = AddCommand(app, "query",
                       "the profiles that match, with chosen attributes or expressions\n\n  korrel query \"age >= 18\" --select "
                       "age,country,\"count(order)\" --order-by spend --descending --limit 10");
  AddSelection(command, &query->selection);
  command->add_option("--select", query->select, "attributes or expressions, separated by commas");
  command->add_option("--order-by", query->order_by, "attribute or expression; absent last, ties by profile id");
  command->add_flag("--descending", query->descending, "largest first");
  command->add_option("--limit", query->limit, "at most so many (default: all; with --order-by 1,000,000, which is the most)");
  command->add_option("--identifiers", query->identifiers, "types of identifiers to show, * for all")->capture_default_str();
  command->callback([=] { *chosen = [=] { return RunQuery(*context, *query); }; });

  const auto breakdown = std::make_shared<BreakdownOptions>();
  command = AddCommand(app, "breakdown",
                       "count the profiles that match in groups\n\n  korrel breakdown true --by country,tier --sum \"sum(order.amount)\"");
  AddSelection(command, &breakdown->selection);
  command->add_option("--by", breakdown->by, "attributes or expressions that make the groups; none: one group");
  command->add_option("--sum", breakdown->sums, "number to sum, average, and take min and max of; may be repeated")
      ->allow_extra_args(false);
  command->add_option("--limit", breakdown->limit, "at most so many groups (default 1,000)");
  command->callback([=] {
    *chosen = [=] { return WithClient(*context, [&](Client* client) { return PrintBreakdown(*context, client, *breakdown); }); };
  });

  const auto sample = std::make_shared<SampleOptions>();
  command = AddCommand(app, "sample",
                       "a uniform sample of the profiles that match, repeatable by its seed\n\n  korrel sample \"age >= 18\" --size 5 "
                       "--seed 1 --select age");
  AddSelection(command, &sample->selection);
  command->add_option("--size", sample->size, "how many")->required();
  command->add_option("--seed", sample->seed, "the same seed gives the same sample")->required();
  command->add_option("--select", sample->select, "attributes or expressions, separated by commas");
  command->callback(
      [=] { *chosen = [=] { return WithClient(*context, [&](Client* client) { return PrintSample(*context, client, *sample); }); }; });

  const auto expressions = std::make_shared<std::vector<std::string>>();
  command =
      AddCommand(app, "overlap",
                 "how many profiles every two expressions share\n\n  korrel overlap \"country = 'NL'\" \"tier = 'gold'\" \"age < 30\"");
  command->add_option("EXPR", *expressions, "two or more expressions")->required();
  command->callback([=] {
    *chosen = [=] { return WithClient(*context, [&](Client* client) { return PrintOverlap(*context, client, *expressions); }); };
  });

  const auto explain = std::make_shared<SelectionOptions>();
  const auto profile = std::make_shared<std::string>();
  command = AddCommand(app, "explain",
                       "how an expression is evaluated, or what it needed and found for one profile\n\n  korrel explain \"age >= 18 and "
                       "country = 'NL'\" --profile crm:1");
  AddSelection(command, explain.get());
  command->add_option("--profile", *profile, "TYPE:VALUE");
  command->callback([=] {
    *chosen = [=] { return WithClient(*context, [&](Client* client) { return PrintExplain(*context, client, *explain, *profile); }); };
  });
}

}  // namespace korrel::cli
