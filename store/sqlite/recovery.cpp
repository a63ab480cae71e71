#include "store/sqlite/recovery.h"

#include <algorithm>
#include <filesystem>

#include "agent/base/text.h"
#include "store/sqlite/repair.h"

namespace metergate {

namespace {

namespace fs = std::filesystem;
using Property = StoreProperties::Property;

constexpr std::size_t kQuarantinedKept = 5;

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

std::string damaged_name(const std::string& path) { return path + ".damaged"; }

Status remove_if_there(const std::string& path, FileSystem& files) {
  return exists(path) ? files.remove(path) : Status();
}

/// A database and its WAL belong together: alone each is worth nothing, and a WAL beside another database destroys it.
Status rename_both(const std::string& from, const std::string& to, FileSystem& files) {
  if (exists(from + "-wal")) {
    if (Status done = files.rename(from + "-wal", to + "-wal"); !done) return done;
  }
  return exists(from) ? files.rename(from, to) : Status();
}

/// Files that an earlier database of that name may have left.
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

/// Numbers of the quarantined files, ascending.
std::vector<std::int64_t> quarantined_numbers(const std::string& path) {
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

std::string quarantined_name(const std::string& path, std::int64_t number) {
  return path + ".corrupt-" + std::to_string(number);
}

void remove_quarantined(const std::string& path, std::size_t keep, FileSystem& files) {
  std::vector<std::int64_t> numbers = quarantined_numbers(path);
  numbers.resize(numbers.size() - std::min(keep, numbers.size()));
  for (const std::int64_t number : numbers) {
    // If one cannot be removed, the store is opened all the same.
    static_cast<void>(remove_all(quarantined_name(path, number), files));
  }
}

/// Of files that were made by an older version or restored from a backup.
void protect_all(const std::string& path) {
  std::vector<std::string> names{path, damaged_name(path)};
  for (const std::int64_t number : quarantined_numbers(path)) names.push_back(quarantined_name(path, number));
  for (const std::string& name : names) {
    for (const char* suffix : {"", "-wal"}) protect_file(name + suffix);
  }
  protect_file(path + ".ballast");
}

Status create(const StoreSettings& settings, FileSystem& files,
              const std::function<Status(SqliteConnection&, StoreProperties&)>& fill) {
  const std::string fresh = settings.path + ".new";
  if (Status done = remove_all(fresh, files); !done) return done;
  if (Status done = Database::create(fresh, settings, fill); !done) return done;
  if (Status done = remove_companions(settings.path, files); !done) return done;
  if (Status done = files.rename(fresh, settings.path); !done) return done;
  return files.sync_folder(settings.path);
}

Status create_empty(const StoreSettings& settings, FileSystem& files) {
  Status done = create(settings, files, [](SqliteConnection&, StoreProperties&) { return Status(); });
  if (done || done.error().code == Errc::kFull) return done;
  return Error{Errc::kNotFound, done.error().detail + "; the folder must exist and be writable"};
}

/// Makes a new store at its path of what can be read of the damaged one, and quarantines that.
Status create_repaired(const StoreSettings& settings, FileSystem& files, Log& log) {
  const std::string damaged = damaged_name(settings.path);
  const std::vector<std::int64_t> numbers = quarantined_numbers(settings.path);
  const std::string quarantined = quarantined_name(settings.path, numbers.empty() ? 1 : numbers.back() + 1);
  std::error_code error;
  const auto space = fs::space(fs::absolute(settings.path).parent_path(), error);
  if (!error && space.available < static_cast<std::uintmax_t>(settings.max_bytes))
    remove_older_quarantined(settings.path, files);
  Status done = create(settings, files, [&](SqliteConnection& connection, StoreProperties& properties) -> Status {
    const auto repaired = repair(damaged, settings, connection, log);
    if (!repaired) return repaired.error();
    properties.set(Property::kQuarantined, fs::path(quarantined).filename().string());
    properties.set(Property::kCommandsSaved, repaired->commands ? "yes" : "no");
    for (const Lane lane : kAllLanes) {
      properties.set(Property::kSavedRecords, lane, std::to_string(repaired->records[index_of(lane)]));
    }
    return connection.status();
  });
  if (!done) return done;
  if (done = rename_both(damaged, quarantined, files); !done) return done;
  remove_quarantined(settings.path, kQuarantinedKept, files);
  return files.sync_folder(settings.path);
}

/// Finishes a repair that was interrupted.
Status finish_repair(const StoreSettings& settings, FileSystem& files, Log& log) {
  const std::string damaged = damaged_name(settings.path);
  if (!exists(damaged)) return {};
  if (!exists(settings.path)) {
    if (exists(settings.path + "-wal") && !exists(damaged + "-wal")) {
      if (Status done = files.rename(settings.path + "-wal", damaged + "-wal"); !done) return done;
    }
    return create_repaired(settings, files, log);
  }
  const std::vector<std::int64_t> numbers = quarantined_numbers(settings.path);
  return rename_both(damaged, quarantined_name(settings.path, numbers.empty() ? 1 : numbers.back() + 1), files);
}

Opened describe(Database& database) {
  StoreProperties& properties = database.properties();
  Opened opened;
  const auto quarantined = properties.get(Property::kQuarantined);
  if (const auto previous = database.epochs().newest()) {
    opened.origin = StoreOrigin::kKept;
    opened.previous = PreviousEpoch{previous->epoch, quarantined ? LaneNumbers{} : database.last_numbers()};
  }
  if (!quarantined) return opened;
  opened.origin = StoreOrigin::kReplaced;
  opened.quarantined = *quarantined;
  opened.commands_saved = properties.get(Property::kCommandsSaved) == "yes";
  for (const Lane lane : kAllLanes) {
    const auto number = parse_integer(properties.get(Property::kSavedRecords, lane).value_or("0"), 0, 1LL << 60);
    if (number) opened.saved[index_of(lane)] = *number;
  }
  return opened;
}

}  // namespace

Status quarantine(const std::string& path, FileSystem& files) {
  const std::string damaged = damaged_name(path);
  // The database first: a WAL without a database at its place is known to belong to the damaged one.
  if (exists(path)) {
    if (Status done = files.rename(path, damaged); !done) return done;
  }
  if (exists(path + "-wal")) {
    if (Status done = files.rename(path + "-wal", damaged + "-wal"); !done) return done;
  }
  return files.sync_folder(path);
}

bool remove_older_quarantined(const std::string& path, FileSystem& files) {
  if (quarantined_numbers(path).size() < 2) return false;
  remove_quarantined(path, 1, files);
  return true;
}

Result<Opening> open_or_recover(const StoreSettings& settings, const RecordFormat& format, FileSystem& files,
                                Log& log) {
  protect_all(settings.path);
  if (Status done = finish_repair(settings, files, log); !done) return done.error();
  if (!exists(settings.path)) {
    if (Status done = create_empty(settings, files); !done) return done.error();
  }
  std::error_code error;
  const bool empty = fs::is_regular_file(settings.path, error) && fs::file_size(settings.path, error) == 0;
  Result<std::unique_ptr<Database>> database = Error{Errc::kCorrupt, "store " + settings.path + ": the file is empty"};
  if (!empty) database = Database::open(settings, format);
  if (!database && database.error().code == Errc::kCorrupt) {
    log.error("store damaged, it is quarantined and repaired", {{"why", database.error().detail}});
    if (Status done = quarantine(settings.path, files); !done) return done.error();
    if (Status done = create_repaired(settings, files, log); !done) return done.error();
    database = Database::open(settings, format);
  }
  if (!database) return database.error();
  Opening opening{std::move(*database), {}};
  opening.opened = describe(*opening.database);
  return opening;
}

}  // namespace metergate
