#include "index/evaluation/text.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstring>

namespace korrel::text {
namespace {

bool IsContinuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

size_t NextCodePoint(std::string_view text, size_t at) {
  ++at;
  while (at < text.size() && IsContinuation(text[at])) ++at;
  return at;
}

// The first place of `part` in `text`. memmem is linear for every pair of strings, string_view::find is not.
size_t FindPart(std::string_view text, std::string_view part) {
  if (part.empty()) return 0;
  const void* found = memmem(text.data(), text.size(), part.data(), part.size());
  return found ? static_cast<size_t>(static_cast<const char*>(found) - text.data()) : std::string_view::npos;
}

template <class Map>
std::string MapCodePoints(std::string_view text, const Map& map) {
  std::string result;
  result.reserve(text.size());
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (size_t at = 0; at < text.size();) {
    utf8proc_int32_t code_point = 0;
    const utf8proc_ssize_t size = utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(text.size() - at), &code_point);
    if (size <= 0) {  // not reachable with valid UTF-8; kept as it is
      result += text[at++];
      continue;
    }
    at += static_cast<size_t>(size);
    utf8proc_uint8_t encoded[4];
    const utf8proc_ssize_t encoded_size = utf8proc_encode_char(map(code_point), encoded);
    result.append(reinterpret_cast<const char*>(encoded), static_cast<size_t>(encoded_size));
  }
  return result;
}

}  // namespace

LikePattern::LikePattern(std::string_view pattern) : segments_(1) {
  const auto part = [this]() -> Part& {
    Segment& segment = segments_.back();
    if (segment.parts.empty() || segment.parts.back().skips > 0) segment.parts.emplace_back();
    return segment.parts.back();
  };
  for (size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] == '%') {
      segments_.emplace_back();
    } else if (pattern[at] == '_') {
      if (segments_.back().parts.empty()) segments_.back().parts.emplace_back();
      ++segments_.back().parts.back().skips;
      ++segments_.back().code_points;
    } else {
      if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
      part().literal += pattern[at];
      segments_.back().code_points += !IsContinuation(pattern[at]);
    }
  }
}

size_t LikePattern::Segment::MatchAt(std::string_view text, size_t at) const {
  for (const Part& part : parts) {
    if (text.substr(at, part.literal.size()) != part.literal) return std::string_view::npos;
    at += part.literal.size();
    for (uint32_t i = 0; i < part.skips; ++i) {
      if (at >= text.size()) return std::string_view::npos;
      at = NextCodePoint(text, at);
    }
  }
  return at;
}

size_t LikePattern::Segment::Find(std::string_view text, size_t from) const {
  if (parts.empty()) return from;
  const std::string& first = parts[0].literal;
  while (from <= text.size()) {
    if (!first.empty()) {
      const size_t next = FindPart(text.substr(from), first);
      if (next == std::string_view::npos) return next;
      from += next;
    }
    const size_t end = MatchAt(text, from);
    if (end != std::string_view::npos || from == text.size()) return end;
    from = NextCodePoint(text, from);
  }
  return std::string_view::npos;
}

bool LikePattern::Segment::MatchesEnd(std::string_view text, size_t from) const {
  size_t at = text.size();
  for (size_t i = 0; i < code_points; ++i) {
    if (at <= from) return false;
    do --at;
    while (at > from && IsContinuation(text[at]));
  }
  return MatchAt(text, at) == text.size();
}

bool LikePattern::Matches(std::string_view text) const {
  size_t at = segments_.front().MatchAt(text, 0);
  if (segments_.size() == 1) return at == text.size();
  for (size_t i = 1; i + 1 < segments_.size() && at != std::string_view::npos; ++i) at = segments_[i].Find(text, at);
  return at != std::string_view::npos && segments_.back().MatchesEnd(text, at);
}

bool Contains(std::string_view text, std::string_view part) { return FindPart(text, part) != std::string_view::npos; }

std::string Lower(std::string_view text) { return MapCodePoints(text, utf8proc_tolower); }
std::string Upper(std::string_view text) { return MapCodePoints(text, utf8proc_toupper); }

int64_t CodePointCount(std::string_view text) {
  return static_cast<int64_t>(std::count_if(text.begin(), text.end(), [](char byte) { return !IsContinuation(byte); }));
}

}  // namespace korrel::text
