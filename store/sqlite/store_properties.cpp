#include "store/sqlite/store_properties.h"

namespace metergate {

namespace {

int id_of(StoreProperties::Property property, Lane lane = Lane{}) {
  return static_cast<int>(property) + static_cast<int>(lane);
}

std::optional<std::string> read(Statement::Rows rows) {
  if (!rows.next()) return std::nullopt;
  return rows.text(0);
}

}  // namespace

StoreProperties::StoreProperties(SqliteConnection& c)
    : get_(c, "SELECT value" + from(kProperties) + "WHERE id=?1"),
      set_(c, replace_into(kProperties)),
      forget_repair_(
          c, delete_from(kProperties, "id BETWEEN " + std::to_string(static_cast<int>(Property::kQuarantined)) +
                                          " AND " + std::to_string(id_of(Property::kSavedRecords, kAllLanes.back())))) {
}

std::optional<std::string> StoreProperties::get(Property property) { return read(get_.query(id_of(property))); }
std::optional<std::string> StoreProperties::get(Property property, Lane lane) {
  return read(get_.query(id_of(property, lane)));
}
void StoreProperties::set(Property property, const std::string& value) { set_.run(id_of(property), value); }
void StoreProperties::set(Property property, Lane lane, const std::string& value) {
  set_.run(id_of(property, lane), value);
}
void StoreProperties::forget_repair() { forget_repair_.run(); }

}  // namespace metergate
