#include "drivers/line/line_bus.h"

#include <utility>

namespace metergate {

LineBus::LineBus(const BusSettings& settings, std::unique_ptr<Port> port, std::unique_ptr<ModbusLink> link,
                 const Clock& clock)
    : settings_(settings),
      port_(std::move(port)),
      modbus_(settings, std::move(link), clock),
      dlt645_(settings_, *port_, clock) {
  modbus_.take_others = [this](Bytes* strays) { dlt645_.hear(strays); };
  dlt645_.unknown = [this](const Bytes& strays) { modbus_.hear(strays); };
}

Status LineBus::check_port() const {
  if (!is_rtu(settings_)) return Error{Errc::kInvalid, port_->name() + ": Modbus TCP carries no other protocol"};
  if (!is_open()) return Error{Errc::kBusDown, port_->name() + ": not open"};
  return {};
}

/// Behind a transaction that was not Modbus'.
void LineBus::after_others(const Error* error) {
  modbus_.port_used();
  if (error != nullptr && error->code == Errc::kBusDown) modbus_.close();
}

Result<Words> LineBus::read(const Target& target, const Block& block) {
  if (target.family == Family::kModbus) return modbus_.read(target, block);
  if (Status can = check_port(); !can) return can.error();
  Result<Words> words = dlt645_.read(target, block);
  after_others(words ? nullptr : &words.error());
  return words;
}

WriteOutcome LineBus::write(const Target& target, const Write& write) {
  if (target.family == Family::kModbus) return modbus_.write(target, write);
  if (Status can = check_port(); !can) return {can, false};
  WriteOutcome outcome = dlt645_.write(target, write);
  after_others(outcome.status ? nullptr : &outcome.status.error());
  return outcome;
}

void LineBus::observe(BusObserver* observer) {
  modbus_.observe(observer);
  dlt645_.observe(observer);
}

FrameText LineBus::explain(const std::uint8_t* bytes, std::size_t size) const {
  const auto text = is_rtu(settings_) ? Dlt645Master::explain(bytes, size) : std::nullopt;
  return text ? *text : modbus_.explain(bytes, size);
}

std::optional<Turnaround> LineBus::turnaround(const Target& target) const {
  return target.family == Family::kModbus ? modbus_.turnaround(target) : dlt645_.turnaround(target);
}

BusCounters LineBus::counters() const {
  BusCounters sum = modbus_.counters();
  sum += dlt645_.counters();
  return sum;
}

}  // namespace metergate
