#include "store/store_view.h"

#include "tests/store/store_fixture.h"

namespace metergate {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::IsEmpty;
using testing::SizeIs;

class ViewTest : public StoreTest {
 protected:
  static Draft at(std::int64_t ms, const std::string& body, bool keep_high = true) {
    Draft draft = reading(body, keep_high);
    draft.at = from_ms(ms);
    return draft;
  }
  static RecordSpan span(std::int64_t from, std::int64_t to, Lane lane = Lane::kReadings) {
    return {lane, from_ms(from), from_ms(to)};
  }
  /// Page by page.
  std::vector<std::string> records(StoreView& store, const RecordSpan& wanted) {
    std::vector<std::string> all;
    pages_ = 0;
    for (std::int64_t after = 0;;) {
      const auto page = store.records(wanted, after);
      EXPECT_TRUE(page) << page.error().detail;
      if (!page) return all;
      ++pages_;
      for (const RecordEntry& row : page->rows) all.push_back(row.bytes);
      after = page->next;
      if (after == 0) return all;
    }
  }

  int pages_ = 0;
};

TEST_F(ViewTest, GivesTheRecordsOfATimeWithBothEndsWhetherDeliveredOrNot) {
  open();
  for (int i = 1; i <= 9; ++i) append(at(i * 1000, "r" + std::to_string(i), i % 2 == 0));
  run();
  pass(Millis{2000});
  deliver(Lane::kReadings, 4);
  EXPECT_THAT(records(*store_, span(3000, 5000)), ElementsAre(EndsWith(" r3"), EndsWith(" r4"), EndsWith(" r5")));
  EXPECT_THAT(records(*store_, span(5001, 5999)), IsEmpty());
  EXPECT_THAT(records(*store_, span(0, 1'000'000'000'000'000, Lane::kEvents)), SizeIs(1));
}

TEST_F(ViewTest, LooksAtNoMoreThanFiveHundredRowsAPage) {
  open();
  for (int i = 1; i <= 1200; ++i) append(at(i, "r"));
  pass(Millis{2000});
  EXPECT_THAT(records(*store_, span(0, 9999)), SizeIs(1200));
  EXPECT_EQ(pages_, 3);
  EXPECT_THAT(records(*store_, span(1100, 9999)), SizeIs(101));
  EXPECT_EQ(pages_, 3);
}

TEST_F(ViewTest, GivesNoPageOfMuchMoreThanHalfAMebibyte) {
  open();
  for (int i = 1; i <= 20; ++i) append(at(i, std::string(60'000, 'x')));
  pass(Millis{2000});
  EXPECT_THAT(records(*store_, span(0, 9999)), SizeIs(20));
  EXPECT_EQ(pages_, 3);
}

TEST_F(ViewTest, GivesCommandsWithWhatAnsweredThem) {
  open();
  admit("c1");
  const Admission write = admit("c2", "b2", true);
  const Admission done = admit("c3");
  ASSERT_TRUE(store_->started(write.key));
  store_->complete(done.key, result("fine"));
  run();
  const auto page = store_->commands(0);
  ASSERT_TRUE(page);
  ASSERT_THAT(page->rows, SizeIs(3));
  EXPECT_EQ(page->rows[0].id, "c1");
  EXPECT_FALSE(page->rows[0].started || page->rows[0].done);
  EXPECT_EQ(page->rows[1].bus, "b2");
  EXPECT_TRUE(page->rows[1].started);
  EXPECT_TRUE(page->rows[2].done);
  EXPECT_THAT(page->rows[2].result, EndsWith("fine"));
  EXPECT_EQ(page->next, 0);
}

TEST_F(ViewTest, GivesDeadLettersAndTheRangesThatWereDropped) {
  settings_.max_bytes = 8 << 20;
  open();
  store_->dead_letter("t", "no JSON", "payload", from_ms(7));
  for (int i = 0; i < 300; ++i) append_committed(reading(std::string(40'000, 'x'), false));
  const auto dead = store_->dead_letters(0);
  ASSERT_TRUE(dead);
  ASSERT_THAT(dead->rows, SizeIs(1));
  EXPECT_EQ(dead->rows[0].why + dead->rows[0].payload, "no JSONpayload");
  const auto untold = store_->drops(0);
  ASSERT_TRUE(untold);
  ASSERT_THAT(untold->rows, SizeIs(1));
  EXPECT_EQ(untold->rows[0].from_seq, 1);
  EXPECT_GT(untold->rows[0].to_seq, 10);
  EXPECT_FALSE(untold->rows[0].told);
  rows(Lane::kReadings);
  EXPECT_TRUE(store_->drops(0)->rows.at(0).told);
}

TEST_F(ViewTest, ReadsAFileThatNoProcessHasAndChangesNothingInIt) {
  open();
  for (int i = 1; i <= 3; ++i) append(at(i, "r" + std::to_string(i)));
  pass(Millis{2000});
  deliver(Lane::kReadings, 2);
  crash();  // much of it is in the WAL only
  const auto before = folder_.bytes();
  {
    const auto file = StoreFile::open(settings_);
    ASSERT_TRUE(file) << file.error().detail;
    EXPECT_THAT(records(**file, span(0, 10)), SizeIs(3));
    const auto lanes = (*file)->lanes();
    ASSERT_TRUE(lanes);
    EXPECT_EQ((*lanes)[static_cast<std::size_t>(Lane::kEvents)].waiting, 1);
  }
  EXPECT_EQ(folder_.bytes(), before);
  open();
  EXPECT_THAT(records(*store_, span(0, 10)), SizeIs(3));
}

TEST_F(ViewTest, RefusesAFileThatAProcessHasOrThatIsNoStore) {
  open();
  auto refused = StoreFile::open(settings_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kLocked);
  close();
  settings_.path += "-not";
  refused = StoreFile::open(settings_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(settings_.path));
}

}  // namespace
}  // namespace metergate
