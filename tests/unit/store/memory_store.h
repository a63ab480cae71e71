#pragma once

#include <gtest/gtest.h>

#include "store/sqlite/schema.h"

namespace metergate {

/// The store's tables in memory.
class MemoryStore : public ::testing::Test {
 protected:
  MemoryStore() : connection_(":memory:", "", SqliteConnection::Mode::kCreate) {
    const Status done = migrate(connection_);
    EXPECT_TRUE(done) << done.error().detail;
  }
  ~MemoryStore() override { EXPECT_TRUE(connection_.ok()) << connection_.status().error().detail; }

  SqliteConnection connection_;
};

}  // namespace metergate
