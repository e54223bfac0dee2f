// index/evaluation/text.h
//
// Text functions and tests of the language. Everything works on valid UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace korrel::text {

// A `like` pattern: % any run, _ one code point, \ takes the next character as it is. Linear in text × pattern pieces, without
// recursion: greedy from the left, since only the last % has to be tried again.
class LikePattern {
 public:
  explicit LikePattern(std::string_view pattern);
  bool Matches(std::string_view text) const;

 private:
  struct Piece {
    enum class Kind : uint8_t { kByte, kAnyCodePoint, kAnyRun } kind;
    char byte = 0;
  };
  std::vector<Piece> pieces_;
};

// Code points one to one by Unicode's simple mappings (utf8proc's table); others stay.
std::string Lower(std::string_view text);
std::string Upper(std::string_view text);
int64_t CodePointCount(std::string_view text);

}  // namespace korrel::text
