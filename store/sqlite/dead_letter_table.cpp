#include "store/sqlite/dead_letter_table.h"

namespace metergate {

DeadLetterTable::DeadLetterTable(SqliteConnection& c)
    : add_(c, replace_into(kDeadLetters)),
      remove_below_(c, delete_from(kDeadLetters, "id<?1")),
      first_id_(c, "SELECT id" + from(kDeadLetters) + "ORDER BY id LIMIT 1"),
      last_id_(c, "SELECT id" + from(kDeadLetters) + "ORDER BY id DESC LIMIT 1") {}

void DeadLetterTable::add(std::int64_t id, UtcTime at, const std::string& topic, const std::string& why,
                          const std::string& payload) {
  add_.run(id, to_ms(at), topic, why, Blob{payload});
}

void DeadLetterTable::remove_below(std::int64_t id) { remove_below_.run(id); }
std::int64_t DeadLetterTable::first_id() { return first_id_.number_or(0); }
std::int64_t DeadLetterTable::last_id() { return last_id_.number_or(0); }

}  // namespace metergate
