// `korrel segment watch`: who enters and leaves, line by line, until interrupted.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <optional>
#include <utility>

#include "clients/cli/cli.h"
#include "clients/cli/interrupt.h"

namespace korrel::cli {
namespace {

struct WatchOptions {
  std::vector<std::string> segments;
  std::optional<std::string> from;
};

std::string_view ChangeName(v1::MembershipChange change) {
  switch (change) {
    case v1::MEMBERSHIP_CHANGE_ENTERED:
      return "entered";
    case v1::MEMBERSHIP_CHANGE_EXITED:
      return "exited";
    default:
      return "unknown";
  }
}

std::string CauseName(v1::ChangeCause cause) {
  constexpr std::string_view kPrefix = "CHANGE_CAUSE_";
  std::string name = v1::ChangeCause_IsValid(cause) ? v1::ChangeCause_Name(cause).substr(kPrefix.size()) : "unknown";
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return name;
}

// "value" or "partition:value", as positions are printed.
StatusOr<v1::Position> ParsePosition(std::string_view text) {
  v1::Position position;
  const auto number = [](std::string_view digits, auto* out) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), *out);
    return error == std::errc() && end == digits.data() + digits.size();
  };
  uint32_t partition = 0;
  uint64_t value = 0;
  const size_t colon = text.find(':');
  const bool has_partition = colon != std::string_view::npos;
  if ((has_partition && !number(text.substr(0, colon), &partition)) || !number(text.substr(has_partition ? colon + 1 : 0), &value)) {
    return InvalidArgument("USAGE", "", fmt::format("--from: '{}' is not a position; positions are numbers, 0 is the oldest kept", text));
  }
  position.set_partition(partition);
  position.set_value(value);
  return position;
}

// Prints the changes of each message as it comes.
class ChangePrinter {
 public:
  explicit ChangePrinter(const Context& context) : context_(context) {}

  void Print(const v1::WatchResponse& response) {
    if (!std::exchange(has_header_, true)) PrintHeader();
    for (const v1::SegmentChange& change : response.changes()) {
      const bool known = change.segment() < static_cast<uint32_t>(response.segments_size());
      Print(change, known ? response.segments(static_cast<int>(change.segment())) : "");
    }
    context_.out.flush();
  }

 private:
  // Once the server has agreed: a refusal is all there is to say then.
  void PrintHeader() {
    if (context_.format == OutputFormat::kTable) {
      context_.out << Line("time", "change", "profile", "cause", "position", "segment");
    } else if (context_.format == OutputFormat::kCsv) {
      context_.out << csv_.Csv(true);
    }
    context_.out.flush();
  }

  // One line after the other must line up with those to come, so the columns have the width of what may stand there.
  static std::string Line(std::string_view time, std::string_view change, std::string_view profile, std::string_view cause,
                          std::string_view position, std::string_view segment) {
    return fmt::format("{:<27}  {:<7}  {:<24}  {:<10}  {:>19}  {}\n", time, change, profile, cause, position, segment);
  }

  void Print(const v1::SegmentChange& change, const std::string& segment) {
    const std::string time = FormatTimestamp(Timestamp{change.time_us()});
    const std::string position = PositionText(change.position());
    switch (context_.format) {
      case OutputFormat::kTable:
        context_.out << Line(time, ChangeName(change.change()), change.profile(), CauseName(change.cause()), position,
                             Shortened(segment, 128));
        break;
      case OutputFormat::kCsv:
        csv_.Add({time, std::string(ChangeName(change.change())), change.profile(), CauseName(change.cause()), position, segment});
        context_.out << csv_.Csv(false);
        csv_.Clear();
        break;
      case OutputFormat::kJson:
        json_.BeginObject().Key("change").String(ChangeName(change.change())).Key("segment").String(segment);
        json_.Key("profile").String(change.profile()).Key("position").String(position).Key("time").String(time);
        context_.out << json_.Key("cause").String(CauseName(change.cause())).EndObject().TakeLine();
        break;
    }
  }

  const Context& context_;
  Table csv_{{"time", "change", "profile", "cause", "position", "segment"}};
  JsonWriter json_;
  bool has_header_ = false;
};

// Who was told nothing has nowhere to go on from but where it asked for, and that was refused. A server that ends says itself whether
// the next one knows the position.
int FailAt(const Context& context, const Status& status, const WatchOptions& options, const WatchReader& reader) {
  const int code = context.Fail(status);
  if (!reader.positions().empty() && PositionText(reader.positions()[0]) != options.from) {
    const std::string last = PositionText(reader.positions()[0]);
    const bool ends = ReasonOf(status) == "SHUTDOWN";
    context.err << (ends ? fmt::format("the last position was {}\n", last)
                         : fmt::format("the last position was {0}; go on with --from {0}\n", last));
  }
  return code;
}

int RunWatch(const Context& context, const WatchOptions& options) {
  v1::WatchRequest request;
  for (const std::string& name : options.segments) request.add_segments(name);
  if (options.from) {
    const auto from = ParsePosition(*options.from);
    if (!from.ok()) return context.Fail(from.status());
    *request.add_after_positions() = *from;
  }
  const HeldSignals held;
  auto client = context.Connect();
  if (!client.ok()) return context.Fail(client.status());
  const auto reader = (*client)->Watch(std::move(request));
  const InterruptListener listener(held, [&reader] { reader->Cancel(); });
  ChangePrinter printer(context);
  v1::WatchResponse response;
  while (context.out) {
    const auto more = reader->Next(&response);
    if (!more.ok()) return FailAt(context, more.status(), options, *reader);
    if (!*more) break;
    printer.Print(response);
  }
  return kDone;
}

}  // namespace

void AddWatchCommand(CLI::App* segment, Context* context, Command* chosen) {
  const auto options = std::make_shared<WatchOptions>();
  CLI::App* command = AddCommand(segment, "watch", R"(who enters and leaves live segments, line by line, until interrupted

  korrel segment watch lapsing                          # from now on
  korrel segment watch lapsing vip_buyers --from 0      # all changes that are kept, then what comes
  korrel segment watch --output json > changes.jsonl    # of all live segments

Ctrl-C or SIGTERM ends it with exit code 0. To go on without a gap, give the last position printed to --from.)");
  command->add_option("NAME", options->segments, "names of live segments; none: all");
  command->add_option("--from", options->from, "position to go on behind; 0: the oldest change kept; without: from now on")
      ->type_name("POSITION");
  command->callback([=] { *chosen = [=] { return RunWatch(*context, *options); }; });
}

}  // namespace korrel::cli
