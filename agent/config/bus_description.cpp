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
    return serial->device + " " + std::to_string(serial->baud) + " 8" + serial->parity +
           std::to_string(serial->stop_bits);
  }
  return port_key(settings) + (std::get<TcpSettings>(settings.port).rtu ? " (RTU over TCP)" : "");
}

const char* table_name(Table table) {
  switch (table) {
    case Table::kCoil:
      return "coil";
    case Table::kDiscrete:
      return "discrete";
    case Table::kInput:
      return "input";
    case Table::kHolding:
      break;
  }
  return "holding";
}

std::string describe_block(const Block& block) {
  const std::string first = std::string(table_name(block.table)) + " " + std::to_string(block.address);
  return block.count == 1 ? first : first + " to " + std::to_string(block.address + block.count - 1);
}

}  // namespace metergate
