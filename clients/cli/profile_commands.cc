// Commands about one profile: set, track, delete, get, events.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "clients/cli/assignment.h"
#include "clients/cli/cli.h"
#include "clients/cli/time_text.h"
#include "clients/cpp/values.h"

namespace korrel::cli {
namespace {

struct WriteOptions {
  std::string profile;
  std::optional<std::string> event;  // of `track`; none: `set`
  std::vector<std::string> assignments;
  std::string time;
  std::string message_id;
  std::string source = "cli";
};

StatusOr<v1::WriteResult> Set(Client* client, const WriteOptions& options) {
  KORREL_ASSIGN_OR_RETURN(const absl::TimeZone zone, CatalogZone(client));
  v1::UpsertProfilesRequest request;
  request.set_source(options.source);
  v1::ProfileWrite* write = request.add_writes();
  write->add_identifiers(options.profile);
  if (!options.time.empty()) {
    KORREL_ASSIGN_OR_RETURN(const int64_t us, ParseTimeOption("--time", options.time, zone));
    write->set_event_time_us(us);
  }
  for (const std::string& text : options.assignments) {
    KORREL_ASSIGN_OR_RETURN(const Assignment assignment, ParseAssignment(text, zone));
    v1::AttributeWrite* attribute = write->add_attributes();
    attribute->set_name(assignment.name);
    attribute->set_operation(assignment.operation);
    if (IsPresent(assignment.value)) ToWire(assignment.value, attribute->mutable_value());
  }
  KORREL_ASSIGN_OR_RETURN(auto response, client->UpsertProfiles(std::move(request)));
  return std::move(*response.mutable_result());
}

StatusOr<v1::WriteResult> Track(Client* client, const WriteOptions& options) {
  KORREL_ASSIGN_OR_RETURN(const absl::TimeZone zone, CatalogZone(client));
  v1::TrackRequest request;
  request.set_source(options.source);
  v1::Event* event = request.add_events();
  event->add_identifiers(options.profile);
  event->set_type(*options.event);
  event->set_message_id(options.message_id);
  if (!options.time.empty()) {
    KORREL_ASSIGN_OR_RETURN(const int64_t us, ParseTimeOption("--time", options.time, zone));
    event->set_event_time_us(us);
  }
  for (const std::string& text : options.assignments) {
    KORREL_ASSIGN_OR_RETURN(const Assignment assignment, ParseAssignment(text, zone));
    if (assignment.operation != v1::ATTRIBUTE_OPERATION_SET) {
      return InvalidArgument("USAGE", "", fmt::format("'{}': a property of an event is NAME=VALUE", text));
    }
    v1::Property* property = event->add_properties();
    property->set_name(assignment.name);
    ToWire(assignment.value, property->mutable_value());
  }
  KORREL_ASSIGN_OR_RETURN(auto response, client->Track(std::move(request)));
  return std::move(*response.mutable_result());
}

int RunWrite(const Context& context, const WriteOptions& options) {
  auto client = context.Connect();
  if (!client.ok()) return context.Fail(client.status());
  const auto result = options.event ? Track(client->get(), options) : Set(client->get(), options);
  if (!result.ok()) return context.Fail(result.status());
  return PrintWriteResult(context, *result, options.profile);
}

int RunDelete(const Context& context, const std::string& profile) {
  auto client = context.Connect();
  if (!client.ok()) return context.Fail(client.status());
  v1::DeleteProfileRequest request;
  request.set_profile(profile);
  const auto response = (*client)->DeleteProfile(request);
  if (!response.ok()) return context.Fail(response.status());
  return PrintWriteResult(context, response->result(), profile);
}

std::string TimeText(int64_t us) { return us == 0 ? "" : FormatTimestamp(Timestamp{us}); }

void PutProfile(const v1::GetProfileResponse& response, JsonWriter* json) {
  const v1::Profile& profile = response.profile();
  json->BeginObject().Key("profile").String(profile.id()).Key("identifiers").Strings(profile.identifiers());
  json->Key("attributes").BeginObject();
  for (const v1::Attribute& attribute : profile.attributes()) json->Key(attribute.name()).Put(FromWire(attribute.value()));
  json->EndObject();
  json->Key("segments").Strings(profile.segments()).Key("truncated_event_types").Strings(profile.truncated_event_types());
  json->Key("create_time_us").Time(profile.create_time_us()).Key("update_time_us").Time(profile.update_time_us());
  json->Key("version").String(PositionText(profile.version()));
  PutPositions(response.positions(), json);
  json->Key("now_us").Time(response.now_us()).EndObject();
}

std::string Joined(const google::protobuf::RepeatedPtrField<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

int RunGet(const Context& context, const std::string& name) {
  auto client = context.Connect();
  if (!client.ok()) return context.Fail(client.status());
  v1::GetProfileRequest request;
  request.set_profile(name);
  request.set_include_segments(true);
  const auto response = (*client)->GetProfile(request);
  if (!response.ok()) return context.Fail(response.status());
  const v1::Profile& profile = response->profile();
  Table table({"attribute", "value", "type", "time", "source"});
  for (const v1::Attribute& attribute : profile.attributes()) {
    const Value value = FromWire(attribute.value());
    const std::string shown = attribute.masked() ? "(masked)" : PlainValue(value);
    table.Add({attribute.name(), shown, IsPresent(value) ? TypeName(TypeOf(value)) : "", TimeText(attribute.event_time_us()),
               attribute.filling() ? "(filling)" : attribute.source()});
  }
  if (context.format == OutputFormat::kTable) {
    context.out << profile.id() << "\nidentifiers  " << Joined(profile.identifiers()) << "\ncreated      "
                << TimeText(profile.create_time_us()) << "\nupdated      " << TimeText(profile.update_time_us()) << "\nsegments     "
                << Joined(profile.segments()) << "\n";
    if (profile.truncated_event_types_size() > 0) context.out << "lost events  " << Joined(profile.truncated_event_types()) << "\n";
    context.out << "\n";
  }
  JsonWriter json;
  PutProfile(*response, &json);
  context.Print(table, json);
  return kDone;
}

struct EventOptions {
  std::string profile;
  std::vector<std::string> types;
  std::string from;
  std::string to;
  uint64_t limit = 0;
  bool oldest_first = false;
};

void PutEvent(const v1::Event& event, JsonWriter* json) {
  json->BeginObject().Key("type").String(event.type()).Key("event_time_us").Time(event.event_time_us());
  if (!event.message_id().empty()) json->Key("message_id").String(event.message_id());
  json->Key("source").String(event.source()).Key("properties").BeginObject();
  for (const v1::Property& property : event.properties()) json->Key(property.name()).Put(FromWire(property.value()));
  json->EndObject().EndObject();
}

void PrintEvents(const Context& context, const std::vector<v1::Event>& events, bool with_header) {
  if (context.format == OutputFormat::kJson) {
    for (const v1::Event& event : events) {
      JsonWriter json;
      PutEvent(event, &json);
      context.out << json.TakeLine();
    }
    return;
  }
  Table table({"time", "type", "properties", "source"});
  for (const v1::Event& event : events) {
    std::string properties;
    for (const v1::Property& property : event.properties()) {
      properties += fmt::format("{}{}={}", properties.empty() ? "" : " ", property.name(), DisplayValue(FromWire(property.value())));
    }
    table.Add({TimeText(event.event_time_us()), event.type(), properties, event.source()});
  }
  context.out << (context.format == OutputFormat::kCsv ? table.Csv(with_header) : table.Text(with_header));
}

Status ListEvents(const Context& context, Client* client, const EventOptions& options) {
  v1::ListEventsRequest request;
  request.set_profile(options.profile);
  request.mutable_types()->Add(options.types.begin(), options.types.end());
  request.set_oldest_first(options.oldest_first);
  if (!options.from.empty() || !options.to.empty()) {
    KORREL_ASSIGN_OR_RETURN(const absl::TimeZone zone, CatalogZone(client));
    if (!options.from.empty()) {
      KORREL_ASSIGN_OR_RETURN(const int64_t us, ParseTimeOption("--from", options.from, zone));
      request.set_start_time_us(us);
    }
    if (!options.to.empty()) {
      KORREL_ASSIGN_OR_RETURN(const int64_t us, ParseTimeOption("--to", options.to, zone));
      request.set_end_time_us(us);
    }
  }
  uint64_t left = options.limit == 0 ? UINT64_MAX : options.limit;
  for (bool first = true; left > 0; first = false) {
    request.set_page_size(static_cast<int32_t>(std::min<uint64_t>(left, 1'000)));
    KORREL_ASSIGN_OR_RETURN(const auto page, client->ListEvents(request));
    PrintEvents(context, {page.events().begin(), page.events().end()}, first);
    left -= std::min<uint64_t>(left, static_cast<uint64_t>(page.events_size()));
    if (page.next_page_token().empty()) break;
    request.set_page_token(page.next_page_token());
  }
  return absl::OkStatus();
}

int RunEvents(const Context& context, const EventOptions& options) {
  auto client = context.Connect();
  if (!client.ok()) return context.Fail(client.status());
  const Status status = ListEvents(context, client->get(), options);
  return status.ok() ? kDone : context.Fail(status);
}

constexpr char kSetHelp[] = R"(write attributes of a profile, making it if it does not exist

  korrel set crm:1 age=41 tier=gold "zip='01234'" 'tags={a,b}' visits+=1

  NAME=VALUE       set; bool, int, decimal, double, timestamp or string as the text looks
  NAME='TEXT'      a string, whatever it looks like ('' for a quote inside)
  NAME={a,b}       a set
  NAME+=N NAME-=N  increment a number by N or -N
  NAME+={a}        add to a set; NAME-={a} removes from it
  NAME:min=V       keep the lesser; NAME:max=V the greater
  NAME-            remove the attribute)";

}  // namespace

void AddProfileCommands(CLI::App* app, Context* context, Command* chosen) {
  const auto set = std::make_shared<WriteOptions>();
  CLI::App* command = AddCommand(app, "set", kSetHelp);
  command->add_option("PROFILE", set->profile, "TYPE:VALUE")->required();
  command->add_option("ASSIGNMENT", set->assignments, "what to write: NAME=VALUE, NAME+=VALUE, NAME- …")->required();
  command->add_option("--time", set->time, "event time (default: now)");
  command->add_option("--source", set->source, "who writes")->capture_default_str();
  command->callback([=] { *chosen = [=] { return RunWrite(*context, *set); }; });

  const auto track = std::make_shared<WriteOptions>();
  command = AddCommand(app, "track", R"(record an event of a profile, making it if it does not exist

  korrel track crm:1 order amount=12.50 category=shoes --time 2017-03-01T12:00:00Z --message-id o-1)");
  command->add_option("PROFILE", track->profile, "TYPE:VALUE")->required();
  command->add_option("EVENT", track->event.emplace(), "type of the event")->required();
  command->add_option("ASSIGNMENT", track->assignments, "properties: NAME=VALUE, as for 'korrel set'");
  command->add_option("--time", track->time, "when it happened (default: now)");
  command->add_option("--message-id", track->message_id, "makes a repetition harmless");
  command->add_option("--source", track->source, "who writes")->capture_default_str();
  command->callback([=] { *chosen = [=] { return RunWrite(*context, *track); }; });

  const auto name = std::make_shared<std::string>();
  command = AddCommand(app, "delete", "remove a profile with everything it holds\n\n  korrel delete crm:1");
  command->add_option("PROFILE", *name, "TYPE:VALUE")->required();
  command->callback([=] { *chosen = [=] { return RunDelete(*context, *name); }; });

  command = AddCommand(app, "get", "show one profile: everything known\n\n  korrel get crm:1 --output json");
  command->add_option("PROFILE", *name, "TYPE:VALUE, or profile:… with its own number")->required();
  command->callback([=] { *chosen = [=] { return RunGet(*context, *name); }; });

  const auto events = std::make_shared<EventOptions>();
  command = AddCommand(app, "events", "show a profile's history, newest first\n\n  korrel events crm:1 --type order --limit 20");
  command->add_option("PROFILE", events->profile, "TYPE:VALUE")->required();
  command->add_option("--type", events->types, "only these types")->delimiter(',')->allow_extra_args(false);
  command->add_option("--from", events->from, "first instant");
  command->add_option("--to", events->to, "first instant no longer wanted");
  command->add_option("--limit", events->limit, "at most so many (default: all)");
  command->add_flag("--oldest-first", events->oldest_first, "in the other order");
  command->callback([=] { *chosen = [=] { return RunEvents(*context, *events); }; });
}

}  // namespace korrel::cli
