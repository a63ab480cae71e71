#include "store/sqlite/dropped_ranges.h"

namespace metergate {

DroppedRanges::DroppedRanges(SqliteConnection& c)
    : insert_(c, insert_into(kGaps)),
      remove_(c, "DELETE FROM gaps WHERE first_key=?1"),
      left_(c,
            "SELECT first_key,last_key,lane,epoch,from_seq,to_seq FROM gaps WHERE first_key<?1 AND lane=?2"
            " ORDER BY first_key DESC LIMIT 1"),
      right_(c,
             "SELECT first_key,last_key,lane,epoch,from_seq,to_seq FROM gaps WHERE first_key>?1 AND lane=?2"
             " ORDER BY first_key LIMIT 1"),
      before_(c,
              "SELECT first_key,last_key,lane,epoch,from_seq,to_seq FROM gaps WHERE last_key<?1 AND lane=?2"
              " ORDER BY first_key LIMIT ?3"),
      tell_(c, insert_into(kDrops)),
      untold_(c, "SELECT max(event_key) FROM drops WHERE event_key>?3 AND lane=?2 AND last_key<?1"),
      trim_(c,
            "DELETE FROM drops WHERE event_key<=min(?1,"
            "(SELECT coalesce((SELECT event_key FROM drops ORDER BY event_key DESC LIMIT 1 OFFSET 1000),0)))"),
      dropped_(c,
               "SELECT from_seq,to_seq FROM gaps WHERE lane=?1 AND epoch=?2 AND to_seq>=?3 AND from_seq<=?4"
               " UNION ALL "
               "SELECT from_seq,to_seq FROM drops WHERE lane=?1 AND epoch=?2 AND to_seq>=?3 AND from_seq<=?4"
               " ORDER BY from_seq"),
      count_(c, "SELECT count(*) FROM gaps WHERE lane=?1"),
      last_(c,
            "SELECT max(coalesce((SELECT max(last_key) FROM gaps),0),"
            "coalesce((SELECT max(event_key) FROM drops),0))") {}

DroppedRange DroppedRanges::gap_of(const Statement::Rows& rows) {
  return DroppedRange{rows.number(0), rows.number(1), static_cast<Lane>(rows.number(2)),
                      rows.text(3),   rows.number(4), rows.number(5)};
}

std::optional<DroppedRange> DroppedRanges::neighbour(Statement& side, const DroppedRange& gap) {
  auto rows = side.query(gap.first_key, static_cast<int>(gap.lane));
  if (!rows.next() || rows.text(3) != gap.epoch) return std::nullopt;
  return gap_of(rows);
}

std::int64_t DroppedRanges::add(DroppedRange gap) {
  std::int64_t more = 1;
  const auto left = neighbour(left_, gap);
  if (left && left->to_seq + 1 == gap.from_seq) {
    remove(*left);
    --more;
    gap.first_key = left->first_key;
    gap.from_seq = left->from_seq;
  }
  const auto right = neighbour(right_, gap);
  if (right && gap.to_seq + 1 == right->from_seq) {
    remove(*right);
    --more;
    gap.last_key = right->last_key;
    gap.to_seq = right->to_seq;
  }
  insert_.run(gap.first_key, gap.last_key, static_cast<int>(gap.lane), gap.epoch, gap.from_seq, gap.to_seq);
  return more;
}

std::vector<DroppedRange> DroppedRanges::before(Lane lane, std::int64_t key, std::int64_t max) {
  std::vector<DroppedRange> found;
  auto rows = before_.query(key, static_cast<int>(lane), max);
  while (rows.next()) found.push_back(gap_of(rows));
  return found;
}

void DroppedRanges::told(const DroppedRange& gap, std::int64_t event_key) {
  remove(gap);
  tell_.run(event_key, gap.first_key, gap.last_key, static_cast<int>(gap.lane), gap.epoch, gap.from_seq, gap.to_seq);
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
