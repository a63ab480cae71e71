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
    for (BusState& bus : now_.buses) bus.counters.busy_us += busy_ms * 1000;
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

/// 1,000 meters on 250 buses, with long names and many points.
class LargeStatusPage : public StatusPage {
 protected:
  LargeStatusPage() {
    profile_.points.resize(200);
    for (std::size_t i = 0; i < profile_.points.size(); ++i)
      profile_.points[i].name = std::string(60, 'p') + std::to_string(i);
    site_.buses.clear();
    now_.buses.clear();
    for (int b = 0; b < 250; ++b) {
      BusConfig config;
      BusState state;
      config.spec.name = state.name = "bus-" + std::to_string(b);
      state.port = "[2001:db8:1234:5678:9abc:def0:1234:5678]:502";
      state.why_down = std::string(100, 'w');
      for (int m = 0; m < 4; ++m) {
        MeterConfig meter;
        meter.spec.id = "meter-" + std::string(40, 'x') + std::to_string(b * 4 + m);
        meter.profile = &profile_;
        config.meters.push_back(meter);
        MeterState of_meter;
        of_meter.id = meter.spec.id;
        of_meter.silent = b == 7 && m == 1;
        of_meter.last_good = now_.at;
        of_meter.turnaround = Turnaround{Micros{21'500}, Micros{180'000}, Millis{360}};
        of_meter.serial = "123456789012";
        for (const Point& point : profile_.points) of_meter.unsupported.emplace_back(point.name, 2);
        state.meters.push_back(of_meter);
      }
      site_.buses.push_back(config);
      now_.buses.push_back(state);
    }
    for (std::size_t i = 0; i < StatusHistory::kSamples; ++i) sample(1'000);
    for (const BusConfig& bus : site_.buses) {
      for (const MeterConfig& meter : bus.meters) {
        Reading reading;
        reading.meter = meter.spec.id;
        for (const Point& point : profile_.points)
          reading.values.emplace_back(point.name, Value{Value::Form::kNumber, "1234567.89", Decimal{1}});
        latest_.take(reading);
      }
    }
  }
};

TEST_F(LargeStatusPage, IsBoundedAndHasEveryMeterBelowItsBus) {
  const std::string text = page();
  EXPECT_LT(text.size(), 1'200'000u);
  for (const BusState& bus : now_.buses) {
    for (const MeterState& meter : bus.meters) EXPECT_THAT(text, HasSubstr("<td>" + meter.id + "<td>")) << meter.id;
  }
  EXPECT_THAT(text, HasSubstr("<details id=\"bus:bus-6\"><summary>bus-6: 4 meters</summary>"));
  EXPECT_THAT(text, HasSubstr("<details open id=\"bus:bus-7\"><summary>bus-7: 4 meters, <span class=bad>1 silent</span>"
                              "</summary>"));
  EXPECT_THAT(text, HasSubstr("<p>The values of the first 20 meters are shown.</p>"));
}

TEST_F(LargeStatusPage, FitsAsStatusIntoOneAnswerOfTheLocalSocket) {
  const std::string text = snapshot_json(now_);
  EXPECT_LT(text.size(), (1u << 20) - 2);
  EXPECT_THAT(text, HasSubstr("\"refused_more\":200"));
  for (const BusState& bus : now_.buses) EXPECT_THAT(text, HasSubstr(bus.meters[3].id));
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
