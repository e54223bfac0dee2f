#include "index/expression/pattern.h"

namespace korrel {

std::unique_ptr<re2::RE2> CompilePattern(std::string_view text, PatternError* error) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_never_capture(true);
  options.set_max_mem(1 << 20);
  auto pattern = std::make_unique<re2::RE2>(re2::StringPiece(text.data(), text.size()), options);
  if (pattern->ok()) return pattern;
  error->too_large = pattern->error_code() == re2::RE2::ErrorPatternTooLarge;
  error->message = pattern->error();
  // RE2 appends the part at fault; where that is the whole pattern, it says nothing that the caret does not.
  std::string whole = ": " + std::string(text);
  if (error->message.ends_with(whole)) error->message.resize(error->message.size() - whole.size());
  return nullptr;
}

}  // namespace korrel
