// tests/index/expression/example_catalog.h
//
// The names that the examples of docs/expressions.md know, and a short way to compile against them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "index/expression/expression.h"

namespace korrel {

struct ExampleCatalog {
  Schema schema;
  NamedDefinitions definitions;
  std::map<std::string, Value, std::less<>> parameters{{"country", std::string("NL")}, {"min", int64_t{3}}};

  ExampleCatalog() {
    for (const char* name : {"country", "tier", "email", "time_zone", "favourite colour"}) Attribute(name, kStringType);
    Attribute("age", kIntType);
    Attribute("score", kDoubleType);
    Attribute("balance", DecimalType(2));
    Attribute("spend_90d", DecimalType(2));
    Attribute("is_member", kBoolType);
    Attribute("birth_date", kTimestampType);
    Attribute("last_seen", kTimestampType);
    Attribute("interests", kSetType);
    Event("order", {{"amount", DecimalType(2)},
                    {"quantity", kIntType},
                    {"price", DecimalType(3)},
                    {"category", kStringType},
                    {"coupon", kStringType}});
    Event("visit", {{"page", kStringType}, {"seconds", kIntType}});
    Event("view", {});
    Event("cart", {{"product", kStringType}});
    schema.identifier_types = {"email"};
    schema.identifier_type_by_name["email"] = 0;
    definitions.segments["churn risk"] = {SegmentId(0), true, nullptr};
    definitions.population["spend_p90"] = DecimalType(2);
    definitions.segments["vip"] = {SegmentId(1), true, nullptr};
  }

  void Attribute(const std::string& name, Type type) {
    auto id = static_cast<uint32_t>(schema.attributes.size());
    schema.attributes.push_back({AttributeId(id), name, type});
    schema.attribute_by_name[name] = id;
  }

  void Event(const std::string& name, const std::vector<std::pair<std::string, Type>>& properties) {
    EventTypeSchema event;
    event.id = EventTypeId(static_cast<uint32_t>(schema.event_types.size()));
    event.name = name;
    event.retention_us = int64_t{400} * 86'400'000'000;
    for (const auto& [property, type] : properties) {
      event.properties.push_back({PropertyId(static_cast<uint32_t>(event.properties.size())), property, type});
    }
    schema.event_type_by_name[name] = event.id.value;
    schema.event_types.push_back(std::move(event));
  }

  // A question's options; the catalog must outlive them.
  CompileOptions Question() const {
    CompileOptions options;
    options.schema = &schema;
    options.definitions = &definitions;
    options.parameters = &parameters;
    return options;
  }
  CompileOptions LiveSegment() const {
    CompileOptions options = Question();
    options.parameters = nullptr;
    options.place = ExpressionPlace::kLiveSegment;
    options.must_be_condition = true;
    return options;
  }
  CompileOptions AttributeDefinition() const {
    CompileOptions options = Question();
    options.parameters = nullptr;
    options.place = ExpressionPlace::kAttributeDefinition;
    return options;
  }
};

// "UNKNOWN_NAME 1: unknown attribute …", or "" where it compiles.
inline std::string ErrorText(std::string_view text, const CompileOptions& options) {
  auto compiled = Expression::Compile(text, options);
  if (compiled.ok()) return "";
  auto error = ExpressionErrorOf(compiled.status());
  if (!error) return "an error that does not point";
  return error->reason + " " + std::to_string(error->column) + ": " + error->message;
}

// The compiled expression; a test that expects one and gets an error stops with its message.
inline ExpressionRef MustCompile(std::string_view text, const CompileOptions& options) {
  auto compiled = Expression::Compile(text, options);
  if (!compiled.ok()) throw std::runtime_error(std::string(text) + "\n" + std::string(MessageOf(compiled.status())));
  return *std::move(compiled);
}

}  // namespace korrel
