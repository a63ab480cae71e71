#include "agent/admin/status_page.h"

#include <gmock/gmock.h>

namespace metergate {
namespace {

using testing::HasSubstr;
using testing::Not;

class StatusPage : public testing::Test {
 protected:
  StatusPage() {
    profile_.name = "p";
    Point power;
    power.name = "active_power";
    power.unit = "W";
    profile_.points = {power};
    MeterConfig meter;
    meter.spec.id = "main";
    meter.spec.label = "<script>alert(1)</script>";
    meter.profile = &profile_;
    BusConfig bus;
    bus.spec.name = "plant";
    bus.meters = {meter};
    site_.buses.push_back(bus);

    now_.gateway = "gw";
    now_.at = from_ms(1'000'000);
    BusState state;
    state.name = "plant";
    state.up = true;
    state.meters.resize(1);
    state.meters[0].id = "main";
    now_.buses = {state};
  }

  /// A sample after ten seconds, so many milliseconds of which the bus was busy.
  void sample(std::int64_t busy_ms) {
    now_.now += StatusHistory::kEvery;
    now_.buses[0].counters.busy_us += busy_ms * 1000;
    history_.add(now_);
  }
  std::string page() const { return status_page(now_, history_, latest_, site_, problems_of(now_, {})); }

  Profile profile_;
  Site site_;
  Snapshot now_;
  StatusHistory history_;
  LatestValues latest_;
};

TEST_F(StatusPage, ShowsALatestValueWithUnitAndAge) {
  Reading reading;
  reading.meter = "main";
  reading.stamp.at = from_ms(995'000);
  reading.values = {{"active_power", Value{Value::Form::kNumber, "230.1", Decimal::parse("230.1")}}};
  latest_.take(reading);
  EXPECT_THAT(page(), HasSubstr("<td>active_power<td class=n>230.1<td>W<td class=n>5 s"));
}

TEST_F(StatusPage, KeepsTheValueThatAReadingOfAnotherPollDoesNotHave) {
  Reading reading;
  reading.meter = "main";
  reading.values = {{"active_power", Value{Value::Form::kNumber, "1", Decimal{1}}}};
  latest_.take(reading);
  reading.values.clear();
  latest_.take(reading);
  EXPECT_EQ(latest_.of("main").size(), 1u);
}

TEST_F(StatusPage, EscapesWhatPeopleNamed) {
  EXPECT_THAT(page(), HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;"));
  EXPECT_THAT(page(), Not(HasSubstr("<script>alert(1)")));
}

TEST_F(StatusPage, ShowsTheShareOfTimeThatABusIsBusy) {
  sample(0);
  sample(2'500);
  EXPECT_THAT(page(), HasSubstr("<td class=n>25.0 %"));
  EXPECT_THAT(page(), HasSubstr("points=\"359,75 \""));
}

TEST_F(StatusPage, NeedsNothingFromElsewhere) {
  EXPECT_THAT(page(), Not(HasSubstr("http:")));
  EXPECT_THAT(page(), Not(HasSubstr("https:")));
  EXPECT_THAT(page(), Not(HasSubstr("src=")));
}

TEST_F(StatusPage, SaysWhenTheStoreCannotBeUsed) {
  EXPECT_THAT(problems_of(now_, {}), testing::IsEmpty());
  now_.store.failing = true;
  now_.store.disk_full = true;
  EXPECT_THAT(problems_of(now_, {"bus plant"}),
              testing::ElementsAre("the thread 'bus plant' hangs", "the store cannot be used: its disk is full"));
  EXPECT_THAT(page(), HasSubstr("<span class=bad>the store cannot be used: its disk is full</span>"));
}

TEST_F(StatusPage, RemembersAnHourAndNoMore) {
  for (std::size_t i = 0; i < StatusHistory::kSamples + 10; ++i) {
    now_.store.lanes[0].waiting = static_cast<std::int64_t>(i);
    sample(20'000);
  }
  EXPECT_EQ(history_.backlog().size(), StatusHistory::kSamples);
  EXPECT_EQ(history_.backlog().front(), 10);
  EXPECT_EQ(history_.utilisation(0).size(), StatusHistory::kSamples);
  EXPECT_EQ(history_.utilisation(0).back(), 1000) << "more than all of the time is not possible";
}

}  // namespace
}  // namespace metergate
