#include "clients/cli/fill_progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace korrel::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kFirstPause{5}, kLongestPause{250};

struct Filling {
  size_t definitions = 0;
  double ratio = 1;  // of the one that is least far
};

StatusOr<Filling> AskFilling(Client* client) {
  Filling filling;
  v1::ListDefinitionsRequest request;
  request.set_page_size(1'000);
  do {
    KORREL_ASSIGN_OR_RETURN(const auto page, client->ListDefinitions(request));
    for (const v1::Definition& definition : page.definitions()) {
      if (definition.state() != v1::DEFINITION_STATE_FILLING) continue;
      ++filling.definitions;
      filling.ratio = std::min(filling.ratio, definition.fill_ratio());
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return filling;
}

}  // namespace

std::string FillBar(size_t definitions, double ratio) {
  constexpr int kWidth = 20;
  const int percent = std::clamp(static_cast<int>(ratio * 100), 0, 100);
  const auto done = static_cast<size_t>(percent * kWidth / 100);
  return fmt::format("filling {} definition{}  [{}{}] {:>3} %", definitions, definitions == 1 ? "" : "s", std::string(done, '#'),
                     std::string(kWidth - done, '-'), percent);
}

Status WaitUntilFilled(const Context& context, Client* client, milliseconds longest) {
  const auto end = steady_clock::now() + longest;
  bool shown = false;
  for (milliseconds pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    const auto filling = AskFilling(client);
    const bool over = !filling.ok() || filling->definitions == 0 || steady_clock::now() >= end;
    if (context.err_is_terminal && (shown || !over)) {
      shown = true;
      context.err << (over ? "\r\033[K" : "\r" + FillBar(filling->definitions, filling->ratio) + "\033[K") << std::flush;
    }
    if (!filling.ok()) return filling.status();
    if (filling->definitions == 0) return absl::OkStatus();
    if (over) {
      return MakeError(absl::StatusCode::kUnavailable, "FILLING", "",
                       fmt::format("{} definitions are still being filled; that goes on by itself", filling->definitions));
    }
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace korrel::cli
