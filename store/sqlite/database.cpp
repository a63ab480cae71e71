#include "store/sqlite/database.h"

#include <algorithm>
#include <limits>

namespace metergate {

namespace {

constexpr std::int64_t kSaveEveryMs = 60000;
constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kCommandOverhead = 256;  // id, its index entry and the row
constexpr std::int64_t kDeadKept = 1000;
constexpr std::int64_t kGapsAtOnce = 200;

/// Before the first access: then the WAL's index lives in memory and no second program can open the file.
void take_alone(SqliteConnection& c) { c.run("PRAGMA locking_mode=EXCLUSIVE"); }

/// The settings of a session; SQLite keeps none of them in the file but the WAL mode.
void set_up(SqliteConnection& c, const StoreSettings& settings, std::int64_t max_pages) {
  if (c.text("PRAGMA journal_mode=WAL") != "wal") c.fail(Errc::kStorage, "SQLite refuses WAL mode");
  const std::int64_t synchronous = settings.unsafe_no_sync ? 1 : 2;  // NORMAL loses acknowledged commits, FULL none
  c.run("PRAGMA synchronous=" + std::to_string(synchronous));
  if (c.number("PRAGMA synchronous") != synchronous) c.fail(Errc::kStorage, "SQLite refuses synchronous=FULL");
  const Quota quota(settings.max_bytes);
  c.run(
      "PRAGMA secure_delete=FAST; PRAGMA cache_size=-512; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0;"
      "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
      "PRAGMA journal_size_limit=" +
      std::to_string(2 * quota.wal_pages * Quota::kPage) + "; PRAGMA max_page_count=" + std::to_string(max_pages));
}

/// A young file has free pages, too: when the disk is full it gets no more than it has, and commands are to find room.
void stretch(SqliteConnection& connection, const Quota& quota) {
  const std::int64_t pages = Statement(connection, "PRAGMA page_count").number_or(0);
  if (pages >= quota.young_pages) return;
  const std::string bytes = std::to_string((quota.young_pages - pages) * Quota::kPage);
  connection.run("CREATE TABLE room (bytes BLOB); INSERT INTO room VALUES (zeroblob(" + bytes + ")); DROP TABLE room");
}

}  // namespace

Status Database::create(const std::string& path, const StoreSettings& settings,
                        const std::function<Status(SqliteConnection&, Annals&)>& fill) {
  SqliteConnection connection(path, settings.vfs, SqliteConnection::Mode::kCreate);
  take_alone(connection);
  connection.run("PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA application_id=" +
                 std::to_string(kApplicationId));
  const Quota quota(settings.max_bytes);
  set_up(connection, settings, quota.pages - Quota::reserve(quota.pages));
  if (Status done = migrate(connection); !done) return done;
  {
    Annals annals(connection);
    annals.set_property(Annals::Property::kGateway, settings.gateway);
    if (Status done = fill(connection, annals); !done) return done;
  }
  stretch(connection, quota);
  connection.checkpoint();
  return connection.status();
}

Result<std::unique_ptr<Database>> Database::open(const StoreSettings& settings, const RecordFormat& format) {
  auto connection = std::make_unique<SqliteConnection>(settings.path, settings.vfs, SqliteConnection::Mode::kExisting);
  take_alone(*connection);
  // Nothing is changed in a file that is not this gateway's store, nor moved from its WAL into it.
  connection->leave_wal_alone(true);
  if (Status done = check_format(*connection); !done) return done.error();
  if (Status done = check_owner(*connection, settings.gateway); !done) return done.error();
  connection->leave_wal_alone(false);
  set_up(*connection, settings, Quota(settings.max_bytes).pages);
  if (!connection->ok()) return connection->status().error();
  if (Status done = migrate(*connection); !done) return done.error();
  std::unique_ptr<Database> database(new Database(std::move(connection), settings, format));
  database->load();
  if (Status done = database->connection_->status(); !done) return done.error();
  return database;
}

Database::Database(std::unique_ptr<SqliteConnection> connection, const StoreSettings& settings,
                   const RecordFormat& format)
    : format_(format),
      quota_(settings.max_bytes),
      connection_(std::move(connection)),
      record_tables_(*connection_),
      commands_(*connection_),
      dropped_ranges_(*connection_),
      retention_(*connection_, settings.keep_sent),
      annals_(*connection_),
      notebook_(*connection_),
      page_reader_(*connection_),
      page_count_(*connection_, "PRAGMA page_count"),
      free_count_(*connection_, "PRAGMA freelist_count"),
      write_counter_(*connection_, replace_into(kCounters)),
      limit_pages_(quota_.pages) {}

void Database::load() {
  Statement read(*connection_, "SELECT value," + intact(kCounters) + " FROM counters WHERE id=?1");
  counters_.each_counter([&](int id, std::int64_t& value) {
    auto rows = read.query(id);
    if (!rows.next()) return;
    value = rows.number(0);
    if (rows.number(1) == 0) connection_->fail(Errc::kCorrupt, "a counter does not match its checksum");
  });
  saved_ms_ = counters_.run_ms;
  load_counts();
  std::int64_t last = std::max({counters_.key_floor, record_tables_.last_key(), commands_.last_key(),
                                dropped_ranges_.last_key(), annals_.last_key() - 1});
  for (const Lane lane : kAllLanes) {
    const std::size_t i = index_of(lane);
    last = std::max({last, counters_.sent[i], counters_.delivered[i]});
  }
  counters_.next_key = last + 1;
}

void Database::load_counts() {
  const std::int64_t from = counters_.counted_to;
  const auto epoch = annals_.newest_epoch();
  for (const Lane lane : kAllLanes) {
    const std::size_t i = index_of(lane);
    counters_.waiting[i] += record_tables_.count(lane, std::max(from, counters_.delivered[i]), kLast);
    counters_.gaps[i] = dropped_ranges_.count(lane);
    const auto newest = record_tables_.newest(lane);
    if (newest && epoch && newest->epoch == epoch->epoch) {
      counters_.last_seq[i] = std::max(counters_.last_seq[i], newest->seq);
    }
  }
  counters_.known_commands += commands_.count(from);
  counters_.open_commands = commands_.count_open();
  for (const std::int64_t answer : commands_.answers(from, kLast, kLast)) counters_.kept_bytes += kept_bytes(answer);
  counters_.dead_first = std::max<std::int64_t>(1, notebook_.first_dead());
  counters_.dead_next = notebook_.last_dead() + 1;
}

void Database::save_counters() {
  counters_.counted_to = counters_.key_floor = counters_.next_key - 1;
  counters_.unsaved = false;
  counters_.each_counter([&](int id, std::int64_t& value) { write_counter_.run(id, value); });
}

LaneNumbers Database::last_numbers() const {
  LaneNumbers numbers;
  for (std::size_t i = 0; i < kLanes; ++i) numbers.last[i] = counters_.last_seq[i];
  return numbers;
}

Status Database::begin(const std::string& epoch, const Draft& started, UtcTime now) {
  return change([&] {
    Annals::Epoch next;
    if (auto previous = annals_.newest_epoch()) {
      if (!annals_.property(Annals::Property::kAside)) previous->last = counters_.last_seq;
      next.id = previous->id;
      annals_.write_epoch(*previous);
    }
    ++next.id;
    next.epoch = epoch;
    next.from_key = counters_.next_key;
    next.started_ms = to_ms(now);
    annals_.write_epoch(next);
    annals_.forget_replacement();
    epoch_ = epoch;
    counters_.last_seq = {};
    append_to(RecordTable::kNotices, started);
    save();
  });
}

Status Database::resume(const std::string& epoch) {
  const auto newest = annals_.newest_epoch();
  if (connection_->ok() && (!newest || newest->epoch != epoch)) {
    connection_->fail(Errc::kInvalid, "the file was exchanged under the running agent");
  }
  epoch_ = epoch;
  return connection_->status();
}

Status Database::change(const std::function<void()>& body) {
  const Counters before = counters_;
  connection_->begin();
  body();
  const bool saves = counters_.unsaved || counters_.run_ms - saved_ms_ >= kSaveEveryMs;
  if (saves) save_counters();
  Status done = connection_->commit();
  doubt_ = !done && counters_.next_key != before.next_key ? before.next_key : 0;
  if (!done) counters_ = before;
  if (done && saves) saved_ms_ = counters_.run_ms;
  return done;
}

std::int64_t Database::append(const Draft& draft) {
  switch (draft.lane) {
    case Lane::kReadings:
      return append_to(draft.keep_high ? RecordTable::kReadingsHigh : RecordTable::kReadingsLow, draft);
    case Lane::kEvents:
      return append_to(RecordTable::kEvents, draft);
    case Lane::kResults:
      break;
  }
  return append_to(RecordTable::kResults, draft);
}

std::int64_t Database::append_to(RecordTable table, const Draft& draft) {
  const Lane lane = lane_of(table);
  const std::size_t i = index_of(lane);
  const std::string body = draft.late_body ? draft.late_body(counters_.last_seq) : draft.body;
  const std::int64_t key = counters_.next_key++;
  const std::int64_t seq = ++counters_.last_seq[i];
  record_tables_.insert(
      table, NewRow{key, epoch_, seq, to_ms(draft.at), draft.meter, format_.finish(epoch_, lane, seq, body)});
  ++counters_.waiting[i];
  ++counters_.appended[i];
  return key;
}

Result<Admission> Database::admit(const StoredCommand& command, const std::optional<Draft>& verdict) {
  Admission admission;
  if (const auto known = commands_.find(command.id)) {
    admission.known = known->answer != 0 ? Known::kDone : Known::kOpen;
    admission.key = known->key;
    if (known->answer != 0) admission.result = record_tables_.find(known->answer);
    return admission;
  }
  const std::size_t bytes = command.body.size() + command.id.size() + (verdict ? verdict->body.size() : 0);
  if (!takes_command(static_cast<std::int64_t>(bytes) + kCommandOverhead)) {
    return Error{Errc::kFull, "the store has no room for a command"};
  }
  admission.key = counters_.next_key++;
  commands_.insert(admission.key, command);
  ++counters_.known_commands;
  ++counters_.open_commands;
  if (verdict) complete(admission.key, *verdict);
  return admission;
}

void Database::complete(std::int64_t key, const Draft& result) {
  // The key that append() is going to give; a command that is not open any more has its result already.
  if (!commands_.answer(key, counters_.next_key)) return;
  const std::int64_t answer = append_to(RecordTable::kResults, result);
  --counters_.open_commands;
  counters_.kept_bytes += kept_bytes(answer);
}

std::int64_t Database::kept_bytes(std::int64_t answer) {
  return record_tables_.bytes(RecordTable::kResults, answer - 1, answer) + kCommandOverhead;
}

void Database::add_dead_letter(UtcTime at, const std::string& topic, const std::string& why,
                               const std::string& payload) {
  notebook_.add_dead_letter(counters_.dead_next++, at, topic, why, payload);
  if (counters_.dead_next - counters_.dead_first <= kDeadKept) return;
  counters_.dead_first = counters_.dead_next - kDeadKept;
  notebook_.remove_dead(counters_.dead_first);
}

void Database::move_sent(Lane lane, std::int64_t key) {
  std::int64_t& sent = counters_.sent[index_of(lane)];
  if (key <= sent) return;
  sent = key;
  save();
}

void Database::move_delivered(Lane lane, std::int64_t key) {
  const std::size_t i = index_of(lane);
  if (key <= counters_.delivered[i]) return;
  const std::int64_t count = record_tables_.count(lane, counters_.delivered[i], key);
  counters_.waiting[i] -= count;
  counters_.done[i] += count;
  counters_.delivered[i] = key;
  save();
  if (lane == Lane::kEvents) dropped_ranges_.trim_told(key);
}

void Database::add_catalog(const std::string& hash, const std::string& bytes) {
  const std::int64_t low = record_tables_.first_key(RecordTable::kReadingsLow, 0);
  const std::int64_t high = record_tables_.first_key(RecordTable::kReadingsHigh, 0);
  const std::int64_t first = low == 0 || high == 0 ? std::max(low, high) : std::min(low, high);
  annals_.add_catalog(counters_.next_key, hash, bytes, first == 0 ? counters_.next_key : first);
}

template <class T>
Result<T> Database::judged(T value) {
  if (connection_->ok()) return Result<T>(std::move(value));
  Error error = connection_->status().error();
  connection_->rollback();
  return error;
}
template Result<bool> Database::judged(bool value);            // used in database_room.cpp too
template Result<Receipted> Database::judged(Receipted value);  // used in database_past.cpp
template Result<ReplayPiece> Database::judged(ReplayPiece value);

Result<Batch> Database::peek(Lane lane, std::int64_t after, std::size_t max_rows, std::size_t max_bytes, UtcTime now) {
  Batch batch;
  batch.rows = record_tables_.peek(lane, after, max_rows, max_bytes);
  const std::int64_t horizon = batch.rows.empty() ? kLast : batch.rows.back().key;
  while (connection_->ok() && tell_dropped(lane, horizon, now)) {
  }
  // Events keep their own order: there the range is told behind the gap, in its turn.
  if (lane == Lane::kReadings) {
    batch.after_event = dropped_ranges_.untold(lane, horizon, counters_.delivered[index_of(Lane::kEvents)]);
  }
  return judged(std::move(batch));
}

bool Database::tell_dropped(Lane lane, std::int64_t horizon, UtcTime now) {
  if (counters_.gaps[index_of(lane)] == 0) return false;
  const auto gaps = dropped_ranges_.before(lane, horizon, kGapsAtOnce);
  if (gaps.empty()) return false;
  const Status told = change([&] {
    for (const DroppedRange& gap : gaps) {
      const std::int64_t count = gap.to_seq - gap.from_seq + 1;
      const Draft event = format_.dropped(gap.epoch, gap.lane, gap.from_seq, gap.to_seq, count, now);
      dropped_ranges_.told(gap, append_to(RecordTable::kNotices, event));
    }
    counters_.gaps[index_of(lane)] -= static_cast<std::int64_t>(gaps.size());
  });
  if (!told) connection_->fail(told.error());
  return static_cast<bool>(told);
}

Result<std::vector<Row>> Database::fetch(const std::vector<std::int64_t>& keys) {
  std::vector<Row> rows;
  for (const std::int64_t key : keys) {
    if (auto row = record_tables_.find(key)) rows.push_back(std::move(*row));
  }
  return judged(std::move(rows));
}

Result<std::vector<StoredCommand>> Database::open_commands(const std::string& bus, std::int64_t after,
                                                           std::size_t max) {
  return judged(commands_.open(bus, after, max));
}

Result<std::vector<std::string>> Database::open_buses() { return judged(commands_.open_buses()); }
Result<std::optional<std::string>> Database::get(const std::string& name) { return judged(notebook_.get(name)); }
Result<bool> Database::knows_epoch(const std::string& epoch) { return judged(annals_.knows_epoch(epoch)); }
Result<std::optional<std::string>> Database::catalog(const std::string& hash) { return judged(annals_.catalog(hash)); }

Result<std::vector<std::string>> Database::catalogs_waiting() {
  const auto first = record_tables_.peek(Lane::kReadings, counters_.delivered[index_of(Lane::kReadings)], 1, 1);
  return judged(annals_.catalogs_from(first.empty() ? counters_.next_key : first[0].key));
}

Result<StorePage<DropEntry>> Database::drops(std::int64_t after) { return judged(page_reader_.drops(after)); }
Result<StorePage<DeadEntry>> Database::dead_letters(std::int64_t after) {
  return judged(page_reader_.dead_letters(after));
}
Result<StorePage<CommandEntry>> Database::commands(std::int64_t after) { return judged(page_reader_.commands(after)); }
Result<StorePage<RecordEntry>> Database::records(const RecordSpan& span, std::int64_t after) {
  return judged(page_reader_.records(span, after));
}

Result<std::int64_t> Database::newest_ms() { return judged(record_tables_.newest_ms()); }

Result<std::int64_t> Database::oldest_ms(Lane lane) {
  return judged(record_tables_.oldest_ms(lane, counters_.delivered[index_of(lane)]));
}

}  // namespace metergate
