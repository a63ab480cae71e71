#include <deque>

#include "drivers/modbus/modbus_bus.h"
#include "drivers/profile/decode.h"
#include "drivers/profile/plan.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fuzz/fuzz.h"

using namespace metergate;

namespace {

/// A line on which only the fuzzer speaks: a PDU of so many bytes, or a failure, at each turn.
class FuzzedLink : public ModbusLink {
 public:
  FuzzedLink(const std::uint8_t* data, std::size_t size, const FakeClock& clock)
      : data_(data), left_(size), clock_(clock) {}
  Status open() override { return open_ = true, Status(); }
  void close() override { open_ = false; }
  bool is_open() const override { return open_; }
  std::string name() const override { return "fuzzed"; }
  Status settle(Nanos, Bytes*) override { return {}; }
  Sent send(int, const Bytes&) override { return {{}, true}; }
  const Bytes& sent_bytes() const override { return nothing_; }
  const Bytes& heard_bytes() const override { return nothing_; }
  Result<Frame> receive(int unit, const Shape&, MonoTime deadline) override {
    clock_.advance(Millis{1});
    const std::size_t length = take();
    if (left_ == 0 || length == 255) {
      clock_.sleep_until(deadline);
      return Error{Errc::kTimeout, "nothing"};
    }
    if (length == 254) return Error{Errc::kCrc, "check sum"};
    if (length == 253) {
      close();
      return Error{Errc::kBusDown, "gone"};
    }
    Frame frame;
    frame.unit = length % 16 == 15 ? 2 : unit;
    frame.other_transaction = length % 16 == 14;
    while (frame.pdu.size() < std::max<std::size_t>(length, 1) && left_ > 0) frame.pdu.push_back(take());
    return frame;
  }

 private:
  std::uint8_t take() { return left_ == 0 ? std::uint8_t{255} : (--left_, *data_++); }
  const std::uint8_t* data_;
  std::size_t left_;
  const FakeClock& clock_;
  bool open_ = false;
  const Bytes nothing_;
};

const ProfileLibrary& library() {
  static const auto all = ProfileLibrary::load({});
  return *all;
}

}  // namespace

/// What meters and strangers on a line may answer to a whole poll and a write: it ends, and gives registers of the size
/// that was asked for.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto names = library().names();
  const Profile& profile = *library().find(names[data[0] % names.size()]);
  BusSettings settings;
  TcpSettings socket;
  socket.host = "meter";
  socket.rtu = (data[1] & 1) != 0;
  socket.connect_timeout = Millis{100};
  socket.lenient = static_cast<Lenient>(data[1] >> 1 & 3);
  settings.port = socket;
  const FakeClock clock;
  ModbusBus bus(settings, std::make_unique<FuzzedLink>(data + 2, size - 2, clock), clock);
  Target target;
  target.address = "1";
  target.timeout = Millis{50};
  target.max_registers = profile.max_registers;
  std::vector<const Point*> points;
  for (const Point& point : profile.points) points.push_back(&point);
  RegisterImage image;
  static_cast<void>(bus.open());
  for (const Block& block : plan_blocks(profile, with_dependencies(profile, points), PlanCost{})) {
    if (!bus.is_open() && !bus.open()) break;
    const Result<Words> words = bus.read(target, block);
    if (!words) continue;
    must(words->size() == words_in(block), "as many registers as were asked for");
    image.put(block, *words);
  }
  for (const Point* point : points) static_cast<void>(decode(profile, *point, image, Ratios{}));
  const WriteOutcome outcome = bus.write(target, {Write::Form::kRegister, 5, {7}});
  must(!outcome.status || outcome.sent, "what was not sent was not done");
  return 0;
}
