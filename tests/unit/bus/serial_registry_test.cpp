#include "agent/bus/serial_registry.h"

#include <gtest/gtest.h>

namespace metergate {
namespace {

class SerialRegistryTest : public ::testing::Test {
 protected:
  SerialRegistryTest() {
    registry_.add("m1", "111", "");
    registry_.add("m2", "", "222");
    registry_.add("m3", "", "");
  }
  SerialRegistry registry_;
};

TEST_F(SerialRegistryTest, KnowsNobodyElseByAMetersOwnNumber) {
  EXPECT_EQ(registry_.shown("m1", "111"), "");
  EXPECT_EQ(registry_.shown("m2", "222"), "");
}

TEST_F(SerialRegistryTest, KnowsAMeterByItsFlag) { EXPECT_EQ(registry_.shown("m3", "111"), "m1"); }

TEST_F(SerialRegistryTest, KnowsAMeterByWhatItShowedInAnEarlierRun) { EXPECT_EQ(registry_.shown("m3", "222"), "m2"); }

TEST_F(SerialRegistryTest, KnowsBothOfTwoMetersThatChangedPlaces) {
  EXPECT_EQ(registry_.shown("m3", "333"), "");
  EXPECT_EQ(registry_.shown("m2", "333"), "m3");
  EXPECT_EQ(registry_.shown("m3", "222"), "m2") << "which showed it before";
}

TEST_F(SerialRegistryTest, TakesBlanksAndZerosBeforeANumberForNoDifference) {
  EXPECT_EQ(registry_.shown("m3", " 000111 "), "m1");
  EXPECT_EQ(plain_serial(" 0070 "), "70");
  EXPECT_EQ(plain_serial("000"), "");
  EXPECT_EQ(plain_serial(" "), "");
}

}  // namespace
}  // namespace metergate
