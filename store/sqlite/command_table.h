#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/sqlite/schema.h"
#include "store/store.h"

namespace metergate {

/// Open commands, and the ids of those that are done. Errors stick to the connection.
class CommandTable {
 public:
  static constexpr std::int64_t kRowOverhead =
      256;  ///< bytes of a row beside its payload: id, index entry and the rest

  explicit CommandTable(SqliteConnection& connection);

  struct Known {
    std::int64_t key;
    std::int64_t answer;  ///< key of the result, 0 while open
  };
  std::optional<Known> find(const std::string& id);
  void insert(std::int64_t key, const StoredCommand& command);
  std::vector<StoredCommand> open(const std::string& bus, std::int64_t after, std::size_t max);
  std::vector<std::string> open_buses();
  /// False if the command is not open.
  bool mark_started(std::int64_t key);
  /// The payload goes, id and answer stay. False if the command is not open.
  bool answer(std::int64_t key, std::int64_t answer);

  std::int64_t count_open();
  std::int64_t count(std::int64_t after_key);
  std::int64_t last_key();
  /// The answers of done commands, oldest first: `after` < answer <= `upto`.
  std::vector<std::int64_t> answers(std::int64_t after, std::int64_t upto, std::int64_t max);
  /// The oldest result that a known id refers to; beyond every key if there is none.
  std::int64_t first_answer();
  void forget(std::int64_t upto_answer);

 private:
  SqliteConnection& connection_;
  Statement find_, insert_, open_, buses_, started_, answer_, count_open_, count_, last_, answers_, first_answer_,
      forget_;
};

}  // namespace metergate
