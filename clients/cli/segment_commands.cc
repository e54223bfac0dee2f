// Commands about segments: list, count, members, put; watch stands in watch_command.cc.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "clients/cli/cli.h"
#include "clients/cli/question_commands.h"
#include "clients/cli/row.h"

namespace korrel::cli {
namespace {

constexpr size_t kMembersAtOnce = 50'000;
constexpr size_t kMemberBytesAtOnce = 2 << 20;

Status PrintSegments(const Context& context, Client* client) {
  v1::ListDefinitionsRequest request;
  request.set_parent("segments");
  request.set_page_size(1'000);
  Table table({"segment", "kind", "expression", "description"});
  JsonWriter json;
  while (true) {
    KORREL_ASSIGN_OR_RETURN(const auto page, client->ListDefinitions(request));
    for (const v1::Definition& definition : page.definitions()) {
      const std::string name = definition.name().substr(definition.name().find('/') + 1);
      const v1::SegmentDefinition& segment = definition.segment();
      table.Add({name, segment.static_() ? "static" : "live", segment.expression(), segment.description()});
      json.BeginObject().Key("name").String(name).Key("static").Bool(segment.static_()).Key("expression").String(segment.expression());
      json.Key("description").String(segment.description()).Key("used_by").Strings(definition.used_by()).EndObject();
      if (context.format == OutputFormat::kJson) context.out << json.TakeLine();
    }
    if (page.next_page_token().empty()) break;
    request.set_page_token(page.next_page_token());
  }
  if (context.format != OutputFormat::kJson) context.Print(table, json);
  return absl::OkStatus();
}

struct PutOptions {
  std::string segment;
  std::string file;
  std::string where;
  std::string expires;
};

// Sends the lines of a file in pieces: the first puts, the others add.
class MemberFile {
 public:
  MemberFile(const Context& context, Client* client, const PutOptions& options, int64_t expire_us)
      : context_(context), client_(client), options_(options), expire_us_(expire_us) {}

  Status Send() {
    KORREL_ASSIGN_OR_RETURN(auto source, TextSource::Open(options_.file, Encoding::kUtf8));
    std::string text;
    uint64_t line = 0;
    while (true) {
      KORREL_ASSIGN_OR_RETURN(const bool more, source->Read(&text));
      size_t begin = 0;
      for (size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
        KORREL_RETURN_IF_ERROR(Add(std::string_view(text).substr(begin, end - begin), ++line));
      }
      text.erase(0, begin);
      if (text.size() > kMemberBytesAtOnce)
        return InvalidArgument("FIELD", "", fmt::format("line {} of '{}' is too long", line + 1, options_.file));
      if (more) continue;
      KORREL_RETURN_IF_ERROR(Add(text, ++line));
      return !lines_.empty() || !sent_ ? Flush() : absl::OkStatus();
    }
  }

  uint64_t members() const { return members_; }
  uint64_t refused() const { return refused_; }

 private:
  Status Add(std::string_view profile, uint64_t line) {
    while (!profile.empty() && (profile.back() == '\r' || profile.back() == ' ')) profile.remove_suffix(1);
    if (profile.empty()) return absl::OkStatus();
    request_.add_profiles(std::string(profile));
    lines_.push_back(line);
    bytes_ += profile.size() + 4;
    return lines_.size() >= kMembersAtOnce || bytes_ >= kMemberBytesAtOnce ? Flush() : absl::OkStatus();
  }

  Status Flush() {
    request_.set_segment(options_.segment);
    request_.set_operation(sent_ ? v1::MEMBER_OPERATION_ADD : v1::MEMBER_OPERATION_PUT);
    request_.set_expire_time_us(expire_us_);
    KORREL_ASSIGN_OR_RETURN(const auto response, client_->UpdateMembers(std::move(request_)));
    for (const v1::ItemError& error : response.result().errors()) {
      const uint64_t line = error.index() < lines_.size() ? lines_[error.index()] : 0;
      context_.err << fmt::format("line {}: {}\n", line, error.message());
      ++refused_;
    }
    members_ = response.member_count();
    sent_ = true;
    request_ = {};
    lines_.clear();
    bytes_ = 0;
    return absl::OkStatus();
  }

  const Context& context_;
  Client* client_;
  const PutOptions& options_;
  int64_t expire_us_;
  v1::UpdateMembersRequest request_;
  std::vector<uint64_t> lines_;
  size_t bytes_ = 0;
  bool sent_ = false;
  uint64_t members_ = 0;
  uint64_t refused_ = 0;
};

StatusOr<int> Put(const Context& context, Client* client, const PutOptions& options) {
  int64_t expire_us = 0;
  if (!options.expires.empty()) {
    KORREL_ASSIGN_OR_RETURN(const absl::TimeZone zone, CatalogZone(client));
    KORREL_ASSIGN_OR_RETURN(expire_us, ParseTimeOption("--expires", options.expires, zone));
  }
  uint64_t members = 0;
  uint64_t refused = 0;
  if (!options.where.empty()) {
    v1::UpdateMembersRequest request;
    request.set_segment(options.segment);
    request.set_operation(v1::MEMBER_OPERATION_PUT);
    request.mutable_selection()->set_expression(options.where);
    request.set_expire_time_us(expire_us);
    KORREL_ASSIGN_OR_RETURN(const auto response, client->UpdateMembers(std::move(request)));
    members = response.member_count();
  } else {
    MemberFile file(context, client, options, expire_us);
    KORREL_RETURN_IF_ERROR(file.Send());
    members = file.members();
    refused = file.refused();
  }
  if (context.format == OutputFormat::kJson) {
    context.out << JsonWriter()
                       .BeginObject()
                       .Key("segment")
                       .String(options.segment)
                       .Key("member_count")
                       .Uint(members)
                       .Key("refused_count")
                       .Uint(refused)
                       .EndObject()
                       .TakeLine();
  } else {
    context.out << fmt::format("{}: {} members{}\n", options.segment, members,
                               refused > 0 ? fmt::format(", {} lines refused", refused) : "");
  }
  return refused > 0 ? kRefused : kDone;
}

int RunPut(const Context& context, const PutOptions& options) {
  if (options.file.empty() == options.where.empty()) return context.FailUsage("segment put: give a FILE or --where EXPR");
  auto client = context.Connect();
  if (!client.ok()) return context.Fail(client.status());
  const auto code = Put(context, client->get(), options);
  return code.ok() ? *code : context.Fail(code.status());
}

int RunList(const Context& context) {
  auto client = context.Connect();
  if (!client.ok()) return context.Fail(client.status());
  const Status status = PrintSegments(context, client->get());
  return status.ok() ? kDone : context.Fail(status);
}

}  // namespace

void AddSegmentCommands(CLI::App* app, Context* context, Command* chosen) {
  CLI::App* segment = AddCommand(app, "segment", "named segments: list, count, members, put, watch");
  segment->require_subcommand(1);

  CLI::App* command = AddCommand(segment, "list", "all segments with their definitions");
  command->callback([=] { *chosen = [=] { return RunList(*context); }; });

  const auto query = std::make_shared<QueryOptions>();
  const auto name = std::make_shared<std::string>();
  command = AddCommand(segment, "count", "how many members a segment has\n\n  korrel segment count 'churn risk'");
  command->add_option("NAME", *name, "name of the segment")->required();
  command->callback([=] {
    *chosen = [=] {
      SelectionOptions selection;
      selection.expression = InSegment(*name);
      return RunCount(*context, selection);
    };
  });

  command = AddCommand(segment, "members", "the members of a segment\n\n  korrel segment members vip --select country --limit 10");
  command->add_option("NAME", *name, "name of the segment")->required();
  command->add_option("--select", query->select, "attributes or expressions, separated by commas");
  command->add_option("--limit", query->limit, "at most so many");
  command->callback([=] {
    *chosen = [=] {
      query->selection.expression = InSegment(*name);
      return RunQuery(*context, *query);
    };
  });

  const auto put = std::make_shared<PutOptions>();
  command = AddCommand(segment, "put", R"(say who the members of a static segment are

  korrel segment put vip vips.txt                 # one TYPE:VALUE a line
  korrel segment put vip --where "spend > 1000"   # everybody who matches now)");
  command->add_option("NAME", put->segment, "name of a segment declared static")->required();
  command->add_option("FILE", put->file, "one TYPE:VALUE a line, plain or gzip");
  command->add_option("--where", put->where, "expression instead of a file");
  command->add_option("--expires", put->expires, "when these members leave by themselves");
  command->callback([=] { *chosen = [=] { return RunPut(*context, *put); }; });
  AddWatchCommand(segment, context, chosen);
}

}  // namespace korrel::cli
