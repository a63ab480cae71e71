#include "tests/store/store_fixture.h"

namespace metergate {
namespace {

/// A year without a broker, in which something goes wrong all the time.
class YearTest : public StoreTest {
 protected:
  YearTest() { settings_.max_bytes = 8 << 20; }

  /// `some` leaves behind what a quarter of a day brings; it is committed then.
  void live(int quarters, const std::function<void()>& some) {
    for (int i = 0; i < quarters; ++i) {
      some();
      clock_.advance(std::chrono::hours(6));
      run();
      largest_ = std::max(largest_, folder_.bytes());
    }
  }
  void expect_room_for_commands() {
    EXPECT_LE(largest_, settings_.max_bytes);
    EXPECT_FALSE(store_->only_reserve_left());
    for (int i = 0; i < 100; ++i) {
      const std::string id = "c" + std::to_string(i);
      const Admission admission = admit(id);
      EXPECT_EQ(admission.known, Known::kNew);
      store_->complete(admission.key, result("answer to " + id));
    }
    EXPECT_EQ(bodies(Lane::kResults).back(), "answer to c99");
  }

  static constexpr int kQuarters = 365 * 4;
  std::int64_t largest_ = 0;
};

TEST_F(YearTest, OfAFlappingBusLeavesRoomForCommands) {
  open();
  live(kQuarters, [this] {
    std::vector<Draft> events;  // once in some minutes down and up again, and a reading a meter that could not be taken
    for (int i = 0; i < 24; ++i) {
      events.push_back(event("bus_down " + std::string(200, 'd')));
      events.push_back(event("bus_up " + std::string(100, 'u')));
    }
    store_->append(std::move(events));
    for (int i = 0; i < 4; ++i) append(reading("bad " + std::string(200, 'b')));
  });
  EXPECT_GT(store_->state().lanes[2].dropped, 10000) << "there were too few events to fill the store";
  expect_room_for_commands();
}

TEST_F(YearTest, OfUnreadablePayloadsLeavesRoomForCommands) {
  open();
  live(kQuarters, [this] {
    for (int i = 0; i < 24; ++i) {
      store_->dead_letter("metergate/g/commands", "no JSON", std::string(100000, '['), clock_.utc());
    }
    append(event("command_unreadable " + std::string(300, 'u')));
  });
  EXPECT_LE(store_->state().dead_letters, 1000);
  expect_room_for_commands();
}

}  // namespace
}  // namespace metergate
