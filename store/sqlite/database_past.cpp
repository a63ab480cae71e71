#include <algorithm>

#include "store/sqlite/database.h"
#include "store/sqlite/search.h"

// What is known of records by their numbers.

namespace metergate {

std::int64_t Database::last_key_of(const Annals::Epoch& epoch) {
  const auto next = annals_.epoch_from(epoch.id + 1);
  return (next ? next->from_key : counters_.next_key) - 1;
}

Result<Receipted> Database::receipt(const Receipt& receipt, std::int64_t published, std::int64_t delivered) {
  Receipted outcome{ReceiptFate::kIgnored, delivered};
  const auto epoch = annals_.find_epoch(receipt.epoch);
  if (!epoch) return judged(outcome);
  const std::int64_t key = record_tables_.key_upto(receipt.lane, epoch->from_key, last_key_of(*epoch), receipt.upto);
  const bool running = epoch->epoch == epoch_;
  // Nobody can have what was never sent: believed, it would be a loss.
  if (running && (receipt.upto > counters_.last_seq[index_of(receipt.lane)] || key > published)) return judged(outcome);
  outcome.fate = ReceiptFate::kNothingNew;
  auto& covered = covered_[index_of(receipt.lane)];
  if (std::int64_t& upto = covered[epoch->from_key]; key > std::max(upto, delivered)) {
    upto = key;
    outcome.fate = ReceiptFate::kCounts;
  }
  while (!covered.empty()) {
    const auto [first, upto] = *covered.begin();
    const std::int64_t next = record_tables_.first_key(receipt.lane, outcome.delivered);
    if (upto > outcome.delivered && next != 0 && next < first) break;
    outcome.delivered = std::max(outcome.delivered, upto);
    covered.erase(covered.begin());
  }
  return judged(outcome);
}

Result<ReplayPiece> Database::search(const ReplayWish& wish, const ReplayPlace& place, std::size_t max_rows,
                                     std::size_t max_bytes) {
  Search search(record_tables_, dropped_ranges_, annals_, {epoch_, counters_.next_key, counters_.last_seq}, wish);
  return judged(search.piece(place, max_rows, max_bytes));
}

}  // namespace metergate
