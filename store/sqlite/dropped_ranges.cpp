#include "store/sqlite/dropped_ranges.h"

namespace metergate {

namespace {

std::string numbers_sql(const TableShape& table) {
  return "SELECT from_seq,to_seq" + from(table) + "WHERE lane=?1 AND epoch=?2 AND to_seq>=?3 AND from_seq<=?4";
}

}  // namespace

DroppedRanges::DroppedRanges(SqliteConnection& c)
    : insert_(c, insert_into(kUntoldRanges)),
      remove_(c, delete_from(kUntoldRanges, "first_key=?1")),
      left_(c, select(kUntoldRanges, "WHERE first_key<?1 AND lane=?2 ORDER BY first_key DESC LIMIT 1")),
      right_(c, select(kUntoldRanges, "WHERE first_key>?1 AND lane=?2 ORDER BY first_key LIMIT 1")),
      before_(c, select(kUntoldRanges, "WHERE last_key<?1 AND lane=?2 ORDER BY first_key LIMIT ?3")),
      tell_(c, insert_into(kToldRanges)),
      untold_(c, "SELECT max(event_key)" + from(kToldRanges) + "WHERE event_key>?3 AND lane=?2 AND last_key<?1"),
      trim_(c, delete_from(kToldRanges, "event_key<=min(?1,(SELECT coalesce((SELECT event_key" + from(kToldRanges) +
                                            "ORDER BY event_key DESC LIMIT 1 OFFSET 1000),0)))")),
      dropped_(c, numbers_sql(kUntoldRanges) + " UNION ALL " + numbers_sql(kToldRanges) + " ORDER BY from_seq"),
      count_(c, "SELECT count(*)" + from(kUntoldRanges) + "WHERE lane=?1"),
      last_(c, "SELECT max(coalesce((SELECT max(last_key)" + from(kUntoldRanges) +
                   "),0),coalesce((SELECT max(event_key)" + from(kToldRanges) + "),0))") {}

DroppedRange DroppedRanges::range_of(const Statement::Rows& rows) {
  return DroppedRange{rows.number(0), rows.number(1), static_cast<Lane>(rows.number(2)),
                      rows.text(3),   rows.number(4), rows.number(5)};
}

std::optional<DroppedRange> DroppedRanges::neighbour(Statement& side, const DroppedRange& range) {
  auto rows = side.query(range.first_key, static_cast<int>(range.lane));
  if (!rows.next() || rows.text(3) != range.epoch) return std::nullopt;
  return range_of(rows);
}

std::int64_t DroppedRanges::add(DroppedRange range) {
  std::int64_t more = 1;
  const auto left = neighbour(left_, range);
  if (left && left->to_seq + 1 == range.from_seq) {
    remove(*left);
    --more;
    range.first_key = left->first_key;
    range.from_seq = left->from_seq;
  }
  const auto right = neighbour(right_, range);
  if (right && range.to_seq + 1 == right->from_seq) {
    remove(*right);
    --more;
    range.last_key = right->last_key;
    range.to_seq = right->to_seq;
  }
  insert_.run(range.first_key, range.last_key, static_cast<int>(range.lane), range.epoch, range.from_seq, range.to_seq);
  return more;
}

std::vector<DroppedRange> DroppedRanges::before(Lane lane, std::int64_t key, std::int64_t max) {
  std::vector<DroppedRange> found;
  auto rows = before_.query(key, static_cast<int>(lane), max);
  while (rows.next()) found.push_back(range_of(rows));
  return found;
}

void DroppedRanges::told(const DroppedRange& range, std::int64_t event_key) {
  remove(range);
  tell_.run(event_key, range.first_key, range.last_key, static_cast<int>(range.lane), range.epoch, range.from_seq,
            range.to_seq);
}

std::int64_t DroppedRanges::untold(Lane lane, std::int64_t key, std::int64_t delivered) {
  return untold_.number_or(0, key, static_cast<int>(lane), delivered);
}

void DroppedRanges::trim_told(std::int64_t delivered) { trim_.run(delivered); }

std::vector<std::pair<std::int64_t, std::int64_t>> DroppedRanges::dropped(Lane lane, const std::string& epoch,
                                                                          std::int64_t first, std::int64_t last) {
  std::vector<std::pair<std::int64_t, std::int64_t>> found;
  auto rows = dropped_.query(static_cast<int>(lane), epoch, first, last);
  while (rows.next()) found.emplace_back(rows.number(0), rows.number(1));
  return found;
}

std::int64_t DroppedRanges::count(Lane lane) { return count_.number_or(0, static_cast<int>(lane)); }
std::int64_t DroppedRanges::last_key() { return last_.number_or(0); }

}  // namespace metergate
