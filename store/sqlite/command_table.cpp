#include "store/sqlite/command_table.h"

#include <limits>

namespace metergate {

namespace {

/// Changes an open command. The literal `answer=0` lets SQLite take the partial index, here and below.
std::string update_open(const std::string& change) {
  return std::string("UPDATE ") + kCommands.name + " SET " + change + " WHERE key=?1 AND answer=0";
}

}  // namespace

CommandTable::CommandTable(SqliteConnection& c)
    : connection_(c),
      find_(c, "SELECT key,answer" + from(kCommands) + "WHERE id=?1"),
      insert_(c, insert_into(kCommands)),
      open_(c, "SELECT key,id,bus,body,is_write,started,received_ms," + intact(kCommands) + from(kCommands) +
                   "WHERE answer=0 AND bus=?1 AND key>?2 ORDER BY key LIMIT ?3"),
      buses_(c, "SELECT DISTINCT bus" + from(kCommands) + "WHERE answer=0"),
      started_(c, update_open("started=1,sum=row_sum(key,id,bus,is_write,1,received_ms,answer,body)")),
      answer_(c, update_open("answer=?2,body=x'',sum=row_sum(key,id,bus,is_write,started,received_ms,?2,x'')")),
      count_open_(c, "SELECT count(*)" + from(kCommands) + "WHERE answer=0"),
      count_(c, "SELECT count(*)" + from(kCommands) + "WHERE key>?1"),
      last_(c, "SELECT key" + from(kCommands) + "ORDER BY key DESC LIMIT 1"),
      answers_(c, "SELECT answer" + from(kCommands) +
                      "WHERE answer>0 AND answer>?1 AND answer<=?2 ORDER BY answer LIMIT ?3"),
      first_answer_(c, "SELECT answer" + from(kCommands) + "WHERE answer>0 ORDER BY answer LIMIT 1"),
      forget_(c, delete_from(kCommands, "answer>0 AND answer<=?1")) {}

std::optional<CommandTable::Known> CommandTable::find(const std::string& id) {
  auto rows = find_.query(id);
  if (!rows.next()) return std::nullopt;
  return Known{rows.number(0), rows.number(1)};
}

void CommandTable::insert(std::int64_t key, const StoredCommand& command) {
  insert_.run(key, command.id, command.bus, command.write, false, to_ms(command.received), 0, Blob{command.body});
}

std::vector<StoredCommand> CommandTable::open(const std::string& bus, std::int64_t after, std::size_t max) {
  std::vector<StoredCommand> found;
  auto rows = open_.query(bus, after, max);
  while (rows.next()) {
    if (rows.number(7) == 0) {  // what is damaged must never be executed
      connection_.fail(Errc::kCorrupt, "command " + rows.text(1) + " does not match its checksum");
      break;
    }
    StoredCommand command;
    command.key = rows.number(0);
    command.id = rows.text(1);
    command.bus = rows.text(2);
    command.body = rows.text(3);
    command.write = rows.number(4) != 0;
    command.started = rows.number(5) != 0;
    command.received = from_ms(rows.number(6));
    found.push_back(std::move(command));
  }
  return found;
}

std::vector<std::string> CommandTable::open_buses() {
  std::vector<std::string> buses;
  auto rows = buses_.query();
  while (rows.next()) buses.push_back(rows.text(0));
  return buses;
}

bool CommandTable::mark_started(std::int64_t key) {
  started_.run(key);
  return connection_.ok() && connection_.changes() == 1;
}

bool CommandTable::answer(std::int64_t key, std::int64_t answer) {
  answer_.run(key, answer);
  return connection_.ok() && connection_.changes() == 1;
}

std::int64_t CommandTable::count_open() { return count_open_.number_or(0); }
std::int64_t CommandTable::count(std::int64_t after_key) { return count_.number_or(0, after_key); }
std::int64_t CommandTable::last_key() { return last_.number_or(0); }

std::vector<std::int64_t> CommandTable::answers(std::int64_t after, std::int64_t upto, std::int64_t max) {
  std::vector<std::int64_t> found;
  auto rows = answers_.query(after, upto, max);
  while (rows.next()) found.push_back(rows.number(0));
  return found;
}

std::int64_t CommandTable::first_answer() { return first_answer_.number_or(std::numeric_limits<std::int64_t>::max()); }
void CommandTable::forget(std::int64_t upto_answer) { forget_.run(upto_answer); }

}  // namespace metergate
