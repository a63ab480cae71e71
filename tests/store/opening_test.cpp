#include <sqlite3.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "store/sqlite/schema.h"
#include "tests/store/store_fixture.h"

namespace metergate {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

void sql(const std::string& path, const std::string& script) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, script.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  sqlite3_close(db);
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

class OpeningTest : public StoreTest {
 protected:
  static unsigned mode_of(const std::string& path) {
    struct ::stat found {};
    EXPECT_EQ(::stat(path.c_str(), &found), 0) << path;
    return found.st_mode & 07777u;
  }
  Error refusal() {
    auto opened = try_open();
    EXPECT_FALSE(opened);
    return opened ? Error{Errc::kTimeout, ""} : opened.error();
  }
};

TEST_F(OpeningTest, RefusesAStoreThatAnotherProcessHoldsAndNamesIt) {
  open();
  const Error error = refusal();
  EXPECT_EQ(error.code, Errc::kLocked);
  EXPECT_THAT(error.detail, HasSubstr(settings_.path));
  EXPECT_THAT(error.detail, HasSubstr("pid " + std::to_string(getpid())));
  append_committed(reading("a"));
  EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("a"));
}

TEST_F(OpeningTest, OpensAtOnceWhatADeadProcessHeld) {
  open();
  crash();
  open();
  EXPECT_EQ(store_->opened().origin, StoreOrigin::kKept);
}

TEST_F(OpeningTest, TellsTheNewestTimeThatItHolds) {
  open();
  EXPECT_EQ(store_->opened().newest, UtcTime{});
  Draft draft = reading("a");
  draft.at = clock_.utc() + std::chrono::hours(5);
  append_committed(draft);
  crash();
  open();
  EXPECT_EQ(store_->opened().newest, draft.at);
}

TEST_F(OpeningTest, RefusesTheStoreOfAnotherGatewayAndTellsTheWaysOut) {
  open();
  close();
  settings_.gateway = "g2";
  const Error error = refusal();
  EXPECT_EQ(error.code, Errc::kInvalid);
  EXPECT_THAT(error.detail, HasSubstr("'g1'"));
  EXPECT_THAT(error.detail, HasSubstr("--store"));
  settings_.gateway = "g1";
  open();
}

TEST_F(OpeningTest, RefusesAFolderThatIsNotThere) {
  settings_.path = folder_ / "nowhere/store.db";
  EXPECT_EQ(refusal().code, Errc::kNotFound);
  EXPECT_EQ(probe_store(settings_).error().code, Errc::kNotFound);
}

TEST_F(OpeningTest, RefusesAFolderInPlaceOfTheFile) {
  std::filesystem::create_directory(settings_.path);
  EXPECT_EQ(refusal().code, Errc::kStorage);
  EXPECT_EQ(probe_store(settings_).error().code, Errc::kStorage);
}

TEST_F(OpeningTest, RefusesAndSparesAnotherProgramsDatabase) {
  sql(settings_.path, "CREATE TABLE theirs(x); INSERT INTO theirs VALUES(1)");
  const std::string before = bytes_of(settings_.path);
  const Error error = refusal();
  EXPECT_EQ(error.code, Errc::kInvalid);
  EXPECT_THAT(error.detail, HasSubstr("another program's database"));
  EXPECT_EQ(probe_store(settings_).error().code, Errc::kInvalid);
  EXPECT_EQ(bytes_of(settings_.path), before);
}

TEST_F(OpeningTest, ServesAStoreOfANewerMinorVersionAndLeavesWhatThatAdded) {
  open();
  append_committed(reading("a"));
  close();
  const std::string newer = "PRAGMA user_version=" + std::to_string(kSchemaVersion + 1);
  sql(settings_.path,
      "CREATE TABLE of_a_later_minor(x); INSERT INTO of_a_later_minor VALUES(7);"
      "ALTER TABLE readings_high ADD COLUMN later INTEGER NOT NULL DEFAULT 0; UPDATE readings_high SET later=5;" +
          newer);
  open();
  append_committed(reading("b"));
  EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("a", "b"));
  close();
  SqliteConnection file(settings_.path, "", SqliteConnection::Mode::kUntouched);
  EXPECT_EQ(file.number("PRAGMA user_version"), kSchemaVersion + 1);
  EXPECT_EQ(file.number("SELECT x FROM of_a_later_minor"), 7);
  EXPECT_EQ(file.number("SELECT max(later) FROM readings_high"), 5);
}

