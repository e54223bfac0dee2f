#include "clients/cli/cli.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "clients/cli/time_text.h"

namespace korrel::cli {
namespace {

constexpr char kDescription[] = R"(korrel asks and feeds a Korrel server.

  korrel apply catalog.yaml
  korrel import profiles people.csv --id customer_id
  korrel import events orders.csv.gz --type order --id customer_id --time ordered_at
  korrel count "country = 'NL' and count(order) over 30d >= 3"
  korrel get customer_id:1042)";

constexpr char kFooter[] = R"(
'korrel COMMAND --help' teaches a command, with an example.
The server is --server, else $KORREL_SERVER, else 127.0.0.1:7650.
Exit codes: 0 done; 1 refused, rejected rows, a server error or an answer that could not be written; 2 wrong usage.)";

// The exit code, once all that was printed has left this process: an answer lost on a full disk must not pass for one given.
int Flushed(int code, std::ostream& out, std::ostream& err) {
  out.flush();
  if (out) return code;
  err << "error: the output could not be written; the disk may be full, or standard output is closed\n";
  return code == kDone ? kRefused : code;
}

}  // namespace

StatusOr<std::unique_ptr<Client>> Context::Connect() const {
  ClientOptions options;
  options.call_timeout = CallTimeout();
  return Connect(options);
}

StatusOr<std::unique_ptr<Client>> Context::Connect(ClientOptions options) const {
  options.address = server;
  return Client::Connect(std::move(options));
}

int Context::Fail(const Status& status) const {
  if (const auto error = ExpressionErrorOf(status); error && !error->rendered().empty()) {
    err << "error: " << error->rendered();
    if (!error->rendered().ends_with('\n')) err << "\n";
    return kRefused;
  }
  err << "error: " << MessageOf(status);
  // A place within the message says nothing to who gave a command line.
  const std::string field = FieldOf(status);
  if (!field.empty() && field.find('[') == std::string::npos) err << " (" << field << ")";
  if (status.code() == absl::StatusCode::kDeadlineExceeded) err << "; allow more time with --timeout SECONDS";
  err << "\n";
  return ReasonOf(status) == "USAGE" ? kWrongUsage : kRefused;
}

int Context::FailUsage(std::string_view message) const {
  err << "error: " << message << "\n";
  return kWrongUsage;
}

void Context::Print(const Table& table, JsonWriter& json) const {
  switch (format) {
    case OutputFormat::kTable:
      out << table.Text();
      break;
    case OutputFormat::kCsv:
      out << table.Csv();
      break;
    case OutputFormat::kJson:
      out << json.TakeLine();
      break;
  }
}

CLI::App* AddCommand(CLI::App* parent, const std::string& name, std::string_view help) {
  const size_t end = std::min(help.find('\n'), help.size());
  CLI::App* command = parent->add_subcommand(name, std::string(help.substr(0, end)));
  command->footer(std::string(help.substr(end)));
  return command;
}

StatusOr<absl::TimeZone> CatalogZone(Client* client) {
  v1::ListDefinitionsRequest request;
  request.set_page_size(1);
  KORREL_ASSIGN_OR_RETURN(const auto response, client->ListDefinitions(request));
  absl::TimeZone zone = absl::UTCTimeZone();
  if (!response.time_zone().empty() && !absl::LoadTimeZone(response.time_zone(), &zone)) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "TIME_ZONE", "",
                     fmt::format("the catalog's time zone '{}' is not known on this machine; install tzdata", response.time_zone()));
  }
  return zone;
}

StatusOr<int64_t> ParseTimeOption(std::string_view option, std::string_view text, const absl::TimeZone& zone) {
  const auto us = ParseTimeUs(text, DateFormat::kYearFirst, zone);
  if (us == kTimeNotGiven) return InvalidArgument("USAGE", "", fmt::format("{}: '{}' is {}", option, text, kTimeNotGivenProblem));
  if (us) return *us;
  return InvalidArgument("USAGE", "", fmt::format("{}: '{}' is not a time; write 2017-03-01T12:00:00Z or 2017-03-01", option, text));
}

