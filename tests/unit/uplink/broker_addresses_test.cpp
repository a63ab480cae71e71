#include "agent/uplink/broker_addresses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace metergate {
namespace {

using ::testing::ElementsAre;

class BrokerAddressesTest : public ::testing::Test {
 protected:
  BrokerAddresses addresses_of(const std::vector<Endpoint>& brokers) {
    const auto resolve = [this](const std::string& host, Millis) -> Result<std::vector<std::string>> {
      if (dns.count(host) == 0) return Error{Errc::kOffline, "no such name as " + host};
      return dns[host];
    };
    return {brokers, resolve, [this] { return draw; }};
  }
  static std::vector<std::string> several(BrokerAddresses& addresses, int count) {
    std::vector<std::string> found;
    for (int i = 0; i < count; ++i) {
      const auto place = addresses.next();
      found.push_back(place ? place->address : place.error().detail);
    }
    return found;
  }
  std::map<std::string, std::vector<std::string>> dns{{"a", {"1", "2", "3"}}, {"b", {"9"}}};
  double draw = 0;
};

TEST_F(BrokerAddressesTest, BeginsWithARandomOneAndTakesTheNextAtEachTry) {
  draw = 0.5;
  BrokerAddresses addresses = addresses_of({{"a", 1883}});
  EXPECT_THAT(several(addresses, 4), ElementsAre("2", "3", "1", "2"));
}

TEST_F(BrokerAddressesTest, BeginsWithEachAddressAsOftenAsWithAnother) {
  std::map<std::string, int> first;
  for (int i = 0; i < 300; ++i) {
    draw = i / 300.0;
    BrokerAddresses addresses = addresses_of({{"a", 1883}});
    ++first[several(addresses, 1).front()];
  }
  EXPECT_EQ(first, (std::map<std::string, int>{{"1", 100}, {"2", 100}, {"3", 100}}));
}

TEST_F(BrokerAddressesTest, GoesThroughAllAddressesOfAllNodes) {
  BrokerAddresses addresses = addresses_of({{"a", 1883}, {"b", 1884}});
  EXPECT_THAT(several(addresses, 6), ElementsAre("1", "2", "3", "9", "1", "2"));
}

TEST_F(BrokerAddressesTest, TellsHostAndPortOfTheNode) {
  draw = 0.5;
  BrokerAddresses addresses = addresses_of({{"a", 1883}, {"b", 1884}});
  const auto place = addresses.next();
  ASSERT_TRUE(place);
  EXPECT_EQ(place->host, "b");
  EXPECT_EQ(place->port, 1884);
}

TEST_F(BrokerAddressesTest, KeepsTheLastGoodAddressesWhenALookupFails) {
  BrokerAddresses addresses = addresses_of({{"a", 1883}});
  EXPECT_THAT(several(addresses, 1), ElementsAre("1"));
  dns.clear();
  EXPECT_THAT(several(addresses, 3), ElementsAre("2", "3", "1"));
}

TEST_F(BrokerAddressesTest, TakesAnotherAddressAlsoWhenTheResolverTurnsThem) {
  BrokerAddresses addresses = addresses_of({{"a", 1883}});
  std::vector<std::string> found;
  for (int i = 0; i < 3; ++i) {
    found.push_back(several(addresses, 1).front());
    std::rotate(dns["a"].begin(), dns["a"].begin() + 1, dns["a"].end());
  }
  EXPECT_THAT(found, ::testing::UnorderedElementsAre("1", "2", "3"));
}

TEST_F(BrokerAddressesTest, TakesNewAddressesOfAName) {
  BrokerAddresses addresses = addresses_of({{"b", 1883}});
  several(addresses, 1);
  dns["b"] = {"7"};
  EXPECT_THAT(several(addresses, 1), ElementsAre("7"));
}

TEST_F(BrokerAddressesTest, GoesOnWithTheNextNodeWhereANameIsNotFound) {
  dns.erase("a");
  BrokerAddresses addresses = addresses_of({{"a", 1883}, {"b", 1884}});
  EXPECT_THAT(several(addresses, 3), ElementsAre("no such name as a", "9", "no such name as a"));
}

}  // namespace
}  // namespace metergate
