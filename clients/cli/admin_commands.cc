// Commands about attributes, the clock and the server: attribute list, attribute retype, clock advance, status.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <future>

#include "clients/cli/cli.h"
#include "clients/cli/time_text.h"
#include "clients/cpp/values.h"

namespace korrel::cli {
namespace {

template <class Ask>
int WithClient(const Context& context, ClientOptions limits, Ask ask) {
  auto client = context.Connect(std::move(limits));
  if (!client.ok()) return context.Fail(client.status());
  const Status status = ask(client->get());
  return status.ok() ? kDone : context.Fail(status);
}

ClientOptions Limits(const Context& context, double otherwise_seconds = 60) {
  ClientOptions limits;
  limits.call_timeout = context.CallTimeout(otherwise_seconds);
  return limits;
}

std::string_view KindOf(const v1::Definition& definition) {
  if (!definition.attribute().expression().empty()) return "computed";
  return definition.state() == v1::DEFINITION_STATE_UNDECLARED ? "undeclared" : "stored";
}

Status PrintAttributes(const Context& context, Client* client) {
  v1::ListDefinitionsRequest request;
  request.set_parent("attributes");
  request.set_page_size(1'000);
  Table table({"attribute", "type", "kind", "expression", "description"});
  JsonWriter json;
  while (true) {
    KORREL_ASSIGN_OR_RETURN(const auto page, client->ListDefinitions(request));
    for (const v1::Definition& definition : page.definitions()) {
      const std::string name = definition.name().substr(definition.name().find('/') + 1);
      const Type known = FromWire(definition.result_type(), definition.result_scale());
      const std::string type = known.kind == ValueKind::kNone ? "" : TypeName(known);
      const v1::AttributeDefinition& attribute = definition.attribute();
      table.Add({name, type, std::string(KindOf(definition)), attribute.expression(), attribute.description()});
      json.BeginObject().Key("name").String(name).Key("type").String(type).Key("kind").String(KindOf(definition));
      json.Key("expression").String(attribute.expression()).Key("description").String(attribute.description());
      json.Key("unit").String(attribute.unit()).Key("sensitivity").String(attribute.sensitivity());
      json.Key("used_by").Strings(definition.used_by()).EndObject();
      if (context.format == OutputFormat::kJson) context.out << json.TakeLine();
    }
    if (page.next_page_token().empty()) break;
    request.set_page_token(page.next_page_token());
  }
  if (context.format != OutputFormat::kJson) context.Print(table, json);
  return absl::OkStatus();
}

struct RetypeOptions {
  std::string name;
  std::string type;
  bool preview = false;
};

// Values that do not convert: all or nothing, so none was.
Status Retype(const Context& context, Client* client, const RetypeOptions& options, bool* refused) {
  const auto type = ParseTypeName(options.type);
  if (!type || ToWire(*type) == v1::VALUE_TYPE_UNSPECIFIED) {
    return InvalidArgument("USAGE", "",
                           fmt::format("'{}' is not a type; types are bool int decimal(S) double string timestamp set", options.type));
  }
  v1::RetypeAttributeRequest request;
  request.set_attribute(options.name);
  request.set_type(ToWire(*type));
  request.set_scale(type->scale);
  request.set_validate_only(options.preview);
  KORREL_ASSIGN_OR_RETURN(const auto response, client->RetypeAttribute(request));
  *refused = response.failed_count() > 0 && !options.preview;
  if (context.format == OutputFormat::kJson) {
    JsonWriter json;
    json.BeginObject().Key("attribute").String(options.name).Key("type").String(options.type).Key("validate_only").Bool(options.preview);
    json.Key("converted_count")
        .Uint(response.converted_count())
        .Key("failed_count")
        .Uint(response.failed_count())
        .Key("errors")
        .BeginArray();
    for (const v1::ItemError& error : response.errors()) json.String(error.message());
    json.EndArray();
    PutPositions(response.positions(), &json);
    context.out << json.EndObject().TakeLine();
    return absl::OkStatus();
  }
  context.out << fmt::format("{}{} to {}: {} values convert, {} do not{}\n", options.preview ? "preview: " : "", options.name, options.type,
                             response.converted_count(), response.failed_count(),
                             response.failed_count() > 0 && !options.preview ? "; nothing was changed" : "");
  for (const v1::ItemError& error : response.errors()) context.err << "  " << error.message() << "\n";
  return absl::OkStatus();
}

// While a clock is advanced: shows now and then up to which instant everybody has been stepped.
template <class Answer>
Answer WithProgress(const Context& context, Client* client, std::future<Answer> answer) {
  constexpr std::chrono::milliseconds kLook{500};
  if (!context.err_is_terminal) return answer.get();
  bool shown = false;
  while (answer.wait_for(kLook) != std::future_status::ready) {
    const auto status = client->ServerStatus();
    if (!status.ok() || status->timer_lag_us() == 0) continue;
    shown = true;
    const Timestamp reached{status->now_us() - status->timer_lag_us()};
    context.err << fmt::format("\rstepped up to {}\033[K", FormatTimestamp(reached)) << std::flush;
  }
  if (shown) context.err << "\r\033[K" << std::flush;
  return answer.get();
}

Status Advance(const Context& context, Client* client, const std::string& to) {
  KORREL_ASSIGN_OR_RETURN(const absl::TimeZone zone, CatalogZone(client));
  v1::AdvanceClockRequest request;
  KORREL_ASSIGN_OR_RETURN(const int64_t us, ParseTimeOption("clock advance", to, zone));
  request.set_to_us(us);
  auto call = std::async(std::launch::async, [&] { return client->AdvanceClock(request); });
  const auto answer = WithProgress(context, client, std::move(call));
  if (absl::IsDeadlineExceeded(answer.status()) || ReasonOf(answer.status()) == "STOPPED") {
    constexpr std::string_view kHint = "the clock may have moved, and profiles follow it by and by, see korrel status";
    return MakeError(answer.status().code(), ReasonOf(answer.status()), "", fmt::format("{}; {}", MessageOf(answer.status()), kHint));
  }
  KORREL_RETURN_IF_ERROR(answer.status());
  const v1::AdvanceClockResponse& response = *answer;
  if (context.format == OutputFormat::kJson) {
    JsonWriter json;
    json.BeginObject().Key("now_us").Time(response.now_us()).Key("edges_processed").Uint(response.edges_processed());
    PutPositions(response.positions(), &json);
    context.out << json.EndObject().TakeLine();
  } else {
    context.out << fmt::format("now {}, {} edges\n", FormatTimestamp(Timestamp{response.now_us()}), response.edges_processed());
  }
  return absl::OkStatus();
}

std::string_view ClockName(v1::ClockMode mode) {
  switch (mode) {
    case v1::CLOCK_MODE_SYSTEM:
      return "system";
    case v1::CLOCK_MODE_REPLAY:
      return "replay";
    default:
      return "unknown";
  }
}

void PutStatus(const v1::StatusResponse& status, JsonWriter* json) {
  json->BeginObject().Key("version").String(status.version()).Key("profile_count").Uint(status.profile_count());
  json->Key("event_count").Uint(status.event_count()).Key("memory_bytes").Uint(status.memory_bytes());
  json->Key("memory_limit_bytes").Uint(status.memory_limit_bytes()).Key("shards").Uint(status.shards());
  json->Key("clock_mode").String(ClockName(status.clock_mode())).Key("now_us").String(FormatTimestamp(Timestamp{status.now_us()}));
  json->Key("timer_lag_us").Int(status.timer_lag_us()).Key("catalog_revision").Uint(status.catalog_revision());
  PutPositions(status.positions(), json);
  json->Key("time_zone_version").String(status.time_zone_version()).Key("limits").BeginArray();
  for (const v1::Limit& limit : status.limits()) {
    json->BeginObject().Key("name").String(limit.name()).Key("value").Uint(limit.value()).Key("used").Uint(limit.used()).EndObject();
  }
  json->EndArray().Key("read_only").Bool(status.read_only()).Key("oldest_request_age_us").Int(status.oldest_request_age_us());
  json->Key("event_types_without_retention").Strings(status.event_types_without_retention());
  json->Key("recovery_ratio").Double(status.recovery_ratio()).EndObject();
}

Status PrintStatus(const Context& context, Client* client) {
  KORREL_ASSIGN_OR_RETURN(const auto status, client->ServerStatus());
  Table table({"what", "value"});
  table.Add({"version", status.version()});
  table.Add({"profiles", fmt::format("{}", status.profile_count())});
  table.Add({"events", fmt::format("{}", status.event_count())});
  table.Add({"memory", fmt::format("{:.1f} MiB", static_cast<double>(status.memory_bytes()) / (1 << 20))});
  table.Add({"shards", fmt::format("{}", status.shards())});
  table.Add({"clock", fmt::format("{}, {}", ClockName(status.clock_mode()), FormatTimestamp(Timestamp{status.now_us()}))});
  table.Add({"timer lag", FormatDurationUs(status.timer_lag_us())});
  table.Add({"catalog revision", fmt::format("{}", status.catalog_revision())});
  for (const v1::Position& position : status.positions()) table.Add({"position", PositionText(position)});
  table.Add({"read only", status.read_only() ? "yes" : "no"});
  for (const v1::Limit& limit : status.limits()) {
    table.Add(
        {"limit " + limit.name(), fmt::format("{} of {}", limit.used(), limit.value() == 0 ? "any" : fmt::format("{}", limit.value()))});
  }
  for (const std::string& type : status.event_types_without_retention()) table.Add({"kept for good", "events of type " + type});
  JsonWriter json;
  PutStatus(status, &json);
  context.Print(table, json);
  return absl::OkStatus();
}

}  // namespace

void AddAdminCommands(CLI::App* app, Context* context, Command* chosen) {
  CLI::App* attribute = AddCommand(app, "attribute", "attributes: list, retype");
  attribute->require_subcommand(1);
  CLI::App* command = AddCommand(attribute, "list", "all attributes with their types");
  command->callback([=] {
    *chosen = [=] { return WithClient(*context, Limits(*context), [&](Client* client) { return PrintAttributes(*context, client); }); };
  });

  const auto retype = std::make_shared<RetypeOptions>();
  command = AddCommand(attribute, "retype",
                       "convert the values of a stored attribute to another type\n\n  korrel attribute retype zip string --preview");
  command->add_option("NAME", retype->name, "name of the attribute")->required();
  command->add_option("TYPE", retype->type, "bool int decimal(S) double string timestamp set")->required();
  command->add_flag("--preview", retype->preview, "only say what would convert");
  command->callback([=] {
    *chosen = [=] {
      bool refused = false;
      const int code = WithClient(*context, Limits(*context, Context::kLongWorkSeconds),
                                  [&](Client* client) { return Retype(*context, client, *retype, &refused); });
      return refused ? kRefused : code;
    };
  });

  CLI::App* clock = AddCommand(app, "clock", "the replay clock: advance");
  clock->require_subcommand(1);
  const auto to = std::make_shared<std::string>();
  command =
      AddCommand(clock, "advance",
                 "move the replay clock forwards; returns when everything due is done\n\n  korrel clock advance 2017-12-31T23:59:59Z");
  command->add_option("TIME", *to, "RFC 3339, or a date in the catalog's zone")->required();
  command->callback([=] {
    *chosen = [=] {
      return WithClient(*context, Limits(*context, Context::kLongWorkSeconds),
                        [&](Client* client) { return Advance(*context, client, *to); });
    };
  });

  command = AddCommand(app, "status", "what the server holds and how it is");
  command->callback([=] {
    *chosen = [=] { return WithClient(*context, Limits(*context), [&](Client* client) { return PrintStatus(*context, client); }); };
  });
}

}  // namespace korrel::cli
