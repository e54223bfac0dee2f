// clients/cli/cli.h
//
// The `korrel` command line: what every command shares, and Run, which is main without a process.
//
// Exit codes: 0 done; 1 refused, rejected rows, a server error, or `out` failed, with the message on `err`; 2 wrong usage.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "clients/cli/output.h"
#include "clients/cpp/client.h"

namespace CLI {
class App;
}

namespace korrel::cli {

inline constexpr int kDone = 0;
inline constexpr int kRefused = 1;
inline constexpr int kWrongUsage = 2;

struct Context {
  std::ostream& out;
  std::ostream& err;
  bool err_is_terminal = false;
  OutputFormat format = OutputFormat::kTable;
  std::string server;
  std::optional<double> timeout_seconds;  // as given

  // What a call may take: as given, or else so many seconds.
  static constexpr double kLongWorkSeconds = 3'600;  // of what reads or writes everything
  std::chrono::milliseconds CallTimeout(double otherwise_seconds = 60) const {
    return std::chrono::milliseconds(static_cast<int64_t>(timeout_seconds.value_or(otherwise_seconds) * 1'000));
  }
  // A client, or a sentence that says that nobody answers.
  StatusOr<std::unique_ptr<Client>> Connect() const;
  // With other time limits than the default; the address is filled in.
  StatusOr<std::unique_ptr<Client>> Connect(ClientOptions options) const;

  // Prints the error, with the caret where it is about an expression; answers the exit code.
  int Fail(const Status& status) const;
  int FailUsage(std::string_view message) const;

  // Writes one answer: `table` in table or CSV form, or the JSON.
  void Print(const Table& table, JsonWriter& json) const;
};

using Command = std::function<int()>;

// A subcommand; the first line of `help` stands in the list of commands, the rest below the options.
CLI::App* AddCommand(CLI::App* parent, const std::string& name, std::string_view help);

// Each adds its subcommands; the one typed puts what is to be run into `chosen`.
void AddProfileCommands(CLI::App* app, Context* context, Command* chosen);
void AddQuestionCommands(CLI::App* app, Context* context, Command* chosen);
void AddSegmentCommands(CLI::App* app, Context* context, Command* chosen);
void AddAdminCommands(CLI::App* app, Context* context, Command* chosen);
void AddImportCommands(CLI::App* app, Context* context, Command* chosen);
void AddWatchCommand(CLI::App* segment, Context* context, Command* chosen);
void AddApplyCommand(CLI::App* app, Context* context, Command* chosen);

// The catalog's time zone, for times typed without one.
StatusOr<absl::TimeZone> CatalogZone(Client* client);
// A time as typed: RFC 3339 or a date, in `zone` where it has none. `option` names it in the error. Never 0 (kTimeNotGiven).
StatusOr<int64_t> ParseTimeOption(std::string_view option, std::string_view text, const absl::TimeZone& zone);

// "value", or "partition:value".
std::string PositionText(const v1::Position& position);
void PutPositions(const google::protobuf::RepeatedPtrField<v1::Position>& positions, JsonWriter* json);

// `text` split at commas outside parentheses and quotes; the quotes stay, they belong to the expressions.
std::vector<std::string> SplitExpressions(std::string_view text);

// The answer to a write of `what`: exit code by its errors, which are printed.
int PrintWriteResult(const Context& context, const v1::WriteResult& result, std::string_view what);

int Run(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

}  // namespace korrel::cli
