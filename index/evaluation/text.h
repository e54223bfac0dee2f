// index/evaluation/text.h
//
// Text functions and tests of the language. Everything works on valid UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace korrel::text {

// A `like` pattern: % any run, _ one code point, \ takes the next character as it is. The pattern falls apart at its % into segments, each
// found as far left as possible, since only what follows a % can ever be moved. A segment without _ is searched in time linear in
// the text; one with _ costs text × segment at worst.
class LikePattern {
 public:
  explicit LikePattern(std::string_view pattern);
  bool Matches(std::string_view text) const;

 private:
  // Literal bytes, then `skips` code points whatever they are.
  struct Part {
    std::string literal;
    uint32_t skips = 0;
  };
  struct Segment {
    std::vector<Part> parts;
    size_t code_points = 0;
    // Behind the segment where it stands at `at`; npos where it does not.
    size_t MatchAt(std::string_view text, size_t at) const;
    size_t Find(std::string_view text, size_t from) const;      // behind its first place at or behind `from`; npos
    bool MatchesEnd(std::string_view text, size_t from) const;  // whether text ends with it, not before `from`
  };
  std::vector<Segment> segments_;  // as many as there are %, and one
};

// Whether `part` stands in `text`, in time linear in both.
bool Contains(std::string_view text, std::string_view part);

// Code points one to one by Unicode's simple mappings (utf8proc's table); others stay.
std::string Lower(std::string_view text);
std::string Upper(std::string_view text);
int64_t CodePointCount(std::string_view text);

}  // namespace korrel::text
