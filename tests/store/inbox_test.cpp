#include "tests/store/store_fixture.h"

namespace metergate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class InboxTest : public StoreTest {
 protected:
  std::vector<std::string> open_ids(const std::string& bus, std::int64_t after = 0) {
    std::vector<std::string> ids;
    auto found = store_->open_commands(bus, after, 100);
    EXPECT_TRUE(found);
    for (const StoredCommand& each : *found) ids.push_back(each.id);
    return ids;
  }
};

TEST_F(InboxTest, HasACommandOnTheFileWhenAdmitReturns) {
  open();
  EXPECT_EQ(admit("c1", "b1", true).known, Known::kNew);
  crash();
  open();
  const auto found = store_->open_commands("b1", 0, 10);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1u);
  const StoredCommand& kept = found->front();
  EXPECT_EQ(kept.id, "c1");
  EXPECT_EQ(kept.bus, "b1");
  EXPECT_EQ(kept.body, "body of c1");
  EXPECT_TRUE(kept.write);
  EXPECT_FALSE(kept.started);
  EXPECT_EQ(to_ms(kept.received), 1700000000123);
}

TEST_F(InboxTest, GivesTheOpenCommandsOfABusInTheOrderOfTheirArrival) {
  open();
  const std::int64_t first = admit("z").key;
  admit("other", "b2");
  admit("a");
  EXPECT_THAT(open_ids("b1"), ElementsAre("z", "a"));
  EXPECT_THAT(open_ids("b1", first), ElementsAre("a"));
  EXPECT_THAT(*store_->open_buses(), UnorderedElementsAre("b1", "b2"));
}

TEST_F(InboxTest, KnowsARepeatByItsIdAloneWhileItIsOpen) {
  open();
  const Admission first = admit("c1");
  StoredCommand repeat = command("c1", "b2", true);
  repeat.body = "something else";
  const auto again = store_->admit(repeat, result("rejected"));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->known, Known::kOpen);
  EXPECT_EQ(again->key, first.key);
  EXPECT_FALSE(again->result);
  EXPECT_THAT(open_ids("b1"), ElementsAre("c1"));
  EXPECT_THAT(open_ids("b2"), IsEmpty());
}

TEST_F(InboxTest, AnswersARepeatOfADoneCommandWithTheSameRecord) {
  open();
  store_->complete(admit("c1").key, result("done"));
  const Row sent = rows(Lane::kResults).back();
  deliver(Lane::kResults, sent.key);
  restart();
  const Admission again = admit("c1");
  EXPECT_EQ(again.known, Known::kDone);
  ASSERT_TRUE(again.result);
  EXPECT_EQ(again.result->bytes, sent.bytes);
  EXPECT_EQ(again.result->key, sent.key);
  EXPECT_THAT(open_ids("b1"), IsEmpty());
}

TEST_F(InboxTest, CommitsTheResultTogetherWithTheEndOfItsCommand) {
  open();
  store_->complete(admit("c1").key, result("done"));
  crash();
  open();
  EXPECT_THAT(open_ids("b1"), IsEmpty());
  EXPECT_THAT(bodies(Lane::kResults), ElementsAre("done"));
}

TEST_F(InboxTest, TakesOneResultForACommandAndNoSecond) {
  open();
  const std::int64_t key = admit("c1").key;
  store_->complete(key, result("first"));
  store_->complete(key, result("second"));
  EXPECT_THAT(bodies(Lane::kResults), ElementsAre("first"));
}

TEST_F(InboxTest, AnswersACommandWithAVerdictInTheSameTransactionAndNeverOpensIt) {
  open();
  const auto admitted = store_->admit(command("c1"), result("rejected"));
  ASSERT_TRUE(admitted);
  EXPECT_EQ(admitted->known, Known::kNew);
  EXPECT_THAT(open_ids("b1"), IsEmpty());
  EXPECT_THAT(bodies(Lane::kResults), ElementsAre("rejected"));
  EXPECT_EQ(admit("c1").known, Known::kDone);
}

TEST_F(InboxTest, KeepsThatAWriteMayHaveReachedTheBus) {
  open();
  const std::int64_t key = admit("w1", "b1", true).key;
  ASSERT_TRUE(store_->started(key));
  crash();
  open();
  EXPECT_TRUE(store_->open_commands("b1", 0, 1)->front().started);
}

TEST_F(InboxTest, RefusesToStartWhatIsNotOpen) {
  open();
  const std::int64_t key = admit("w1").key;
  store_->complete(key, result("expired"));
  EXPECT_EQ(store_->started(key).error().code, Errc::kNotFound);
  EXPECT_EQ(store_->started(4711).error().code, Errc::kNotFound);
}

TEST_F(InboxTest, KeepsTheNewestThousandDeadLetters) {
  open();
  for (int i = 0; i < 1100; ++i) {
    store_->dead_letter("t", "no command", std::to_string(i), clock_.utc());
    if (i % 500 == 0) pass(settings_.commit_every);
  }
  pass(settings_.commit_every);
  EXPECT_EQ(store_->state().dead_letters, 1000);
  EXPECT_EQ(store_->dead_letters(0)->rows.front().payload, "100");
  restart();
  EXPECT_EQ(store_->state().dead_letters, 1000);
}

TEST_F(InboxTest, KeepsTheFirstFourKibibytesOfADeadLetter) {
  open();
  store_->dead_letter("t", "no command", std::string(4097, 'x'), clock_.utc());
  pass(settings_.commit_every);
  EXPECT_EQ(store_->dead_letters(0)->rows.front().payload, std::string(4096, 'x'));
}

TEST_F(InboxTest, CountsOpenAndKnownCommandsAcrossARestart) {
  open();
  store_->complete(admit("c1").key, result("done"));
  admit("c2");
  EXPECT_EQ(store_->state().open_commands, 1);
  EXPECT_EQ(store_->state().known_commands, 2);
  crash();
  open();
  EXPECT_EQ(store_->state().open_commands, 1);
  EXPECT_EQ(store_->state().known_commands, 2);
}

}  // namespace
}  // namespace metergate
