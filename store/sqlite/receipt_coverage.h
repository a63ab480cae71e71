#pragma once

#include <array>
#include <map>

#include "store/outbox.h"
#include "store/sqlite/epoch_table.h"
#include "store/sqlite/record_tables.h"

namespace metergate {

/// How far receipts cover the lanes. A receipt of an epoch whose predecessors are not covered yet counts when they are;
/// until then it is kept in memory only. Errors stick to the connection.
class ReceiptCoverage {
 public:
  ReceiptCoverage(RecordTables& records, EpochTable& epochs) : records_(records), epochs_(epochs) {}

  /// `delivered`: where the lane's cursor is. See Outbox::receipt.
  Receipted take(const Receipt& receipt, std::int64_t published, std::int64_t delivered, const RunningEpoch& running);

 private:
  RecordTables& records_;
  EpochTable& epochs_;
  /// By lane, then by an epoch's first key: covered up to this key. Of epochs beyond `delivered` only, so at most as
  /// many as are known.
  std::array<std::map<std::int64_t, std::int64_t>, kLanes> covered_;
};

}  // namespace metergate
