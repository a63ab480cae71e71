#include "store/sqlite/recovery.h"

#include <algorithm>
#include <filesystem>

#include "agent/base/text.h"
#include "store/sqlite/repair.h"

namespace metergate {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kAsideKept = 5;

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

std::string damaged_name(const std::string& path) { return path + ".damaged"; }

Status remove_if_there(const std::string& path, FileSystem& files) {
  return exists(path) ? files.remove(path) : Status();
}

/// A database and its WAL are one: alone each is worth nothing, and a WAL beside another database destroys that.
Status rename_both(const std::string& from, const std::string& to, FileSystem& files) {
  if (exists(from + "-wal")) {
    if (Status done = files.rename(from + "-wal", to + "-wal"); !done) return done;
  }
  return exists(from) ? files.rename(from, to) : Status();
}

/// What an earlier database of that name left behind.
Status remove_companions(const std::string& path, FileSystem& files) {
  for (const char* suffix : {"-wal", "-journal", "-shm"}) {
    if (Status done = remove_if_there(path + suffix, files); !done) return done;
  }
  return {};
}

Status remove_all(const std::string& path, FileSystem& files) {
  if (Status done = remove_companions(path, files); !done) return done;
  return remove_if_there(path, files);
}

/// Numbers of the files set aside, ascending.
std::vector<std::int64_t> aside_numbers(const std::string& path) {
  const std::string prefix = fs::path(path).filename().string() + ".corrupt-";
  const fs::path folder = fs::path(path).parent_path();
  std::vector<std::int64_t> numbers;
  std::error_code error;
  for (fs::directory_iterator entry(folder.empty() ? fs::path(".") : folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.compare(0, prefix.size(), prefix) != 0) continue;
    const auto number = parse_integer(name.substr(prefix.size()), 1, 1LL << 40);
    if (number) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::string aside_name(const std::string& path, std::int64_t number) {
  return path + ".corrupt-" + std::to_string(number);
}

void remove_aside(const std::string& path, std::size_t keep, FileSystem& files) {
  std::vector<std::int64_t> numbers = aside_numbers(path);
  numbers.resize(numbers.size() - std::min(keep, numbers.size()));
  for (const std::int64_t number : numbers) {
    // What cannot be removed is no reason to do without a store.
    static_cast<void>(remove_all(aside_name(path, number), files));
  }
}

Status create(const StoreSettings& settings, FileSystem& files,
              const std::function<Status(SqliteConnection&, Annals&)>& fill) {
  const std::string fresh = settings.path + ".new";
  if (Status done = remove_all(fresh, files); !done) return done;
  if (Status done = Database::create(fresh, settings, fill); !done) return done;
  if (Status done = remove_companions(settings.path, files); !done) return done;
  if (Status done = files.rename(fresh, settings.path); !done) return done;
  return files.sync_folder(settings.path);
}

Status create_empty(const StoreSettings& settings, FileSystem& files) {
  Status done = create(settings, files, [](SqliteConnection&, Annals&) { return Status(); });
  if (done || done.error().code == Errc::kFull) return done;
  return Error{Errc::kNotFound, done.error().detail + "; the folder must exist and be writable"};
}

Status create_from_damaged(const StoreSettings& settings, FileSystem& files, Log& log) {
  const std::string damaged = damaged_name(settings.path);
  const std::vector<std::int64_t> numbers = aside_numbers(settings.path);
  const std::string aside = aside_name(settings.path, numbers.empty() ? 1 : numbers.back() + 1);
  std::error_code error;
  const auto space = fs::space(fs::absolute(settings.path).parent_path(), error);
  if (!error && space.available < static_cast<std::uintmax_t>(settings.max_bytes))
    remove_older_quarantined(settings.path, files);
  Status done = create(settings, files, [&](SqliteConnection& connection, Annals& annals) -> Status {
    const auto saved = salvage(damaged, settings, connection, log);
    if (!saved) return saved.error();
    annals.set_property(Annals::Property::kAside, fs::path(aside).filename().string());
    annals.set_property(Annals::Property::kCommandsSaved, saved->commands ? "yes" : "no");
    for (const Lane lane : kAllLanes) {
      annals.set_property(Annals::Property::kSaved, std::to_string(saved->records[index_of(lane)]),
                          static_cast<int>(lane));
    }
    return connection.status();
  });
  if (!done) return done;
  if (done = rename_both(damaged, aside, files); !done) return done;
  remove_aside(settings.path, kAsideKept, files);
  return files.sync_folder(settings.path);
}

/// Brings an interrupted replacement to its end.
Status settle(const StoreSettings& settings, FileSystem& files, Log& log) {
  const std::string damaged = damaged_name(settings.path);
  if (!exists(damaged)) return {};
  if (!exists(settings.path)) {
    if (exists(settings.path + "-wal") && !exists(damaged + "-wal")) {
      if (Status done = files.rename(settings.path + "-wal", damaged + "-wal"); !done) return done;
    }
    return create_from_damaged(settings, files, log);
  }
  const std::vector<std::int64_t> numbers = aside_numbers(settings.path);
  return rename_both(damaged, aside_name(settings.path, numbers.empty() ? 1 : numbers.back() + 1), files);
}

Opened describe(Database& database) {
  Annals& annals = database.annals();
  Opened opened;
  const auto aside = annals.property(Annals::Property::kAside);
  if (const auto previous = annals.newest_epoch()) {
    opened.origin = StoreOrigin::kKept;
    opened.previous = PreviousEpoch{previous->epoch, aside ? LaneNumbers{} : database.last_numbers()};
  }
  if (!aside) return opened;
  opened.origin = StoreOrigin::kReplaced;
  opened.aside = *aside;
  opened.commands_saved = annals.property(Annals::Property::kCommandsSaved) == "yes";
  for (const Lane lane : kAllLanes) {
    const std::string count = annals.property(Annals::Property::kSaved, static_cast<int>(lane)).value_or("0");
    const auto number = parse_integer(count, 0, 1LL << 60);
    if (number) opened.saved[index_of(lane)] = *number;
  }
  return opened;
}

}  // namespace

Status quarantine(const std::string& path, FileSystem& files) {
  const std::string damaged = damaged_name(path);
  // The database first: without it at its place, the next opening knows that the WAL left there belongs to it.
  if (exists(path)) {
    if (Status done = files.rename(path, damaged); !done) return done;
  }
  if (exists(path + "-wal")) {
    if (Status done = files.rename(path + "-wal", damaged + "-wal"); !done) return done;
  }
  return files.sync_folder(path);
}

bool remove_older_quarantined(const std::string& path, FileSystem& files) {
  if (aside_numbers(path).size() < 2) return false;
  remove_aside(path, 1, files);
  return true;
}

Result<Opening> open_or_recover(const StoreSettings& settings, const RecordFormat& format, FileSystem& files,
                                Log& log) {
  if (Status done = settle(settings, files, log); !done) return done.error();
  if (!exists(settings.path)) {
    if (Status done = create_empty(settings, files); !done) return done.error();
  }
  std::error_code error;
  const bool empty = fs::is_regular_file(settings.path, error) && fs::file_size(settings.path, error) == 0;
  Result<std::unique_ptr<Database>> database = Error{Errc::kCorrupt, "store " + settings.path + ": the file is empty"};
  if (!empty) database = Database::open(settings, format);
  if (!database && database.error().code == Errc::kCorrupt) {
    log.error("store damaged, it is set aside", {{"why", database.error().detail}});
    if (Status done = quarantine(settings.path, files); !done) return done.error();
    if (Status done = create_from_damaged(settings, files, log); !done) return done.error();
    database = Database::open(settings, format);
  }
  if (!database) return database.error();
  Opening opening{std::move(*database), {}};
  opening.opened = describe(*opening.database);
  return opening;
}

}  // namespace metergate
