// tests/engine/write_fixture.h
//
// A database on a clock of the test's own, and short ways to write to it.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "engine/core.h"
#include "engine/database.h"
#include "engine/database_core.h"

namespace korrel {

inline constexpr int64_t kSecondUs = 1'000'000, kDayUs = 86'400 * kSecondUs;
inline constexpr int64_t kStartUs = 20'000 * kDayUs;

inline std::unique_ptr<Database> OpenForTest(uint32_t shards = 4, std::unique_ptr<Clock> clock = nullptr,
                                             uint32_t events_hard_max = 1'000) {
  DatabaseOptions options;
  options.shards = shards;
  options.threads = 2;
  options.clock = clock ? std::move(clock) : Clock::MakeManual(kStartUs);
  options.events_hard_max = events_hard_max;
  return std::move(Database::Open(std::move(options))).value();
}

inline AttributeWrite Set(std::string name, Value value, int64_t time_us = 0) {
  return {std::move(name), AttributeOperation::kSet, std::move(value), time_us};
}
inline AttributeWrite Do(AttributeOperation operation, std::string name, Value value) {
  return {std::move(name), operation, std::move(value), 0};
}

inline WriteResult UpsertOne(Database& database, std::vector<std::string> identifiers, std::vector<AttributeWrite> attributes,
                             int64_t time_us = 0) {
  ProfileWrite write{std::move(identifiers), std::move(attributes), time_us};
  return database.Upsert({&write, 1}, {}).value();
}
inline Status UpsertError(Database& database, std::vector<std::string> identifiers, std::vector<AttributeWrite> attributes) {
  WriteResult result = UpsertOne(database, std::move(identifiers), std::move(attributes));
  return result.errors.empty() ? absl::OkStatus() : result.errors[0].status;
}
inline WriteResult TrackOne(Database& database, std::string identifier, std::string type, int64_t time_us,
                            std::vector<EventProperty> properties = {}, std::string message_id = {}) {
  EventWrite event{{std::move(identifier)}, std::move(type), time_us, std::move(message_id), "", std::move(properties)};
  return database.Track({&event, 1}, {}).value();
}

// What everybody and everything looks like, as text; equal databases give equal texts. Positions are left out unless asked for.
inline std::string DumpOf(Database& database, bool positions = false) {
  Core& core = CoreOf(database);
  CatalogRef catalog = core.CurrentCatalog();
  std::map<uint64_t, std::string> profiles;
  for (const auto& shard : core.shards) {
    std::shared_lock<PhaseFairLock> hold(shard->lock);
    const ProfileTable& table = shard->table;
    for (uint32_t r = 0; r < table.row_end(); ++r) {
      Row row(r);
      if (!table.live().Test(row)) continue;
      std::string text;
      for (const Identifier& identifier : table.IdentifiersOf(row)) {
        text += " " + catalog->schema->identifier_types[identifier.type.value] + ":" + identifier.text;
      }
      text += " created " + std::to_string(table.CreatedAt(row, INT64_MAX).value_or(-1)) + " updated " +
              std::to_string(table.UpdatedAt(row, INT64_MAX).value_or(-1));
      if (positions) text += " version " + std::to_string(table.VersionOf(row).value);
      for (const AttributeSchema& attribute : catalog->schema->attributes) {
        const AttributeColumn* column = table.column(attribute.id);
        if (!column || !column->Has(row)) continue;
        ProfileTable::WriteStamp stamp = table.StampOf(row, attribute.id);
        text += "\n  " + attribute.name + " = " + DisplayValue(column->Get(row)) + " " + TypeName(column->type()) + " @" +
                std::to_string(stamp.time_us) + " by " + std::to_string(stamp.source.value);
      }
      for (EventTypeId id : table.EventTypesOf(row)) {
        const EventHistory& history = *table.History(row, id);
        const EventTypeSchema& type = catalog->schema->event_types[id.value];
        for (uint32_t i = 0; i < history.size(); ++i) {
          text += "\n  " + type.name + " " + std::to_string(history.TimeOf(i)) + " by " + std::to_string(history.SourceOf(i).value);
          for (const PropertySchema& property : type.properties) {
            text += " " + DisplayValue(history.ValueOf(i, property.id, property.type, table.Properties(id)));
          }
        }
        if (table.IsTruncated(row, id)) text += "\n  truncated";
      }
      for (const auto& [name, segment] : catalog->definitions.segments) {
        const StaticList* list = segment.is_static ? table.List(segment.id) : nullptr;
        if (list && list->members.Test(row)) {
          auto expires = list->expires_us.find(row);
          text += "\n  in " + name + (expires == list->expires_us.end() ? "" : " until " + std::to_string(expires->second));
        }
      }
      profiles[table.IdOf(row).value] = text;
    }
  }
  std::string dump = "revision " + std::to_string(catalog->revision) + " zone " + catalog->time_zone + "\n";
  for (const auto& [name, definition] : catalog->declared) dump += name + " " + std::to_string(definition.revision) + "\n";
  for (const auto& [name, expression] : catalog->definitions.attributes) dump += name + " is " + expression->normal_form() + "\n";
  for (const AttributeSchema& a : catalog->schema->attributes) {
    dump += a.name + " " + TypeName(a.type) + (a.declared ? " declared" : "") + (a.computed ? " computed" : "") +
            (a.dropped ? " dropped" : "") + "\n";
  }
  for (const auto& [id, text] : profiles) dump += std::to_string(id) + text + "\n";
  return dump;
}

}  // namespace korrel
