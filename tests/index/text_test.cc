// `like` and `contains` against the plainest matchers there are, and their cost on text made to hurt.
#include "index/evaluation/text.h"

#include <gtest/gtest.h>

#include <random>

namespace korrel::text {
namespace {

// Straight from the definition, exponential and short.
bool NaiveLike(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '%') return NaiveLike(pattern.substr(1), text) || (!text.empty() && NaiveLike(pattern, text.substr(1)));
  if (text.empty()) return false;
  if (pattern[0] == '_') {
    size_t size = 1;
    while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) ++size;
    return NaiveLike(pattern.substr(1), text.substr(size));
  }
  const size_t escape = pattern[0] == '\\' && pattern.size() > 1 ? 1 : 0;
  return pattern[escape] == text[0] && NaiveLike(pattern.substr(escape + 1), text.substr(1));
}

TEST(Text, LikeEqualsItsDefinitionOnRandomPatterns) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string pattern_parts[] = {"%", "_", "a", "b", "ab", "é", "\\%", "\\_", "%", "_"};
  const std::string text_parts[] = {"a", "b", "é", "%", "_", "ab", "€"};
  for (int round = 0; round < 50'000; ++round) {
    std::string pattern, text;
    for (uint32_t i = random() % 7; i > 0; --i) pattern += pattern_parts[random() % std::size(pattern_parts)];
    for (uint32_t i = random() % 8; i > 0; --i) text += text_parts[random() % std::size(text_parts)];
    // The naive % may stop inside a code point; only a pattern that goes on with _ could see it, and such a text has none of them there.
    if (pattern.find("%_") != std::string::npos && text.find_first_of("\xC3\xE2") != std::string::npos) continue;
    ASSERT_EQ(LikePattern(pattern).Matches(text), NaiveLike(pattern, text)) << "'" << text << "' like '" << pattern << "'";
  }
}

TEST(Text, UnderscoreIsOneCodePointBehindAnyRun) {
  EXPECT_TRUE(LikePattern("%_").Matches("é"));
  EXPECT_FALSE(LikePattern("%__").Matches("é"));
  EXPECT_TRUE(LikePattern("_%_").Matches("é€"));
  EXPECT_FALSE(LikePattern("_%__").Matches("é€"));
  EXPECT_TRUE(LikePattern("%_x_%").Matches("ééxéé"));
}

TEST(Text, ContainsEqualsFind) {
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string text, part;
    for (uint32_t i = random() % 30; i > 0; --i) text += "ab"[random() % 2];
    for (uint32_t i = random() % 6; i > 0; --i) part += "ab"[random() % 2];
    ASSERT_EQ(Contains(text, part), text.find(part) != std::string::npos) << text << " " << part;
  }
}

// Not a timing: at text × pattern (240 million steps each) these thousand would outlast the test's limit.
TEST(Text, TextMadeToHurtCostsLinearTime) {
  const std::string text(60'000, 'a');
  const std::string part = std::string(4'000, 'a') + "b";
  const LikePattern middle("%" + part + "%"), two("%" + part + "%" + part);
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_FALSE(middle.Matches(text));
    ASSERT_FALSE(two.Matches(text));
    ASSERT_FALSE(Contains(text, part));
  }
}

}  // namespace
}  // namespace korrel::text
