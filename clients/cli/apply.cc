// `korrel apply`: shows what catalog files change, then does it, all or nothing.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "clients/cli/catalog_file.h"
#include "clients/cli/cli.h"
#include "clients/cli/fill_progress.h"
#include "clients/cli/time_text.h"
#include "clients/cpp/values.h"

namespace korrel::cli {
namespace {

struct ApplyOptions {
  std::vector<std::string> files;
  bool dry_run = false;
  bool no_wait = false;
  bool prune = false;
  bool cascade = false;
};

using Facts = std::vector<std::pair<std::string, std::string>>;

std::string TypeText(v1::ValueType type, uint32_t scale) {
  const Type known = FromWire(type, scale);
  return known.kind == ValueKind::kNone ? "" : TypeName(known);
}

// What a definition says, as keys and texts of a catalog file.
Facts FactsOf(const v1::Definition& definition) {
  Facts facts;
  const auto add = [&facts](std::string_view key, const std::string& text) {
    if (!text.empty()) facts.emplace_back(key, text);
  };
  const auto duration = [](int64_t us) { return us == 0 ? std::string() : FormatDurationUs(us); };
  if (definition.has_attribute()) {
    const v1::AttributeDefinition& attribute = definition.attribute();
    add("type", TypeText(attribute.type(), attribute.scale()));
    add("is", attribute.expression());
    add("unit", attribute.unit());
    add("sensitivity", attribute.sensitivity());
    add("retention", duration(attribute.retention_us()));
    add("description", attribute.description());
  } else if (definition.has_event()) {
    std::string properties;
    for (const v1::Field& field : definition.event().properties()) {
      properties += fmt::format("{}{}: {}", properties.empty() ? "" : ", ", field.name(), TypeText(field.type(), field.scale()));
    }
    add("properties", properties);
    add("retention", duration(definition.event().retention_us()));
    add("max_events", definition.event().max_events() == 0 ? "" : fmt::format("{}", definition.event().max_events()));
    add("description", definition.event().description());
  } else if (definition.has_segment()) {
    add("where", definition.segment().expression());
    add("static", definition.segment().static_() ? "true" : "");
    add("description", definition.segment().description());
  } else if (definition.has_population()) {
    add("is", definition.population().expression());
    add("every", duration(definition.population().every_us()));
    add("description", definition.population().description());
  }
  return facts;
}

std::string FactText(const Facts& facts, const std::string& key) {
  for (const auto& [name, text] : facts) {
    if (name == key) return text;
  }
  return {};
}

// "  is: count(order) → count(order) over 30d" for each key that differs.
std::string Differences(const v1::Definition& before, const v1::Definition& after) {
  const Facts old_facts = FactsOf(before);
  const Facts new_facts = FactsOf(after);
  std::string text;
  for (const auto& [key, value] : new_facts) {
    const std::string old_value = FactText(old_facts, key);
    if (old_value == value) continue;
    text += old_value.empty() ? fmt::format("    + {}: {}\n", key, value) : fmt::format("    ~ {}: {}  →  {}\n", key, old_value, value);
  }
  for (const auto& [key, value] : old_facts) {
    if (FactText(new_facts, key).empty()) text += fmt::format("    - {}: {}\n", key, value);
  }
  return text;
}

std::string_view KindName(v1::ChangeKind kind) {
  switch (kind) {
    case v1::CHANGE_KIND_CREATE:
      return "create";
    case v1::CHANGE_KIND_UPDATE:
      return "update";
    case v1::CHANGE_KIND_DELETE:
      return "delete";
    case v1::CHANGE_KIND_NONE:
      return "none";
    default:
      return "unknown";
  }
}

// How many would enter and leave, with some of them by name.
std::string PreviewText(const v1::SegmentPreview& preview) {
  std::string text = fmt::format("    {} would enter, {} would leave, {} members then\n", preview.added_count(), preview.removed_count(),
                                 preview.member_count());
  const auto sample = [&text](std::string_view what, uint64_t count, const auto& names) {
    if (names.empty()) return;
    text += fmt::format("      {}: {}", what, fmt::join(names, " "));
    text += count > static_cast<uint64_t>(names.size()) ? " …\n" : "\n";
  };
  sample("enter", preview.added_count(), preview.added_sample());
  sample("leave", preview.removed_count(), preview.removed_sample());
  return text;
}

void PrintChanges(const Context& context, const v1::ApplyDefinitionsResponse& response) {
  uint64_t unchanged = 0;
  for (const v1::DefinitionChange& change : response.changes()) {
    switch (change.kind()) {
      case v1::CHANGE_KIND_CREATE: {
        std::string text;
        for (const auto& [key, value] : FactsOf(change.after())) text += fmt::format("{}{}: {}", text.empty() ? "  " : ", ", key, value);
        context.out << "+ " << change.name() << text << "\n";
        break;
      }
      case v1::CHANGE_KIND_UPDATE:
        context.out << "~ " << change.name() << "\n" << Differences(change.before(), change.after());
        break;
      case v1::CHANGE_KIND_DELETE:
        context.out << "- " << change.name() << "\n";
        break;
      default:
        if (change.has_segment()) {
          context.out << "~ " << change.name() << "  because of what it uses\n";
        } else {
          ++unchanged;
        }
    }
    if (change.has_segment()) context.out << PreviewText(change.segment());
  }
  if (unchanged > 0) context.out << fmt::format("{} unchanged\n", unchanged);
}

void PutFacts(std::string_view key, const v1::Definition& definition, JsonWriter* json) {
  json->Key(key).BeginObject();
  for (const auto& [name, text] : FactsOf(definition)) json->Key(name).String(text);
  json->EndObject();
}

void PutPreview(const v1::SegmentPreview& preview, JsonWriter* json) {
  json->Key("segment").BeginObject().Key("added_count").Uint(preview.added_count()).Key("removed_count").Uint(preview.removed_count());
  json->Key("member_count").Uint(preview.member_count()).Key("added_sample").Strings(preview.added_sample());
  json->Key("removed_sample").Strings(preview.removed_sample()).EndObject();
}

void PrintJson(const Context& context, const v1::ApplyDefinitionsResponse& response, bool validate_only) {
  JsonWriter json;
  json.BeginObject().Key("revision").Uint(response.revision()).Key("validate_only").Bool(validate_only).Key("changes").BeginArray();
  for (const v1::DefinitionChange& change : response.changes()) {
    json.BeginObject().Key("name").String(change.name()).Key("kind").String(KindName(change.kind()));
    if (change.has_before()) PutFacts("before", change.before(), &json);
    if (change.has_after()) PutFacts("after", change.after(), &json);
    if (change.has_segment()) PutPreview(change.segment(), &json);
    if (change.has_error()) json.Key("error").String(change.error().message());
    json.EndObject();
  }
  json.EndArray();
  PutPositions(response.positions(), &json);
  context.out << json.EndObject().TakeLine();
}

// Where an error belongs: the expression where there is one, else the definition.
std::string PlaceOf(const Catalog& catalog, size_t index) {
  if (index >= catalog.entries.size()) return "error";
  const CatalogEntry& entry = catalog.entries[index];
  return fmt::format("{}:{}: {}", entry.file, entry.expression_line > 0 ? entry.expression_line : entry.line, entry.definition.name());
}

// "definitions[3].attribute.expression" is 3; nullopt for anything else.
std::optional<size_t> IndexInField(const std::string& field) {
  constexpr std::string_view kPrefix = "definitions[";
  if (!field.starts_with(kPrefix)) return std::nullopt;
  size_t index = 0;
  for (size_t i = kPrefix.size(); i < field.size() && field[i] >= '0' && field[i] <= '9' && index < 1'000'000; ++i) {
    index = index * 10 + static_cast<size_t>(field[i] - '0');
  }
  return index;
}

int FailAt(const Context& context, const Catalog& catalog, const Status& status) {
  if (const auto index = IndexInField(FieldOf(status))) context.err << PlaceOf(catalog, *index) << "\n";
  return context.Fail(status);
}

// Prints all refusals; whether there were any.
bool PrintErrors(const Context& context, const Catalog& catalog, const v1::ApplyDefinitionsResponse& response) {
  bool any = false;
  for (int i = 0; i < response.changes_size(); ++i) {
    const v1::DefinitionChange& change = response.changes(i);
    if (!change.has_error()) continue;
    any = true;
    const bool given = static_cast<size_t>(i) < catalog.entries.size();
    context.err << (given ? PlaceOf(catalog, static_cast<size_t>(i)) : change.name()) << ": " << change.error().message() << "\n";
  }
  return any;
}

// The same with who would enter and leave: segments that are given or dropped, and those that change with what they use.
Status AddPreviews(Client* client, const v1::ApplyDefinitionsRequest& request, v1::ApplyDefinitionsResponse* response) {
  v1::PreviewDefinitionsRequest preview;
  *preview.mutable_definitions() = request.definitions();
  preview.set_prune(request.prune());
  preview.set_cascade(request.cascade());
  preview.set_time_zone(request.time_zone());
  KORREL_ASSIGN_OR_RETURN(auto answer, client->PreviewDefinitions(std::move(preview)));
  response->mutable_changes()->Swap(answer.mutable_changes());
  return absl::OkStatus();
}

int RunApply(const Context& context, const ApplyOptions& options) {
  const auto catalog = ReadCatalogFiles(options.files);
  if (!catalog.ok()) return context.Fail(catalog.status());
  ClientOptions limits;
  limits.call_timeout = context.CallTimeout(Context::kLongWorkSeconds);  // filling from the history takes what it takes
  auto client = context.Connect(limits);
  if (!client.ok()) return context.Fail(client.status());
  v1::ApplyDefinitionsRequest request;
  for (const CatalogEntry& entry : catalog->entries) *request.add_definitions() = entry.definition;
  request.set_time_zone(catalog->time_zone);
  request.set_prune(options.prune);
  request.set_cascade(options.cascade);
  request.set_validate_only(true);  // first, so that all refusals are seen and not only the first
  auto response = (*client)->ApplyDefinitions(request);
  if (!response.ok()) return FailAt(context, *catalog, response.status());
  if (PrintErrors(context, *catalog, *response)) {
    if (options.prune) context.err << "with --prune, what the files do not declare is dropped, and they cannot use it\n";
    context.err << "nothing was changed\n";
    return kRefused;
  }
  if (options.dry_run) {
    if (const Status status = AddPreviews(client->get(), request, &*response); !status.ok()) return FailAt(context, *catalog, status);
    if (PrintErrors(context, *catalog, *response)) return kRefused;  // what changed between the two calls
  } else {
    request.set_validate_only(false);
    request.clear_request_id();
    response = (*client)->ApplyDefinitions(request);
    if (!response.ok()) return FailAt(context, *catalog, response.status());
    if (PrintErrors(context, *catalog, *response)) return kRefused;  // what changed between the two calls
  }
  if (context.format == OutputFormat::kJson) {
    PrintJson(context, *response, options.dry_run);
  } else {
    PrintChanges(context, *response);
    context.out << (options.dry_run ? "dry run: nothing was changed\n" : fmt::format("catalog revision {}\n", response->revision()));
  }
  context.out.flush();
  if (options.dry_run || options.no_wait) return kDone;
  const Status filled = WaitUntilFilled(context, client->get(), limits.call_timeout);
  return filled.ok() ? kDone : context.Fail(filled);
}

}  // namespace

void AddApplyCommand(CLI::App* app, Context* context, Command* chosen) {
  const auto options = std::make_shared<ApplyOptions>();
  CLI::App* command = AddCommand(app, "apply", R"(make the definitions in YAML files those of the catalog, all or nothing

  korrel apply catalog.yaml --dry-run
  korrel apply catalog.yaml segments/*.yaml

Shows what changes, then does it without asking. Definitions that are not in the files stay, unless --prune. Returns when all are
filled, that is, computed for the profiles that are there; questions asked meanwhile are exact but slower.)");
  command->add_option("FILE", options->files, "catalog files; see docs/cli.md")->required();
  command->add_flag("--dry-run", options->dry_run, "only show what would change, and who would enter and leave which segment");
  command->add_flag("--no-wait", options->no_wait, "do not wait until the definitions are filled");
  command->add_flag("--prune", options->prune, "drop declared definitions that are not in the files");
  command->add_flag("--cascade", options->cascade,
                    "drop definitions that would not hold any more after the change, instead of refusing it");
  command->callback([=] { *chosen = [=] { return RunApply(*context, *options); }; });
}

}  // namespace korrel::cli
