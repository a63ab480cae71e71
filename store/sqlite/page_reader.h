#pragma once

#include <array>
#include <memory>

#include "store/sqlite/schema.h"
#include "store/store_view.h"

namespace metergate {

/// Reads pages of a store's tables; a row that is not as it was written is left out. Errors stick to the connection.
class PageReader {
 public:
  explicit PageReader(SqliteConnection& connection);

  StorePage<DropEntry> drops(std::int64_t after);
  StorePage<DeadEntry> dead_letters(std::int64_t after);
  StorePage<CommandEntry> commands(std::int64_t after);
  StorePage<RecordEntry> records(const RecordSpan& span, std::int64_t after);

 private:
  Statement drops_, dead_, commands_;
  std::array<std::unique_ptr<Statement>, kLanes> records_;
};

}  // namespace metergate
