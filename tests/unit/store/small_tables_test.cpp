#include <gmock/gmock.h>

#include "store/sqlite/catalog_table.h"
#include "store/sqlite/epoch_table.h"
#include "store/sqlite/key_value_table.h"
#include "store/sqlite/store_properties.h"
#include "tests/unit/store/memory_store.h"

namespace metergate {
namespace {

using ::testing::ElementsAre;

class EpochTableTest : public MemoryStore {};
class CatalogTableTest : public MemoryStore {};
class KeyValueTableTest : public MemoryStore {};
class StorePropertiesTest : public MemoryStore {};

TEST_F(EpochTableTest, KnowsTheNewestThousandEpochs) {
  EpochTable epochs(connection_);
  for (int id = 1; id <= 1001; ++id) epochs.write(Epoch{id, "e" + std::to_string(id), id * 10, 0});
  EXPECT_FALSE(epochs.find("e1"));
  EXPECT_TRUE(epochs.find("e2"));
  EXPECT_EQ(epochs.newest()->epoch, "e1001");
  EXPECT_EQ(epochs.first_from(0)->epoch, "e2");
  EXPECT_EQ(epochs.last_key(), 10010);
}

TEST_F(CatalogTableTest, KeepsTheNewestHundred) {
  CatalogTable catalogs(connection_);
  for (int i = 1; i <= 150; ++i) EXPECT_TRUE(catalogs.add(i, "h" + std::to_string(i), "bytes", 1));
  EXPECT_EQ(catalogs.hashes_from(0).size(), 100u);
  EXPECT_FALSE(catalogs.find("h50"));
  EXPECT_EQ(catalogs.find("h51"), "bytes");
}

TEST_F(CatalogTableTest, KeepsTheOneThatTheFirstKeptRecordWasTakenUnder) {
  CatalogTable catalogs(connection_);
  catalogs.add(10, "a", "A", 10);
  catalogs.add(20, "b", "B", 10);
  catalogs.add(30, "c", "C", 25);
  EXPECT_THAT(catalogs.hashes_from(0), ElementsAre("b", "c"));
  EXPECT_THAT(catalogs.hashes_from(30), ElementsAre("c"));
}

TEST_F(CatalogTableTest, AddsThePresentOneOnceAndOneThatComesBackAgain) {
  CatalogTable catalogs(connection_);
  EXPECT_TRUE(catalogs.add(10, "a", "A", 10));
  EXPECT_FALSE(catalogs.add(20, "a", "A", 10));
  EXPECT_TRUE(catalogs.add(30, "b", "B", 10));
  EXPECT_TRUE(catalogs.add(40, "a", "A", 10));
  EXPECT_THAT(catalogs.hashes_from(10), ElementsAre("b", "a"));
}

TEST_F(KeyValueTableTest, KeepsTheNewestHundredThousandNames) {
  KeyValueTable values(connection_);
  connection_.begin();
  for (int i = 1; i <= 100000; ++i) values.put("n" + std::to_string(i), "x");
  values.put("n2", "y");
  EXPECT_EQ(values.get("n1"), "x");
  values.put("n100001", "x");
  ASSERT_TRUE(connection_.commit());
  EXPECT_EQ(values.get("n1"), std::nullopt);
  EXPECT_EQ(values.get("n2"), "y");
  EXPECT_EQ(values.get("n100001"), "x");
}

TEST_F(StorePropertiesTest, ForgetsARepairButNotTheGateway) {
  StoreProperties properties(connection_);
  properties.set(StoreProperties::Property::kGateway, "g1");
  properties.set(StoreProperties::Property::kQuarantined, "store.db.corrupt-1");
  properties.set(StoreProperties::Property::kSavedRecords, Lane::kEvents, "7");
  EXPECT_EQ(properties.get(StoreProperties::Property::kSavedRecords, Lane::kEvents), "7");
  EXPECT_EQ(properties.get(StoreProperties::Property::kSavedRecords, Lane::kResults), std::nullopt);
  properties.forget_repair();
  EXPECT_EQ(properties.get(StoreProperties::Property::kQuarantined), std::nullopt);
  EXPECT_EQ(properties.get(StoreProperties::Property::kSavedRecords, Lane::kEvents), std::nullopt);
  EXPECT_EQ(properties.get(StoreProperties::Property::kGateway), "g1");
}

}  // namespace
}  // namespace metergate