std::string PositionText(const v1::Position& position) {
  if (position.partition() == 0) return fmt::format("{}", position.value());
  return fmt::format("{}:{}", position.partition(), position.value());
}

void PutPositions(const google::protobuf::RepeatedPtrField<v1::Position>& positions, JsonWriter* json) {
  json->Key("positions").BeginArray();
  for (const v1::Position& position : positions) json->String(PositionText(position));
  json->EndArray();
}

std::vector<std::string> SplitExpressions(std::string_view text) {
  std::vector<std::string> items;
  size_t begin = 0;
  int depth = 0;
  char quote = '\0';
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != '\0') {
      if (c == quote) quote = '\0';
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == '(') {
      ++depth;
    } else if (c == ')') {
      --depth;
    } else if (c == ',' && depth <= 0) {
      items.emplace_back(text.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  if (!text.empty()) items.emplace_back(text.substr(begin));
  for (std::string& item : items) {
    item.erase(0, item.find_first_not_of(' '));
    item.erase(item.find_last_not_of(' ') + 1);
  }
  return items;
}

int PrintWriteResult(const Context& context, const v1::WriteResult& result, std::string_view what) {
  if (context.format == OutputFormat::kJson) {
    JsonWriter json;
    json.BeginObject().Key("applied_count").Uint(result.applied_count()).Key("duplicate_indexes").BeginArray();
    for (const uint32_t index : result.duplicate_indexes()) json.Uint(index);
    json.EndArray();
    json.Key("notes").Strings(result.notes());
    PutPositions(result.positions(), &json);
    context.out << json.EndObject().TakeLine();
  } else if (result.errors_size() == 0) {
    context.out << what << (result.duplicate_indexes_size() > 0 ? ": was there already, nothing changed\n" : ": done\n");
  }
  if (context.format != OutputFormat::kJson) {
    for (const std::string& note : result.notes()) context.err << "note: " << note << "\n";
  }
  for (const v1::ItemError& error : result.errors()) {
    context.err << "error: " << (error.message().empty() ? error.reason() : error.message()) << "\n";
  }
  return result.errors_size() == 0 ? kDone : kRefused;
}

int Run(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  Context context{out, err};
  context.err_is_terminal = isatty(STDERR_FILENO) != 0;
  const char* server = std::getenv("KORREL_SERVER");
  context.server = server != nullptr && *server != '\0' ? server : "127.0.0.1:7650";
  Command chosen;
  std::string format = "table";

  CLI::App app(kDescription, "korrel");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();  // --output may follow the command
  app.add_option("--server", context.server, "host:port of the server")->type_name("HOST:PORT");
  app.add_option("--output", format, "table, json (one object an answer, one a line for streams) or csv")
      ->check(CLI::IsMember({"table", "json", "csv"}))
      ->type_name("FORM");
  app.add_option("--timeout", context.timeout_seconds,
                 "seconds a call may take (60; apply, retype and clock advance 3600; a batch of an import 8)")
      ->check(CLI::Range(0.001, 86'400.0))
      ->type_name("SECONDS");
  AddApplyCommand(&app, &context, &chosen);
  AddImportCommands(&app, &context, &chosen);
  AddProfileCommands(&app, &context, &chosen);
  AddQuestionCommands(&app, &context, &chosen);
  AddSegmentCommands(&app, &context, &chosen);
  AddAdminCommands(&app, &context, &chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return Flushed(app.exit(error, out, err) == 0 ? kDone : kWrongUsage, out, err);
  }
  context.format = format == "json" ? OutputFormat::kJson : format == "csv" ? OutputFormat::kCsv : OutputFormat::kTable;
  return Flushed(chosen ? chosen() : kWrongUsage, out, err);
}

}  // namespace korrel::cli
