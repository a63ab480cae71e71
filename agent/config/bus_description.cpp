#include "agent/config/bus_description.h"

#include <filesystem>
#include <system_error>

#include "agent/base/text.h"

namespace metergate {

std::string port_key(const BusSettings& settings) {
  if (const auto* serial = std::get_if<SerialSettings>(&settings.port)) return serial->device;
  const auto& tcp = std::get<TcpSettings>(settings.port);
  return host_port(tcp.host, tcp.port);
}

std::string real_port(const std::string& key) {
  if (key.empty() || key.front() != '/') return key;
  std::error_code failed;
  const auto path = std::filesystem::canonical(key, failed);
  return failed ? key : path.string();
}

std::string describe_port(const BusSettings& settings) {
  if (const auto* serial = std::get_if<SerialSettings>(&settings.port)) {
    return serial->device + " " + describe_line(*serial);
  }
  return port_key(settings) + (std::get<TcpSettings>(settings.port).rtu ? " (RTU over TCP)" : "");
}

std::string describe_port(const BusSettings& settings, const Target& target) {
  const auto* serial = std::get_if<SerialSettings>(&settings.port);
  if (serial == nullptr || !target.line) return describe_port(settings);
  return serial->device + " " + describe_line(*target.line);
}

std::string mode_name(const LineMode& line) { return std::string("8") + line.parity + std::to_string(line.stop_bits); }

std::string describe_line(const LineMode& line) { return std::to_string(line.baud) + " " + mode_name(line); }

std::string describe_place(const MeterSpec& meter) {
  return meter.address.empty() ? "unit " + std::to_string(meter.unit) : "address " + meter.address;
}

const char* table_name(Table table) {
  switch (table) {
    case Table::kCoil:
      return "coil";
    case Table::kDiscrete:
      return "discrete";
    case Table::kInput:
      return "input";
    case Table::kItem:
      return "di";
    case Table::kHolding:
      break;
  }
  return "holding";
}

std::string describe_block(const Block& block) {
  if (block.table == Table::kItem) {
    return "di " + item_name(block) + (block.count > 0 ? ", " + std::to_string(block.count) + " bytes" : "");
  }
  const std::string first = std::string(table_name(block.table)) + " " + std::to_string(block.address);
  return block.count == 1 ? first : first + " to " + std::to_string(block.address + block.count - 1);
}

}  // namespace metergate
