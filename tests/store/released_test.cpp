#include <cstdlib>
#include <filesystem>

#include "store/sqlite/schema.h"
#include "tests/store/store_fixture.h"

namespace metergate {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

std::string schema_of(const std::string& path) {
  SqliteConnection file(path, "", SqliteConnection::Mode::kUntouched);
  std::string found = std::to_string(file.number("PRAGMA user_version"));
  Statement read(file, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name");
  auto rows = read.query();
  while (rows.next()) found += "\n" + rows.text(0);
  return found;
}

/// Stores as the schemas of all times left them, with something of everything: released/VERSION.db.
class ReleasedTest : public StoreTest {
 protected:
  /// What each of those files holds.
  void fill() {
    open();
    ASSERT_TRUE(store_->add_catalog("aaaaaaaa", "catalog A"));
    ASSERT_TRUE(store_->put("main.serial", "123"));
    append_committed(reading("delivered"));
    deliver(Lane::kReadings, rows(Lane::kReadings).back().key);
    append(reading("high"));
    append(reading("low", false));
    store_->complete(admit("done").key, result("answer"));
    admit("open");
    ASSERT_TRUE(store_->started(admit("begun", "b2", true).key));
    store_->dead_letter("topic", "why", "payload", clock_.utc());
    append_committed(event("x"));
    close();
    // As if readings 90 and 91 had gone for want of room; to fill a store for that makes a large file.
    SqliteConnection file(settings_.path, "", SqliteConnection::Mode::kExisting);
    Statement(file, insert_into(kUntoldRanges)).run(1, 1, static_cast<int>(Lane::kReadings), "e1", 90, 91);
    ASSERT_TRUE(file.status()) << file.status().error().detail;
  }

  void expect_everything() {
    epochs_ = 1;
    open();
    const Opened opened = store_->opened();
    EXPECT_EQ(opened.origin, StoreOrigin::kKept);
    ASSERT_TRUE(opened.previous);
    EXPECT_EQ(opened.previous->epoch, "e1");
    EXPECT_THAT(opened.previous->numbers.last, ElementsAre(3, 1, 2));
    EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("delivered", "high", "low"));
    EXPECT_EQ(store_->state().lanes[0].waiting, 2);
    EXPECT_THAT(bodies(Lane::kResults), ElementsAre("answer"));
    EXPECT_THAT(bodies(Lane::kEvents), ElementsAre("started", "x", "started", "dropped e1 readings 90-91 (2)"));
    const Admission done = admit("done");
    EXPECT_EQ(done.known, Known::kDone);
    EXPECT_EQ(done.result->bytes, "e1/results/1 answer");
    const auto waiting = store_->open_commands("b1", 0, 9);
    ASSERT_EQ(waiting->size(), 1u);
    EXPECT_EQ(waiting->front().body, "body of open");
    const auto begun = store_->open_commands("b2", 0, 9);
    ASSERT_EQ(begun->size(), 1u);
    EXPECT_TRUE(begun->front().write);
    EXPECT_TRUE(begun->front().started);
    EXPECT_EQ(*store_->get("main.serial"), "123");
    EXPECT_THAT(*store_->catalogs_waiting(), ElementsAre("aaaaaaaa"));
    EXPECT_EQ(*store_->catalog("aaaaaaaa"), "catalog A");
    EXPECT_TRUE(*store_->knows_epoch("e1"));
    EXPECT_EQ(store_->state().dead_letters, 1);
    append_committed(reading("after"));
    EXPECT_EQ(rows(Lane::kReadings).back().bytes, "e2/readings/1 after");
    close();
  }

  static fs::path fixture(std::int64_t version) {
    return fs::path(RELEASED_STORES) / (std::to_string(version) + ".db");
  }
};

TEST_F(ReleasedTest, KeepsAStoreOfThePresentSchemaForTheReleasesToCome) {
  fill();
  // METERGATE_KEEP_STORE=1 writes it, once for each schema and never again.
  if (std::getenv("METERGATE_KEEP_STORE") != nullptr) fs::copy_file(settings_.path, fixture(kSchemaVersion));
  EXPECT_TRUE(fs::exists(fixture(kSchemaVersion)))
      << fixture(kSchemaVersion) << " is missing: run this test once with METERGATE_KEEP_STORE=1, and commit the file";
  expect_everything();
}

TEST_F(ReleasedTest, MigratesTheStoreOfEveryReleasedSchemaWithoutLoss) {
  settings_.path = folder_ / "new.db";
  fill();
  const std::string present = schema_of(settings_.path);
  settings_.path = folder_ / "store.db";
  int stores = 0;
  for (const auto& entry : fs::directory_iterator(RELEASED_STORES)) {
    SCOPED_TRACE(entry.path());
    fs::copy_file(entry.path(), settings_.path, fs::copy_options::overwrite_existing);
    expect_everything();
    EXPECT_EQ(schema_of(settings_.path), present);
    ++stores;
  }
  EXPECT_GE(stores, 1);
}

}  // namespace
}  // namespace metergate
