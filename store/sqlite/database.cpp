#include "store/sqlite/database.h"

#include <algorithm>
#include <limits>

#include "store/sqlite/search.h"

namespace metergate {

namespace {

constexpr std::int64_t kSaveEveryMs = 60000;
constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kDeadLettersKept = 1000;
constexpr std::int64_t kRangesAtOnce = 200;

/// Has to come before the first access: then the WAL's index lies in memory and no other program can open the file.
void lock_exclusively(SqliteConnection& c) { c.run("PRAGMA locking_mode=EXCLUSIVE"); }

/// The settings of a connection; of all these SQLite keeps only the WAL mode in the file.
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

/// Gives a new file free pages. On a full disk it cannot grow, and commands should find room all the same.
void add_free_pages(SqliteConnection& connection, const Quota& quota) {
  const std::int64_t pages = Statement(connection, "PRAGMA page_count").number_or(0);
  if (pages >= quota.young_pages) return;
  const std::string bytes = std::to_string((quota.young_pages - pages) * Quota::kPage);
  connection.run("CREATE TABLE room (bytes BLOB); INSERT INTO room VALUES (zeroblob(" + bytes + ")); DROP TABLE room");
}

}  // namespace

Status Database::create(const std::string& path, const StoreSettings& settings,
                        const std::function<Status(SqliteConnection&, StoreProperties&)>& fill) {
  SqliteConnection connection(path, settings.vfs, SqliteConnection::Mode::kCreate);
  lock_exclusively(connection);
  connection.run("PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA application_id=" +
                 std::to_string(kApplicationId));
  const Quota quota(settings.max_bytes);
  set_up(connection, settings, quota.pages - Quota::reserve(quota.pages));
  if (Status done = migrate(connection); !done) return done;
  {
    StoreProperties properties(connection);
    properties.set(StoreProperties::Property::kGateway, settings.gateway);
    if (Status done = fill(connection, properties); !done) return done;
  }
  add_free_pages(connection, quota);
  connection.checkpoint();
  return connection.status();
}

Result<std::unique_ptr<Database>> Database::open(const StoreSettings& settings, const RecordFormat& format) {
  auto connection = std::make_unique<SqliteConnection>(settings.path, settings.vfs, SqliteConnection::Mode::kExisting);
  lock_exclusively(*connection);
  // A file that is not this gateway's store is not changed; its WAL is not moved into it either.
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
      epochs_(*connection_),
      catalogs_(*connection_),
      properties_(*connection_),
      key_values_(*connection_),
      dead_letters_(*connection_),
      page_reader_(*connection_),
      counter_table_(*connection_),
      file_size_(*connection_, quota_),
      receipts_(record_tables_, epochs_),
      eviction_({record_tables_, commands_, dropped_ranges_, dead_letters_, retention_}, counters_, quota_),
      losses_(properties_, counters_) {}

void Database::load() {
  counter_table_.read(counters_);
  saved_ms_ = counters_.run_ms;
  load_counts();
  std::int64_t last = std::max({counters_.key_floor, record_tables_.last_key(), commands_.last_key(),
                                dropped_ranges_.last_key(), catalogs_.last_key() - 1, epochs_.last_key() - 1});
  for (const Lane lane : kAllLanes) {
    const std::size_t i = index_of(lane);
    last = std::max({last, counters_.sent[i], counters_.delivered[i]});
  }
  counters_.next_key = last + 1;
}

void Database::load_counts() {
  const std::int64_t from = counters_.counted_to;
  const auto epoch = epochs_.newest();
  for (const Lane lane : kAllLanes) {
    const std::size_t i = index_of(lane);
    counters_.waiting[i] += record_tables_.count(lane, std::max(from, counters_.delivered[i]), kLast);
    counters_.untold_ranges[i] = dropped_ranges_.count(lane);
    const auto newest = record_tables_.newest(lane);
    if (newest && epoch && newest->epoch == epoch->epoch) {
      counters_.last_seq[i] = std::max(counters_.last_seq[i], newest->seq);
    }
  }
  counters_.known_commands += commands_.count(from);
  counters_.open_commands = commands_.count_open();
  for (const std::int64_t answer : commands_.answers(from, kLast, kLast))
    counters_.kept_bytes += eviction_.share_of(answer);
  counters_.dead_first = std::max<std::int64_t>(1, dead_letters_.first_id());
  counters_.dead_next = dead_letters_.last_id() + 1;
}

void Database::save_counters() {
  counters_.counted_to = counters_.key_floor = counters_.next_key - 1;
  counters_.unsaved = false;
  counter_table_.write(counters_);
}

LaneNumbers Database::last_numbers() const {
  LaneNumbers numbers;
  for (std::size_t i = 0; i < kLanes; ++i) numbers.last[i] = counters_.last_seq[i];
  return numbers;
}

Status Database::begin(const std::string& epoch, const Draft& started, UtcTime now) {
  return change([&] {
    Epoch next;
    if (auto previous = epochs_.newest()) {
      if (!properties_.get(StoreProperties::Property::kQuarantined)) previous->last = counters_.last_seq;
      next.id = previous->id;
      epochs_.write(*previous);
    }
    ++next.id;
    next.epoch = epoch;
    next.from_key = counters_.next_key;
    next.started_ms = to_ms(now);
    epochs_.write(next);
    properties_.forget_repair();
    epoch_ = epoch;
    counters_.last_seq = {};
    append_to(RecordTable::kNotices, started);
    save();
  });
}

Status Database::resume(const std::string& epoch) {
  const auto newest = epochs_.newest();
  if (connection_->ok() && (!newest || newest->epoch != epoch)) {
    connection_->fail(Errc::kInvalid, "another file took its place while the agent ran");
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
  if (!done) {
    counters_ = before;
    retention_.load();
  }
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
  if (!file_size_.fits_command(static_cast<std::int64_t>(bytes) + CommandTable::kRowOverhead)) {
    refuse(command);
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
  // next_key is the one that append_to() gives. A command that is not open has its result already.
  if (!commands_.answer(key, counters_.next_key)) return;
  const std::int64_t answer = append_to(RecordTable::kResults, result);
  --counters_.open_commands;
  counters_.kept_bytes += eviction_.share_of(answer);
}

void Database::add_dead_letter(UtcTime at, const std::string& topic, const std::string& why,
                               const std::string& payload) {
  dead_letters_.add(counters_.dead_next++, at, topic, why, payload);
  if (counters_.dead_next - counters_.dead_first <= kDeadLettersKept) return;
  counters_.dead_first = counters_.dead_next - kDeadLettersKept;
  dead_letters_.remove_below(counters_.dead_first);
}

void Database::tell_losses(UtcTime now) {
  for (const Draft& event : losses_.tell(format_, now)) append(event);
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
  catalogs_.add(counters_.next_key, hash, bytes, first == 0 ? counters_.next_key : first);
}

template <class T>
Result<T> Database::judged(T value) {
  if (connection_->ok()) return Result<T>(std::move(value));
  Error error = connection_->status().error();
  connection_->rollback();
  return error;
}

Result<Batch> Database::peek(Lane lane, std::int64_t after, std::size_t max_rows, std::size_t max_bytes, UtcTime now) {
  Batch batch;
  batch.rows = record_tables_.peek(lane, after, max_rows, max_bytes);
  const std::int64_t horizon = batch.rows.empty() ? kLast : batch.rows.back().key;
  while (connection_->ok() && tell_dropped(lane, horizon, now)) {
  }
  // In their own lane, events are sent in their order: the event that tells the range comes in its turn.
  if (lane == Lane::kReadings) {
    batch.after_event = dropped_ranges_.untold(lane, horizon, counters_.delivered[index_of(Lane::kEvents)]);
  }
  if (!batch.rows.empty()) {
    std::int64_t& held = counters_.held[index_of(lane)];
    held = std::max(held, batch.rows.back().key);
  }
  return judged(std::move(batch));
}

bool Database::tell_dropped(Lane lane, std::int64_t horizon, UtcTime now) {
  if (counters_.untold_ranges[index_of(lane)] == 0) return false;
  const auto ranges = dropped_ranges_.before(lane, horizon, kRangesAtOnce);
  if (ranges.empty()) return false;
  const Status told = change([&] {
    for (const DroppedRange& range : ranges) {
      const std::int64_t count = range.to_seq - range.from_seq + 1;
      const Draft event = format_.dropped(range.epoch, range.lane, range.from_seq, range.to_seq, count, now);
      dropped_ranges_.told(range, append_to(RecordTable::kNotices, event));
    }
    counters_.untold_ranges[index_of(lane)] -= static_cast<std::int64_t>(ranges.size());
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
Result<std::optional<std::string>> Database::get(const std::string& name) { return judged(key_values_.get(name)); }
Result<bool> Database::knows_epoch(const std::string& epoch) { return judged(epochs_.find(epoch).has_value()); }
Result<std::optional<std::string>> Database::catalog(const std::string& hash) { return judged(catalogs_.find(hash)); }

Result<std::vector<std::string>> Database::catalogs_waiting() {
  const auto first = record_tables_.peek(Lane::kReadings, counters_.delivered[index_of(Lane::kReadings)], 1, 1);
  return judged(catalogs_.hashes_from(first.empty() ? counters_.next_key : first[0].key));
}

Result<Receipted> Database::receipt(const Receipt& receipt, std::int64_t published, std::int64_t delivered) {
  return judged(receipts_.take(receipt, published, delivered, running()));
}

Result<ReplayPiece> Database::search(const ReplayWish& wish, const ReplayPlace& place, std::size_t max_rows,
                                     std::size_t max_bytes) {
  Search search(record_tables_, dropped_ranges_, epochs_, running(), wish);
  return judged(search.piece(place, max_rows, max_bytes));
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

Result<bool> Database::make_room(std::int64_t bytes) {
  std::int64_t excess = file_size_.excess_pages(bytes);
  while (excess > 0) {
    bool found = false;
    const std::int64_t pages = excess + file_size_.spare_pages();
    const Status done = change([&] { found = eviction_.evict(pages * Quota::kPage); });
    if (!done) return done.error();
    excess = file_size_.excess_pages(bytes);
    if (!found) break;
  }
  only_reserve_left_ = excess > 0;
  return judged(!only_reserve_left_);
}

Result<bool> Database::tend() {
  const std::int64_t full_wal = file_size_.held() ? quota_.wal_pages / 8 : quota_.wal_pages;
  if (connection_->wal_pages() >= full_wal) connection_->checkpoint();
  bool more = false;
  if (counters_.run_ms >= next_purge_ms_ || eviction_.over_share()) {
    if (Status done = change([&] { more = eviction_.purge(); }); !done) return done.error();
    if (!more) next_purge_ms_ = counters_.run_ms + retention_.pitch().count();
  }
  if (!file_size_.above_limit()) return judged(more);

  // The cap was lowered: first make pages free, then give them back.
  if (auto room = make_room(0); !room) return room.error();
  if (file_size_.free_pages() == 0) return judged(more);
  if (Status done = change([&] { file_size_.shrink(quota_.wal_pages / 2); }); !done) return done.error();
  connection_->checkpoint();  // only this makes the file shorter
  file_size_.hold(false);
  return judged(true);
}

Status Database::write_back() {
  connection_->checkpoint();
  const auto done = judged(true);
  return done ? Status() : Status(done.error());
}

}  // namespace metergate
