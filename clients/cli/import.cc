// `korrel import`: reads the file once to see what it is, says what it assumed, and reads it again to send it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "clients/cli/batch_sender.h"
#include "clients/cli/cli.h"
#include "clients/cli/event_sort.h"
#include "clients/cli/import_plan.h"

namespace korrel::cli {
namespace {

using Clock = std::chrono::steady_clock;

Status Usage(const std::string& message) { return InvalidArgument("USAGE", "", message); }

// 1,234,567
std::string Grouped(uint64_t number) {
  std::string text = fmt::format("{}", number);
  for (ptrdiff_t at = static_cast<ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) text.insert(static_cast<size_t>(at), ",");
  return text;
}

Status CheckOptions(const ImportOptions& options) {
  if (!options.delimiter.empty() && !ParseDelimiter(options.delimiter)) {
    return Usage(fmt::format("--delimiter: '{}' is none of comma, semicolon, tab, pipe", options.delimiter));
  }
  if (!options.date_format.empty() && !ParseDateFormatName(options.date_format)) {
    return Usage(fmt::format("--date-format: '{}' is none of ymd, dmy, mdy, unix, unix_ms, unix_us", options.date_format));
  }
  KORREL_RETURN_IF_ERROR(ParseTypes(options.types).status());
  KORREL_RETURN_IF_ERROR(ParseRenames(options.rename).status());
  return ParseIdentifierColumns(options.ids).status();
}

// Pages through what the server knows, and calls `each` with every definition.
template <class Each>
Status ForDefinitions(Client* client, const std::string& parent, std::string* zone, Each each) {
  v1::ListDefinitionsRequest request;
  request.set_parent(parent);
  request.set_page_size(1'000);
  while (true) {
    KORREL_ASSIGN_OR_RETURN(const auto page, client->ListDefinitions(request));
    if (!page.time_zone().empty()) *zone = page.time_zone();
    for (const v1::Definition& definition : page.definitions()) each(definition);
    if (page.next_page_token().empty()) return absl::OkStatus();
    request.set_page_token(page.next_page_token());
  }
}

StatusOr<ServerFacts> AskServer(Client* client, const ImportOptions& options) {
  ServerFacts facts;
  KORREL_ASSIGN_OR_RETURN(const auto status, client->ServerStatus());
  facts.replay_clock = status.clock_mode() == v1::CLOCK_MODE_REPLAY;
  const auto note = [&](const v1::Definition& definition) {
    if (options.events) {
      if (definition.name() != "events/" + options.event_type) return;
      for (const v1::Field& field : definition.event().properties()) facts.types[field.name()] = FromWire(field.type(), field.scale());
      return;
    }
    const std::string name = definition.name().substr(definition.name().find('/') + 1);
    if (!definition.attribute().expression().empty()) facts.computed.push_back(name);
    facts.types[name] = FromWire(definition.result_type(), definition.result_scale());
  };
  KORREL_RETURN_IF_ERROR(ForDefinitions(client, options.events ? "events" : "attributes", &facts.zone_name, note));
  if (!options.time_zone.empty()) facts.zone_name = options.time_zone;
  if (!absl::LoadTimeZone(facts.zone_name, &facts.zone)) {
    return Usage(fmt::format("time zone '{}' is not known on this machine", facts.zone_name));
  }
  return facts;
}

class Import {
 public:
  Import(Context* context, const ImportOptions& options) : context_(*context), options_(options) {}

  int Run() {
    if (const Status status = CheckOptions(options_); !status.ok()) return context_.Fail(status);
    if (const Status status = Prepare(); !status.ok()) return context_.Fail(status);
    context_.err << DescribePlan(options_, survey_, plan_, facts_);
    rejected_ = std::make_unique<RejectedFile>(options_.rejected.empty() ? options_.file + ".rejected" : options_.rejected, survey_.style,
                                               survey_.columns);
    sender_ = std::make_unique<BatchSender>(client_.get(), rejected_.get());
    start_ = Clock::now();
    const Status read = Load();
    const Status sent = sender_->Finish();
    if (context_.err_is_terminal) context_.err << "\r\x1b[K";
    if (!sent.ok()) return Stopped(sent);
    if (!read.ok()) return Stopped(read);
    return Summary();
  }

 private:
  static constexpr double kBatchSeconds = 8;

  Status Prepare() {
    // A server that goes away is noticed within eight seconds, whether it is gone or only silent; who knows it to be busy gives it more.
    ClientOptions limits;
    limits.call_timeout = context_.CallTimeout(kBatchSeconds);
    limits.retry_for = std::chrono::milliseconds(4'000);
    KORREL_ASSIGN_OR_RETURN(client_, context_.Connect(limits));
    KORREL_ASSIGN_OR_RETURN(facts_, AskServer(client_.get(), options_));
    KORREL_ASSIGN_OR_RETURN(survey_, SurveyFile(options_));
    KORREL_ASSIGN_OR_RETURN(plan_, MakePlan(options_, survey_, facts_));
    return absl::OkStatus();
  }

  Status Load() {
    parser_ = MakeParser(survey_.style, survey_.columns);
    batch_ = std::make_unique<RowBatch>(options_, plan_, survey_.digest);
    KORREL_ASSIGN_OR_RETURN(reader_, OpenRows(options_.file, survey_.style, parser_.get()));
    // The replay clock moves with the events: they must come in the order of their times.
    const bool sorted = facts_.replay_clock && options_.events && plan_.time;
    KORREL_RETURN_IF_ERROR(sorted ? LoadSorted() : LoadAsRead());
    if (batch_->rows() > 0) sender_->Send(batch_->Take());
    return absl::OkStatus();
  }

  Status LoadAsRead() {
    Row row;
    int64_t time_us = 0;
    while (true) {
      KORREL_ASSIGN_OR_RETURN(const bool more, reader_->Next(&row));
      if (!more) return absl::OkStatus();
      if (Wanted(&row, &time_us) && !AddRow(&row, time_us)) return absl::OkStatus();
    }
  }

  Status LoadSorted() {
    EventSort sort;
    Row row;
    int64_t time_us = 0;
    while (true) {
      KORREL_ASSIGN_OR_RETURN(const bool more, reader_->Next(&row));
      if (!more) break;
      if (Wanted(&row, &time_us)) KORREL_RETURN_IF_ERROR(sort.Add(time_us, row.line, row.raw));
      if (read_ % 4'096 == 0) KORREL_RETURN_IF_ERROR(CheckServer());
    }
    KORREL_RETURN_IF_ERROR(sort.Finish());
    EventSort::Item item;
    while (true) {
      KORREL_ASSIGN_OR_RETURN(const bool more, sort.Next(&item));
      if (!more) return absl::OkStatus();
      parser_->Parse(item.raw, true, &row);
      row.line = item.line;
      if (!AddRow(&row, item.time_us)) return absl::OkStatus();
    }
  }

  // While rows are only sorted nothing is sent: asks now and then, so that a server that goes away is noticed in time.
  Status CheckServer() {
    const auto now = Clock::now();
    if (now - checked_ < std::chrono::seconds(1)) return absl::OkStatus();
    checked_ = now;
    return client_->ServerStatus().status();
  }

  // Counts the row, rejects it where it is broken or has no time, and passes over what lies beyond --until.
  bool Wanted(Row* row, int64_t* time_us) {
    ++read_;
    Progress();
    if (row->problem.empty()) {
      if (auto problem = RowTime(plan_, row, time_us); !problem.empty()) row->problem = std::move(problem);
    }
    if (!row->problem.empty()) {
      rejected_->Add(row->line, row->problem, row->raw, row->splits);
      return false;
    }
    if (plan_.until_us && *time_us > *plan_.until_us) {
      ++beyond_until_;
      return false;
    }
    return true;
  }

  // False: the sender has stopped.
  bool AddRow(Row* row, int64_t time_us) {
    if (auto problem = batch_->Add(row, time_us); !problem.empty()) rejected_->Add(row->line, problem, row->raw, true);
    return !batch_->Full() || sender_->Send(batch_->Take());
  }

  void Progress() {
    if (!context_.err_is_terminal || read_ % 4'096 != 0) return;
    const auto now = Clock::now();
    if (now - shown_ < std::chrono::milliseconds(100)) return;
    shown_ = now;
    constexpr int kBarWidth = 30;
    const double part = reader_->source().Progress();
    const double seconds = std::chrono::duration<double>(now - start_).count();
    context_.err << fmt::format("\r[{:<{}}] {:3.0f} %  {} rows  {}/s ", std::string(static_cast<size_t>(part * kBarWidth), '='), kBarWidth,
                                part * 100, Grouped(read_), Grouped(static_cast<uint64_t>(static_cast<double>(read_) / seconds)))
                 << std::flush;
  }

  int Stopped(const Status& status) {
    if (status.code() == absl::StatusCode::kDeadlineExceeded) {
      context_.err << fmt::format("error: the server did not answer for {} seconds; where it is busy, allow more with --timeout SECONDS\n",
                                  context_.timeout_seconds.value_or(kBatchSeconds));
    } else {
      context_.Fail(status);
    }
    const ImportCounts counts = sender_->counts();
    context_.err << fmt::format(
        "stopped: {} rows were acknowledged by the server ({} of them applied); run the same command again to load the rest\n",
        Grouped(counts.acknowledged), Grouped(counts.applied));
    return kRefused;
  }

  int Summary() {
    const ImportCounts counts = sender_->counts();
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    const uint64_t rejected = rejected_->count();
    if (context_.format == OutputFormat::kJson) {
      JsonWriter json;
      json.BeginObject().Key("file").String(options_.file).Key("read_count").Uint(read_).Key("applied_count").Uint(counts.applied);
      json.Key("duplicate_count")
          .Uint(counts.duplicates)
          .Key("rejected_count")
          .Uint(rejected)
          .Key("beyond_until_count")
          .Uint(beyond_until_);
      json.Key("seconds").Double(seconds).Key("digest").String(survey_.digest);
      json.Key("rejected_file").String(rejected_->written() ? rejected_->path() : "");
      context_.out << json.EndObject().TakeLine();
    } else if (context_.format == OutputFormat::kCsv) {
      Table table({"file", "read", "applied", "duplicates", "rejected", "beyond_until", "seconds"});
      table.Add({options_.file, fmt::format("{}", read_), fmt::format("{}", counts.applied), fmt::format("{}", counts.duplicates),
                 fmt::format("{}", rejected), fmt::format("{}", beyond_until_), fmt::format("{:.2f}", seconds)});
      context_.out << table.Csv();
    } else {
      PrintSummary(counts, rejected, seconds);
    }
    for (const std::string& note : counts.notes) context_.err << "note: " << note << "\n";
    if (rejected > 0) ExplainRejected(rejected);
    return rejected > 0 ? kRefused : kDone;
  }

  void PrintSummary(const ImportCounts& counts, uint64_t rejected, double seconds) {
    context_.out << fmt::format("{} rows read, {} applied, {} duplicates, {} rejected in {:.1f} s ({} rows/s)\n", Grouped(read_),
                                Grouped(counts.applied), Grouped(counts.duplicates), Grouped(rejected), seconds,
                                Grouped(static_cast<uint64_t>(static_cast<double>(read_) / std::max(seconds, 1e-6))));
    if (beyond_until_ > 0) context_.out << fmt::format("{} rows lie after {} and were left out\n", Grouped(beyond_until_), options_.until);
    if (counts.duplicates > 0 && counts.applied == 0) context_.out << "everything was there already: nothing changed\n";
  }

  void ExplainRejected(uint64_t rejected) {
    for (const std::string& example : rejected_->Examples()) context_.err << example << "\n";
    if (rejected > rejected_->Examples().size()) context_.err << "…\n";
    context_.err << (rejected_->written() ? fmt::format("{} rejected rows: see {}\n", Grouped(rejected), rejected_->path())
                                          : fmt::format("{} rejected rows; {} could not be written, name another place with --rejected\n",
                                                        Grouped(rejected), rejected_->path()));
  }

  Context& context_;
  const ImportOptions& options_;
  std::unique_ptr<Client> client_;
  ServerFacts facts_;
  Survey survey_;
  ImportPlan plan_;
  std::unique_ptr<RejectedFile> rejected_;
  std::unique_ptr<BatchSender> sender_;
  std::unique_ptr<RowParser> parser_;
  std::unique_ptr<RowReader> reader_;
  std::unique_ptr<RowBatch> batch_;
  uint64_t read_ = 0;
  uint64_t beyond_until_ = 0;
  Clock::time_point start_;
  Clock::time_point shown_;
  Clock::time_point checked_;
};

void AddOptions(CLI::App* command, ImportOptions* options) {
  command->add_option("FILE", options->file, "CSV or JSON lines, plain or gzip")->required();
  command->add_option("--id", options->ids, "columns that identify the profile: COLUMN or COLUMN:TYPE, separated by commas")->required();
  command->add_option("--types", options->types, "types of columns: a:string,b:decimal(2),c:set(|); others are recognised");
  command->add_option("--rename", options->rename, "OLD=NEW,…; acts first, the other options name the new names");
  command->add_option("--skip", options->skip, "columns not to load");
  command->add_option("--source", options->source, "where the data comes from")->capture_default_str();
  command->add_flag("--round", options->round, "round digits beyond a column's scale half away from zero instead of rejecting the row");
  command->add_option("--until", options->until, "load only rows up to this time");
  command->add_option("--format", options->format, "csv or jsonl instead of what is recognised")->check(CLI::IsMember({"csv", "jsonl"}));
  command->add_option("--delimiter", options->delimiter, "comma, semicolon, tab or pipe");
  command->add_option("--decimal", options->decimal, "decimal sign: point or comma")->check(CLI::IsMember({"point", "comma"}));
  command->add_flag_callback(
      "--decimal-comma", [options] { options->decimal = "comma"; }, "the same as --decimal comma");
  command->add_option("--date-format", options->date_format, "ymd, dmy, mdy, or for numbers unix, unix_ms, unix_us");
  command->add_option("--time-zone", options->time_zone, "zone of times without one (default: the catalog's)");
  command->add_option("--encoding", options->encoding, "utf-8 or windows-1252")->check(CLI::IsMember({"utf-8", "windows-1252"}));
  command->add_flag("--no-header", options->no_header, "the first line is data; columns are column_1, column_2, …");
  command->add_option("--rejected", options->rejected, "where rejected rows go (default: FILE.rejected)");
}

}  // namespace

void AddImportCommands(CLI::App* app, Context* context, Command* chosen) {
  CLI::App* import = AddCommand(app, "import", "load a file of profiles or events");
  import->require_subcommand(1);

  const auto profiles = std::make_shared<ImportOptions>();
  CLI::App* command = AddCommand(import, "profiles", R"(load attributes of profiles, one profile a row

  korrel import profiles people.csv --id customer_id --types zip:string --time updated_at

Prints what it assumed and the first rows, loads the file, writes rows it cannot load to FILE.rejected.)");
  AddOptions(command, profiles.get());
  command->add_option("--time", profiles->time, "column of the rows' event time (default: now)");
  command->add_option("--empty", profiles->empty, "an empty cell: keep what is there, or unset it")
      ->check(CLI::IsMember({"keep", "unset"}))
      ->capture_default_str();
  command->callback([=] { *chosen = [=] { return Import(context, *profiles).Run(); }; });

  const auto events = std::make_shared<ImportOptions>();
  events->events = true;
  command = AddCommand(import, "events", R"(load events of one type, one event a row

  korrel import events orders.csv.gz --type order --id customer_id --time ordered_at

Under the replay clock the rows are sent in the order of their times. Without --message-id a row is known by the file's content
and its line, so a second run of the same file changes nothing.)");
  AddOptions(command, events.get());
  command->add_option("--type", events->event_type, "the type of the events")->required();
  command->add_option("--time", events->time, "column of the events' time")->required();
  command->add_option("--message-id", events->message_id, "columns whose values make the message id");
  command->callback([=] { *chosen = [=] { return Import(context, *events).Run(); }; });
}

}  // namespace korrel::cli
