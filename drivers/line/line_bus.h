#pragma once

#include <memory>

#include "drivers/bus.h"
#include "drivers/dlt645/dlt645_master.h"
#include "drivers/modbus/modbus_bus.h"
#include "drivers/port/port.h"

namespace metergate {

/// The Bus of one port, whose meters may be of several families. Each family asks in its own way and does not know the
/// others; they share the port, whose silence is kept before each request, and what one of them hears and cannot be its
/// own is shown to the other. Only Modbus opens and closes the port.
class LineBus : public Bus {
 public:
  /// `link`: Modbus frames on `port`. The clock outlives the bus.
  LineBus(const BusSettings& settings, std::unique_ptr<Port> port, std::unique_ptr<ModbusLink> link,
          const Clock& clock);

  Status open() override { return modbus_.open(); }
  void close() override { modbus_.close(); }
  bool is_open() const override { return modbus_.is_open(); }
  Result<Words> read(const Target& target, const Block& block) override;
  WriteOutcome write(const Target& target, const Write& write) override;
  MonoTime idle() override { return modbus_.idle(); }
  std::optional<Turnaround> turnaround(const Target& target) const override;
  void observe(BusObserver* observer) override;
  FrameText explain(const std::uint8_t* bytes, std::size_t size) const override;
  BusCounters counters() const override;

 private:
  Status check_port() const;
  void after_others(const Error* error);

  const BusSettings settings_;
  const std::unique_ptr<Port> port_;
  ModbusBus modbus_;
  Dlt645Master dlt645_;
};

}  // namespace metergate
