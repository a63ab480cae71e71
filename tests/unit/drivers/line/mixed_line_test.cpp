#include <gtest/gtest.h>

#include <map>
#include <random>

#include "drivers/bus_error.h"
#include "drivers/line/line_bus.h"
#include "drivers/modbus/rtu_frames.h"
#include "tests/fakes/dlt645_line.h"
#include "tests/fakes/shared_line.h"

namespace metergate {
namespace {

constexpr int kPolls = 10'000;
constexpr std::uint32_t kUnknownItem = 0x02999900;

/// Modbus frames on a virtual port.
class VirtualLink : public ModbusLink {
 public:
  explicit VirtualLink(VirtualPort& port) : port_(port) {}
  Status open() override { return port_.open(); }
  void close() override { port_.close(); }
  bool is_open() const override { return port_.is_open(); }
  std::string name() const override { return port_.name(); }
  Status set_mode(const LineMode& line) override { return port_.set_mode(line); }
  Status settle(Nanos gap, Bytes* strays) override {
    *strays = receiver_.take_rest();
    return port_.settle(gap, strays);
  }
  Sent send(int unit, const Bytes& pdu) override {
    sent_ = rtu_frame(unit, pdu);
    receiver_.sent(sent_);
    return {port_.write(sent_), true};
  }
  const Bytes& sent_bytes() const override { return sent_; }
  const Bytes& heard_bytes() const override { return receiver_.rest(); }
  Result<Frame> receive(int unit, const Shape& shape, MonoTime deadline) override {
    return receiver_.receive(unit, shape, deadline);
  }

 private:
  VirtualPort& port_;
  Bytes sent_;
  RtuReceiver receiver_{
      [this](std::uint8_t* to, std::size_t size, MonoTime until) { return port_.read(to, size, until); }};
};

/// Two Modbus units and two DL/T 645 meters on one pair of wires.
class MixedLineTest : public testing::Test {
 protected:
  MixedLineTest() {
    SerialSettings serial;
    static_cast<LineMode&>(serial) = {9600, 'E', 1};
    settings_.port = serial;
    settings_.timeout = Millis(500);
    auto port = std::make_unique<VirtualPort>(clock_, serial);
    port_ = port.get();
    auto link = std::make_unique<VirtualLink>(*port_);
    bus_ = std::make_unique<LineBus>(settings_, std::move(port), std::move(link), clock_);
    port_->sent = [this](const Bytes& bytes, bool glued) { hear(bytes, glued); };
    EXPECT_TRUE(bus_->open());
  }

  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  /// Nothing: lost. Mostly at once, sometimes far behind the timeout.
  std::optional<Nanos> delay() {
    const int luck = pick(0, 99);
    if (faults_ && luck < 2) return std::nullopt;
    if (faults_ && luck < 6) return Millis(pick(450, 2500));
    return Millis(pick(10, 40));
  }

  /// A meter answers in the order of the requests.
  void say(int meter, Nanos after, Bytes bytes) {
    after = std::max<Nanos>(after, busy_[meter] - clock_.mono());
    busy_[meter] = clock_.mono() + after + port_->char_time() * static_cast<Nanos::rep>(bytes.size()) + Millis(5);
    if (faults_ && pick(0, 99) < 2)
      bytes[static_cast<std::size_t>(pick(0, static_cast<int>(bytes.size()) - 1))] ^= 0x10;
    if (faults_ && pick(0, 99) < 2)
      port_->say(clock_.mono() + after - Millis(5), {static_cast<std::uint8_t>(pick(0, 255))});
    port_->say(clock_.mono() + after, bytes);
  }

  void hear(const Bytes& bytes, bool glued) {
    if (const auto found = find_dlt645(bytes)) {
      const Dlt645Frame& request = found->frame;
      if (request.address != "000000000003" && request.address != "000000000004") return;
      const auto wait = delay();
      if (!wait) return;
      const bool known = Dlt645Line::item_of(request) != kUnknownItem;
      say(request.address.back() - '0', *wait,
          to_bytes(known ? Dlt645Line::answer(request) : Dlt645Line::error(request, 2), pick(0, 4)));
      return;
    }
    if (glued || bytes.size() < 8) return;
    const int unit = bytes[0];
    const Bytes pdu(bytes.begin() + 1, bytes.end() - 2);
    if (const auto wait = delay()) say(unit, *wait, rtu_frame(unit, SharedLine::answer(unit, pdu)));
  }

