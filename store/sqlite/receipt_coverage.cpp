#include "store/sqlite/receipt_coverage.h"

#include <algorithm>

namespace metergate {

Receipted ReceiptCoverage::take(const Receipt& receipt, std::int64_t published, std::int64_t delivered,
                                const RunningEpoch& running) {
  Receipted outcome{ReceiptFate::kIgnored, delivered};
  const auto epoch = epochs_.find(receipt.epoch);
  if (!epoch) return outcome;
  const auto next_epoch = epochs_.first_from(epoch->id + 1);
  const std::int64_t last_key = (next_epoch ? next_epoch->from_key : running.next_key) - 1;
  const std::int64_t key = records_.key_upto(receipt.lane, epoch->from_key, last_key, receipt.upto);
  // Nobody can have what was never sent: believed, it would be a loss.
  const bool beyond = receipt.upto > running.last_seq[static_cast<std::size_t>(receipt.lane)] || key > published;
  if (epoch->epoch == running.epoch && beyond) return outcome;
  outcome.fate = ReceiptFate::kNothingNew;
  auto& covered = covered_[static_cast<std::size_t>(receipt.lane)];
  if (std::int64_t& upto = covered[epoch->from_key]; key > std::max(upto, delivered)) {
    upto = key;
    outcome.fate = ReceiptFate::kCounts;
  }
  while (!covered.empty()) {
    const auto [first, upto] = *covered.begin();
    const std::int64_t next = records_.first_key(receipt.lane, outcome.delivered);
    if (upto > outcome.delivered && next != 0 && next < first) break;
    outcome.delivered = std::max(outcome.delivered, upto);
    covered.erase(covered.begin());
  }
  return outcome;
}

}  // namespace metergate
