#include "tests/store/store_fixture.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>

namespace metergate {

namespace fs = std::filesystem;

namespace {

int null_fd() {
  static const int kFd =
      ::open(std::getenv("METERGATE_TEST_LOG") != nullptr ? "/dev/stderr" : "/dev/null", O_WRONLY | O_CLOEXEC);
  return kFd;
}

std::string body_of(const Row& row) { return row.bytes.substr(row.bytes.find(' ') + 1); }

}  // namespace

TempFolder::TempFolder() {
  // In memory where there is such a place: these tests sync some ten thousand times.
  const fs::path memory = "/dev/shm";
  const fs::path parent = ::access(memory.c_str(), W_OK | X_OK) == 0 ? memory : fs::temp_directory_path();
  std::string name = (parent / "metergate-store-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::vector<std::string> TempFolder::files() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(path_)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::int64_t TempFolder::bytes() const {
  std::int64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(path_)) bytes += static_cast<std::int64_t>(entry.file_size());
  return bytes;
}

RecordFormat plain_format() {
  RecordFormat format;
  format.finish = [](const std::string& epoch, Lane lane, std::int64_t seq, const std::string& body) {
    return epoch + "/" + lane_name(lane) + "/" + std::to_string(seq) + " " + body;
  };
  format.dropped = [](const std::string& epoch, Lane lane, std::int64_t from, std::int64_t to, std::int64_t count,
                      UtcTime) {
    return event("dropped " + epoch + " " + lane_name(lane) + " " + std::to_string(from) + "-" + std::to_string(to) +
                 " (" + std::to_string(count) + ")");
  };
  format.lost = [](std::int64_t count, const std::vector<std::string>& meters, UtcTime, UtcTime, const std::string&,
                   UtcTime) {
    return event("lost " + std::to_string(count) + " of " + std::to_string(meters.size()) + " meters");
  };
  format.refused = [](std::int64_t count, const std::vector<std::string>& first_ids, UtcTime, UtcTime, UtcTime) {
    std::string ids;
    for (const std::string& id : first_ids) ids += " " + id;
    return event("refused " + std::to_string(count) + ids);
  };
  return format;
}

Draft reading(const std::string& body, bool keep_high) {
  return Draft{Lane::kReadings, from_ms(1700000000000), "main", keep_high, body};
}
Draft event(const std::string& body) { return Draft{Lane::kEvents, from_ms(1700000000000), "", true, body}; }
Draft result(const std::string& body) { return Draft{Lane::kResults, from_ms(1700000000000), "", true, body}; }

StoredCommand command(const std::string& id, const std::string& bus, bool write) {
  StoredCommand made;
  made.id = id;
  made.bus = bus;
  made.body = "body of " + id;
  made.write = write;
  made.received = from_ms(1700000000123);
  return made;
}

StoreTest::StoreTest() : log_(LogLevel::kDebug, LogFormat::kText, clock_, null_fd()) {
  settings_.path = folder_ / "store.db";
  settings_.gateway = "g1";
  settings_.patience = Millis{50};
}

StoreTest::~StoreTest() { store_.reset(); }

Result<std::unique_ptr<FileStore>> StoreTest::try_open() {
  return FileStore::open(settings_, plain_format(), *file_system_, clock_, log_);
}

void StoreTest::open() {
  auto opened = try_open();
  ASSERT_TRUE(opened) << opened.error().detail;
  store_ = std::move(*opened);
  begin("e" + std::to_string(++epochs_));
}

void StoreTest::begin(const std::string& epoch) {
  FileStore::Hooks hooks;
  hooks.committed = [this] { ++commits_told_; };
  hooks.work = [this] {
    for (int i = 0; i < steps_a_wake_; ++i) store_->step(clock_.mono());
  };
  hooks.ended = [this] { ended_ = true; };
  const Status begun = store_->begin(epoch, event("started"), hooks);
  ASSERT_TRUE(begun) << begun.error().detail;
}

void StoreTest::close() {
  const Status finished = store_->finish();
  EXPECT_TRUE(finished) << finished.error().detail;
  store_.reset();
}

void StoreTest::crash() {
  // The destructor closes the database, which a killed process does not: what it tidies up is put back.
  const fs::path kept = folder_ / "as-it-was";
  fs::create_directory(kept);
  for (const char* suffix : {"", "-wal"}) {
    const std::string file = settings_.path + suffix;
    if (fs::exists(file)) fs::copy_file(file, kept / fs::path(file).filename());
  }
  store_.reset();
  for (const auto& entry : fs::directory_iterator(kept)) {
    fs::copy_file(entry.path(), folder_ / entry.path().filename().string(), fs::copy_options::overwrite_existing);
  }
  fs::remove_all(kept);
}

void StoreTest::restart() {
  close();
  open();
}

void StoreTest::run() {
  for (int i = 0; i < 100000 && store_->step(clock_.mono()) <= clock_.mono(); ++i) {
  }
}

void StoreTest::pass(Millis time) {
  const MonoTime end = clock_.mono() + time;
  while (clock_.mono() < end) {
    run();
    const MonoTime next = store_->step(clock_.mono());
    clock_.sleep_until(std::clamp(next, clock_.mono() + Millis{1}, end));
  }
  run();
}

void StoreTest::append_committed(const Draft& draft) {
  append(draft);
  pass(settings_.commit_every);
}

void StoreTest::deliver(Lane lane, std::int64_t key) {
  store_->delivered(lane, key);
  pass(settings_.commit_every);
}

std::vector<Row> StoreTest::rows(Lane lane, std::int64_t after) {
  // Reading at the end of the lane tells what was dropped, and takes nothing to be sent.
  const auto end = store_->peek(lane, std::numeric_limits<std::int64_t>::max(), 1, 1);
  EXPECT_TRUE(end) << end.error().detail;
  ReplayWish wish;
  wish.lane = lane;
  wish.from = from_ms(std::numeric_limits<std::int64_t>::min());
  wish.to = from_ms(std::numeric_limits<std::int64_t>::max());
  std::vector<Row> found;
  for (ReplayPlace place;;) {
    auto piece = store_->search(wish, place, 1000, 1 << 20);
    EXPECT_TRUE(piece) << piece.error().detail;
    if (!piece) return found;
    for (Row& row : piece->rows) {
      EXPECT_EQ(row.bytes.substr(0, row.bytes.find(' ')),
                row.epoch + "/" + lane_name(lane) + "/" + std::to_string(row.seq));
      EXPECT_GT(row.key, found.empty() ? 0 : found.back().key);
      if (row.key > after) found.push_back(std::move(row));
    }
    if (piece->end) return found;
    place = piece->next;
  }
}

std::vector<std::string> StoreTest::bodies(Lane lane, std::int64_t after) {
  std::vector<std::string> found;
  for (const Row& row : rows(lane, after)) found.push_back(body_of(row));
  return found;
}

Admission StoreTest::admit(const std::string& id, const std::string& bus, bool write) {
  auto admitted = store_->admit(command(id, bus, write), std::nullopt);
  EXPECT_TRUE(admitted) << admitted.error().detail;
  return admitted ? *admitted : Admission{};
}

}  // namespace metergate
