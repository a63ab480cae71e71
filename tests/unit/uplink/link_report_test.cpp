#include "agent/uplink/link_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace metergate {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr std::chrono::hours kDay{24};
const Moment kNow{MonoTime{kDay}, UtcTime{20'000 * kDay}};

LinkReport link_to(const std::string& address) {
  LinkReport link;
  link.name = "broker";
  link.port = 1883;
  link.address = address;
  return link;
}

TEST(LinkReportTest, ALaterReportOfAnAddressTakesThePlaceOfTheEarlierOne) {
  LinkReports links;
  note_link(links, link_to("192.0.2.1"));
  note_link(links, link_to("192.0.2.2"));
  LinkReport later = link_to("192.0.2.1");
  later.error = "refused";
  note_link(links, later);

  ASSERT_THAT(links, SizeIs(2));
  EXPECT_EQ(links[0].error, "refused");
}

TEST(LinkReportTest, HoldsABoundedNumberOfAddresses) {
  LinkReports links;
  for (std::size_t i = 0; i < kMostLinks + 5; ++i) note_link(links, link_to(std::to_string(i)));

  EXPECT_THAT(links, SizeIs(kMostLinks));
  EXPECT_EQ(links.back().address, std::to_string(kMostLinks + 4));
}

TEST(LinkReportTest, ARefusedSubscriptionIsAFaultThatNamesTheTopic) {
  LinkReport link = link_to("192.0.2.1");
  note_subscriptions(link, {"a", "b"}, {"b"});

  EXPECT_THAT(link.error, HasSubstr("refuses the subscription of b;"));
  EXPECT_THAT(link_json(link, kNow), HasSubstr(R"("subscriptions":{"a":"granted","b":"refused"})"));
  note_subscriptions(link, {"a", "b"}, {});
  EXPECT_EQ(link.error, "");
}

TEST(LinkReportTest, CountsWholeDaysToTheEndOfACertificateAlsoWhenItIsOver) {
  LinkReport link = link_to("192.0.2.1");
  TlsFacts tls;
  tls.version = "TLSv1.3";
  tls.peer = "CN=broker";
  tls.peer_until = kNow.utc + 10 * kDay + std::chrono::hours(23);
  tls.authority_until = kNow.utc + 50'000 * kDay;
  tls.own_until = kNow.utc - std::chrono::hours(1);
  link.tls = tls;
  const std::string json = link_json(link, kNow);

  EXPECT_THAT(json, HasSubstr(R"("version":"TLSv1.3","peer":"CN=broker",)"));
  EXPECT_THAT(json, HasSubstr(R"("peer_days":10,)"));
  EXPECT_THAT(json, HasSubstr(R"("authority_until":"2161-)"));
  EXPECT_THAT(json, HasSubstr(R"("authority_days":50000)"));
  EXPECT_THAT(json, HasSubstr(R"("own_days":-1)"));
}

TEST(LinkReportTest, WhatIsNotKnownIsLeftOut) {
  const std::string json = link_json(link_to("192.0.2.1"), kNow);

  EXPECT_EQ(json, R"({"name":"broker","port":1883,"address":"192.0.2.1","ok":true,"tcp":false,"largest_message":null,)"
                  R"("waiting":0})");
}

TEST(LinkReportTest, ALinkThatIsUpSaysSinceWhen) {
  LinkReport link = link_to("192.0.2.1");
  link.up_since = kNow.mono - std::chrono::hours(1);

  EXPECT_THAT(link_json(link, kNow), HasSubstr(R"("since":"2024-10-03T23:00:00.000Z")"));
}

}  // namespace
}  // namespace metergate
