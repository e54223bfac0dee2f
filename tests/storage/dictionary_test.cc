#include "storage/dictionary.h"

#include <gtest/gtest.h>

#include <string>
#include <unordered_set>

namespace korrel {
namespace {

TEST(Dictionary, CodesAreDenseInOrderOfAppearance) {
  Dictionary dictionary;
  EXPECT_EQ(dictionary.Intern("b")->value, 0u);
  EXPECT_EQ(dictionary.Intern("a")->value, 1u);
  EXPECT_EQ(dictionary.Intern("b")->value, 0u);
  EXPECT_EQ(dictionary.Intern("")->value, 2u);
  EXPECT_EQ(dictionary.size(), 3u);
  EXPECT_EQ(dictionary.Text(Code(2)), "");
  EXPECT_FALSE(dictionary.Find("c").has_value());
}

TEST(Dictionary, TextsReadBackAndNeverMove) {
  Dictionary dictionary;
  std::string_view first = dictionary.Text(*dictionary.Intern("first"));
  for (uint32_t i = 0; i < 100'000; ++i) ASSERT_EQ(dictionary.Intern("value " + std::to_string(i))->value, i + 1);
  std::string longest(kStringBytesMax, 'x'), middle(200, 'y');
  Code longest_code = *dictionary.Intern(longest), middle_code = *dictionary.Intern(middle);
  for (uint32_t i = 0; i < 100'000; ++i) {
    std::string text = "value " + std::to_string(i);
    ASSERT_EQ(dictionary.Find(text), std::optional<Code>(Code(i + 1)));
    ASSERT_EQ(dictionary.Text(Code(i + 1)), text);
  }
  EXPECT_EQ(dictionary.Text(longest_code), longest);
  EXPECT_EQ(dictionary.Text(middle_code), middle);
  EXPECT_EQ(dictionary.Text(Code(0)).data(), first.data());
}

TEST(Dictionary, SurvivesBeingMoved) {
  Dictionary dictionary;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(dictionary.Intern(std::to_string(i)).ok());
  Dictionary other = std::move(dictionary);
  EXPECT_EQ(other.Find("999")->value, 999u);
  EXPECT_EQ(other.Intern("new")->value, 1000u);
}

TEST(Dictionary, CountsRows) {
  Dictionary dictionary;
  Code code = *dictionary.Intern("a");
  dictionary.AddRows(code, 3);
  dictionary.AddRows(code, -1);
  EXPECT_EQ(dictionary.RowCount(code), 2u);
}

TEST(Dictionary, SmallOnesStaySmall) {
  Dictionary dictionary;
  ASSERT_TRUE(dictionary.Intern("NL").ok());
  EXPECT_LT(dictionary.MemoryBytes(), 2'000u);
}

}  // namespace
}  // namespace korrel