TEST_F(OpeningTest, RefusesAStoreOfANewerMajorVersionAndSparesItWithItsWal) {
  open();
  append_committed(reading("a"));
  crash();
  {
    SqliteConnection newer(settings_.path, "", SqliteConnection::Mode::kExisting);
    newer.leave_wal_alone(true);
    newer.run("PRAGMA user_version=2000");
  }
  const std::string file = bytes_of(settings_.path);
  const std::string wal = bytes_of(settings_.path + "-wal");
  ASSERT_FALSE(wal.empty());
  const Error error = refusal();
  EXPECT_EQ(error.code, Errc::kInvalid);
  EXPECT_THAT(error.detail, HasSubstr("newer metergate (format 2, this one knows 1)"));
  EXPECT_EQ(bytes_of(settings_.path), file);
  EXPECT_EQ(bytes_of(settings_.path + "-wal"), wal);
}

TEST_F(OpeningTest, TellsOfAStoreOfANewerMajorVersionWhenProbed) {
  open();
  close();
  sql(settings_.path, "PRAGMA user_version=2000");
  EXPECT_EQ(probe_store(settings_).error().code, Errc::kInvalid);
}

TEST_F(OpeningTest, RefusesACapBelowEightMebibytes) {
  settings_.max_bytes = (8 << 20) - 1;
  EXPECT_EQ(refusal().code, Errc::kInvalid);
}

TEST_F(OpeningTest, IsDurableAgainstPowerLossByItsSettings) {
  open();
  close();
  // What a session sets is checked at opening; what the file itself holds can be looked at.
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(settings_.path.c_str(), &db), SQLITE_OK);
  std::vector<std::string> found;
  for (const char* pragma : {"page_size", "auto_vacuum", "journal_mode", "application_id"}) {
    sqlite3_exec(
        db, (std::string("PRAGMA ") + pragma).c_str(),
        [](void* list, int, char** values, char**) {
          static_cast<std::vector<std::string>*>(list)->emplace_back(values[0]);
          return 0;
        },
        &found, nullptr);
  }
  sqlite3_close(db);
  EXPECT_THAT(found, ElementsAre("4096", "2", "wal", std::to_string(0x4d747247)));
}

TEST_F(OpeningTest, NeedsNoSharedMemoryFile) {
  open();
  append_committed(reading("a"));
  EXPECT_THAT(folder_.files(), ElementsAre("store.db", "store.db-wal", "store.db.ballast", "store.db.lock"));
}

TEST_F(OpeningTest, TakesAPathWithCharactersThatMeanSomethingInAUri) {
  settings_.path = folder_ / "a?mode=ro#%41.db";
  open();
  append_committed(reading("a"));
  restart();
  EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("a"));
  EXPECT_THAT(folder_.files(), Contains("a?mode=ro#%41.db"));
}

TEST_F(OpeningTest, TakesAPathThatBeginsWithTwoSlashes) {
  settings_.path = "/" + settings_.path;
  open();
  append_committed(reading("a"));
  restart();
  EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("a"));
}

TEST_F(OpeningTest, MakesItsFilesReadableByOwnerAndGroupWhateverTheUmask) {
  for (const ::mode_t mask : {::mode_t{0}, ::mode_t{022}, ::mode_t{077}}) {
    const ::mode_t before = ::umask(mask);
    open();
    append_committed(reading("a"));
    crash();
    std::filesystem::resize_file(settings_.path, 100);
    open();
    append_committed(reading("a"));
    ::umask(before);
    ASSERT_EQ(store_->opened().origin, StoreOrigin::kReplaced);
    for (const std::string& name : folder_.files()) EXPECT_EQ(mode_of(folder_ / name), 0640u) << name << " " << mask;
    close();
    for (const std::string& name : folder_.files()) std::filesystem::remove(folder_ / name);
  }
}

TEST_F(OpeningTest, TakesTheRightsOfOthersFromAnOlderStore) {
  open();
  append_committed(reading("a"));
  crash();
  for (const std::string& name : folder_.files()) ::chmod((folder_ / name).c_str(), 0644);
  open();
  for (const std::string& name : folder_.files()) EXPECT_EQ(mode_of(folder_ / name), 0640u) << name;
  EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("a"));
}

TEST_F(OpeningTest, ProbesWithoutCreatingOrChangingAnything) {
  EXPECT_TRUE(probe_store(settings_));
  EXPECT_THAT(folder_.files(), IsEmpty());
  open();
  close();
  const auto files = folder_.files();
  EXPECT_TRUE(probe_store(settings_));
  EXPECT_EQ(folder_.files(), files);
  settings_.gateway = "g2";
  EXPECT_EQ(probe_store(settings_).error().code, Errc::kInvalid);
}

TEST_F(OpeningTest, ProbesBesideARunningAgent) {
  open();
  EXPECT_TRUE(probe_store(settings_));
  append_committed(reading("a"));
  EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("a"));
}

TEST_F(OpeningTest, TellsOfADamagedFileWhenProbed) {
  std::ofstream(settings_.path) << std::string(10000, 'x');
  EXPECT_EQ(probe_store(settings_).error().code, Errc::kCorrupt);
}

}  // namespace
}  // namespace metergate
