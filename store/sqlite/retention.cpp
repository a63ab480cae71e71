#include "store/sqlite/retention.h"

#include <algorithm>

namespace metergate {

namespace {

constexpr std::array kKinds{Retention::Kind::kReadings, Retention::Kind::kResults, Retention::Kind::kEvents,
                            Retention::Kind::kAnswers};
constexpr std::int64_t kKeepAnswersMs = 7LL * 24 * 3600000;
constexpr std::int64_t kNever = (1LL << 48) - 1;

/// Marks of all kinds lie in one table, within a kind in the order of time.
std::int64_t mark_id(Retention::Kind kind, std::int64_t run_ms) {
  return (static_cast<std::int64_t>(kind) << 48) + run_ms;
}

std::int64_t pitch_of(std::int64_t keep_ms) { return std::clamp<std::int64_t>(keep_ms / 64, 1000, 3600000); }

}  // namespace

Retention::Retention(SqliteConnection& c, Millis keep_sent)
    : newest_(c, select(kMarks, "WHERE id>=?1 AND id<=?2 ORDER BY id DESC LIMIT 1")),
      insert_(c, replace_into(kMarks)),
      passed_(c, select(kMarks, "WHERE id>=?1 AND id<=?2 ORDER BY id DESC LIMIT 1")),
      trim_(c, delete_from(kMarks, "id>=?1 AND id<?2")) {
  for (const Kind kind : kKinds) {
    on(kind).keep_ms = kind == Kind::kAnswers ? kKeepAnswersMs : keep_sent.count();
    on(kind).pitch_ms = pitch_of(on(kind).keep_ms);
  }
  load();
}

void Retention::load() {
  for (const Kind kind : kKinds) {
    Line& line = on(kind);
    line.noted_ms = line.noted_key = 0;
    auto rows = newest_.query(mark_id(kind, 0), mark_id(kind, kNever));
    if (!rows.next()) continue;
    line.noted_ms = rows.number(0) - mark_id(kind, 0);
    line.noted_key = rows.number(1);
  }
}

bool Retention::note(Kind kind, std::int64_t run_ms, std::int64_t key) {
  Line& line = on(kind);
  if (key <= line.noted_key || (line.noted_key > 0 && run_ms < line.noted_ms + line.pitch_ms)) return false;
  line.noted_ms = run_ms;
  line.noted_key = key;
  insert_.run(mark_id(kind, run_ms), key);
  return true;
}

std::int64_t Retention::passed(Kind kind, std::int64_t run_ms) {
  const std::int64_t limit = run_ms - on(kind).keep_ms;
  if (limit < 0) return 0;
  auto rows = passed_.query(mark_id(kind, 0), mark_id(kind, limit));
  if (!rows.next()) return 0;
  const std::int64_t key = rows.number(1);
  trim_.run(mark_id(kind, 0), rows.number(0));
  return key;
}

Millis Retention::pitch() const {
  std::int64_t shortest = lines_[0].pitch_ms;
  for (const Line& line : lines_) shortest = std::min(shortest, line.pitch_ms);
  return Millis{shortest};
}

}  // namespace metergate