  Target target(int meter) const {
    Target target;
    target.address = std::to_string(meter);
    if (meter > 2) {
      target.family = Family::kDlt645;
      target.address.insert(0, 11, '0');
    }
    return target;
  }

  /// One read of a random meter, and what it should give.
  std::pair<Result<Words>, Words> poll(int meter) {
    if (meter <= 2) {
      const Block block{Table::kHolding, static_cast<std::uint16_t>(pick(0, 50)),
                        static_cast<std::uint16_t>(pick(1, 4))};
      Words right;
      for (int i = 0; i < block.count; ++i) right.push_back(SharedLine::value(meter, block.address + i));
      return {bus_->read(target(meter), block), right};
    }
    const bool refused = pick(0, 9) == 0;
    Block block =
        whole_item(refused ? kUnknownItem : 0x00010000U + static_cast<unsigned>(pick(0, 12)) * 0x100U, Family::kDlt645);
    block.count = 4;
    const Bytes value = Dlt645Line::value(target(meter).address, block.item);
    const Words right(value.begin(), value.end());
    return {bus_->read(target(meter), block), refused ? Words{} : right};
  }

  FakeClock clock_;
  std::mt19937 random_{7};
  BusSettings settings_;
  VirtualPort* port_ = nullptr;
  std::unique_ptr<LineBus> bus_;
  std::map<int, MonoTime> busy_;
  bool faults_ = true;
};

TEST_F(MixedLineTest, NeverTakesAnAnswerForAnothersInTenThousandPolls) {
  int good = 0, refused = 0, wrong = 0, wrongly_refused = 0;
  std::map<Errc, int> failures;
  for (int i = 0; i < kPolls; ++i) {
    const auto [words, right] = poll(pick(1, 4));
    if (words) {
      *words == right ? ++good : ++wrong;
    } else if (words.error().code == Errc::kException) {
      right.empty() ? ++refused : ++wrongly_refused;
    } else {
      ++failures[words.error().code];
    }
    clock_.advance(Millis(pick(0, 100)));
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(wrongly_refused, 0) << "an error was taken for another question's";
  EXPECT_GT(good, kPolls * 8 / 10);
  EXPECT_GT(refused, kPolls / 40);
  EXPECT_GT(failures[Errc::kTimeout], 100) << "there were faults";
  EXPECT_GT(bus_->counters().late_frames, 50);
  RecordProperty("good", good);
  for (const auto& [code, count] : failures)
    RecordProperty("failures_" + std::to_string(static_cast<int>(code)), count);
}

TEST_F(MixedLineTest, LeavesASilenceBeforeModbusAndLosesNothingWithoutFaults) {
  faults_ = false;
  for (int i = 0; i < 1000; ++i) {
    const auto [words, right] = poll(i % 4 + 1);
    if (right.empty()) {
      EXPECT_FALSE(words);
      continue;
    }
    ASSERT_TRUE(words) << i << ": " << words.error().detail;
    EXPECT_EQ(*words, right);
  }
  EXPECT_EQ(bus_->counters().foreign_frames, 0);
}

TEST_F(MixedLineTest, AsksEachMeterInItsOwnMode) {
  faults_ = false;
  Target slow = target(3);
  slow.line = LineMode{2400, 'E', 1};
  Block energy = whole_item(0x00010000, Family::kDlt645);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(bus_->read(target(1), {Table::kHolding, 0, 2}));
    EXPECT_EQ(port_->line().baud, 9600);
    const auto words = bus_->read(slow, energy);
    ASSERT_TRUE(words) << words.error().detail;
    EXPECT_EQ(port_->line().baud, 2400);
  }
  EXPECT_EQ(port_->modes.size(), 5U);
}

TEST_F(MixedLineTest, RefusesOtherProtocolsOverModbusTcp) {
  BusSettings tcp;
  tcp.port = TcpSettings{};
  auto port = std::make_unique<VirtualPort>(clock_, LineMode{9600, 'E', 1});
  auto link = std::make_unique<VirtualLink>(*port);
  LineBus bus(tcp, std::move(port), std::move(link), clock_);
  ASSERT_TRUE(bus.open());
  const auto words = bus.read(target(3), whole_item(0x00010000, Family::kDlt645));
  ASSERT_FALSE(words);
  EXPECT_EQ(words.error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace metergate
