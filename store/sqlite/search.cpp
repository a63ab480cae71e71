#include "store/sqlite/search.h"

#include <algorithm>
#include <limits>

namespace metergate {

namespace {
constexpr std::int64_t kNoEnd = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kRowsAtOnce = 500;
}  // namespace

ReplayPiece Search::piece(const ReplayPlace& place, std::size_t max_rows, std::size_t max_bytes) {
  piece_ = ReplayPiece{};
  piece_.next = place;
  const auto epoch = by_number() ? epochs_.find(wish_.epoch) : epochs_.first_from(place.epoch);
  if (!epoch) {
    if (by_number()) add(wish_.epoch, wish_.from_seq, wish_.to_seq, MissingRange::Why::kUnknown);
    piece_.end = true;
    return std::move(piece_);
  }
  const auto next = epochs_.first_from(epoch->id + 1);
  const std::int64_t last_key = (next ? next->from_key : running_.next_key) - 1;
  if (place.epoch != epoch->id) enter(*epoch);
  if (by_number() && place.epoch == 0 && wish_.from_seq > 1) {
    piece_.next.seq = wish_.from_seq;
    const std::int64_t before = record_tables_.key_upto(wish_.lane, epoch->from_key, last_key, wish_.from_seq - 1);
    piece_.next.after = std::max(piece_.next.after, before);
  }
  if (walk(*epoch, last_key, max_rows, max_bytes) == Walk::kAll) leave(*epoch, next);
  return std::move(piece_);
}

void Search::enter(const Epoch& epoch) { piece_.next = ReplayPlace{epoch.id, epoch.from_key - 1, 1, epoch.started_ms}; }

Search::Walk Search::walk(const Epoch& epoch, std::int64_t last_key, std::size_t max_rows, std::size_t max_bytes) {
  ReplayPlace& at = piece_.next;
  std::size_t bytes = 0;
  std::int64_t read = 0;
  Walk walked = Walk::kAll;
  const RecordTables::Filter filter{by_number() ? std::numeric_limits<std::int64_t>::min() : to_ms(wish_.from),
                                    by_number() ? kNoEnd : to_ms(wish_.to), wish_.meter};
  record_tables_.scan(wish_.lane, at.after, last_key, filter, [&](RecordTables::Scanned& row) {
    if (by_number() && row.seq > wish_.to_seq) return false;
    bytes += row.bytes.size() + 1;
    const bool full = piece_.rows.size() >= max_rows || (!piece_.rows.empty() && bytes > max_bytes);
    if (read++ >= kRowsAtOnce || (row.fits && full)) {
      walked = Walk::kPart;
      return false;
    }
    if (row.seq > at.seq) hole(epoch, row.seq - 1, row.at_ms);
    at = ReplayPlace{epoch.id, row.key, row.seq + 1, row.at_ms};
    if (row.fits) piece_.rows.push_back(Row{row.key, wish_.lane, epoch.epoch, row.seq, std::move(row.bytes)});
    return true;
  });
  return walked;
}

void Search::leave(const Epoch& epoch, const std::optional<Epoch>& next) {
  const std::int64_t last = by_number() ? wish_.to_seq : last_number(epoch);
  if (piece_.next.seq <= last) hole(epoch, last, next ? next->started_ms : kNoEnd);
  piece_.next.seq = std::max(piece_.next.seq, last + 1);
  piece_.end = by_number() || !next;
  if (!piece_.end) enter(*next);
}

/// No record is kept from the place up to the number `last`. Their times lay between the place's and `until_ms`.
void Search::hole(const Epoch& epoch, std::int64_t last, std::int64_t until_ms) {
  const std::int64_t first = piece_.next.seq;
  const auto [earliest, latest] = std::minmax(piece_.next.at_ms, until_ms);  // a clock may have been set back
  if (!by_number() && (latest < to_ms(wish_.from) || earliest > to_ms(wish_.to))) return;
  const std::int64_t known = last_number(epoch);
  std::int64_t seq = first;
  const auto rest = [&](std::int64_t upto) {
    add(epoch.epoch, seq, std::min(upto, known), MissingRange::Why::kPurged);
    add(epoch.epoch, std::max(seq, known + 1), upto, MissingRange::Why::kUnknown);
  };
  for (const auto& [from, to] : dropped_ranges_.dropped(wish_.lane, epoch.epoch, first, last)) {
    rest(from - 1);
    add(epoch.epoch, std::max(seq, from), std::min(to, last), MissingRange::Why::kDropped);
    seq = std::max(seq, to + 1);
  }
  rest(last);
}

void Search::add(const std::string& epoch, std::int64_t from, std::int64_t to, MissingRange::Why why) {
  if (from <= to) piece_.missing.push_back({epoch, from, to, why});
}

/// -1 where the store cannot tell.
std::int64_t Search::last_number(const Epoch& epoch) const {
  const auto lane = static_cast<std::size_t>(wish_.lane);
  return epoch.epoch == running_.epoch ? running_.last_seq[lane] : epoch.last[lane];
}

}  // namespace metergate
