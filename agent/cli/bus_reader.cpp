#include "agent/cli/bus_reader.h"

#include <algorithm>
#include <cstdlib>

#include "agent/config/bus_description.h"
#include "drivers/bus_error.h"

namespace metergate {

namespace {

constexpr Millis kLook{100};

class PortReader final : public BusReader {
 public:
  PortReader(std::unique_ptr<Bus> bus, const Clock& clock) : bus_(std::move(bus)), clock_(clock) {}

  Status open() override { return bus_->open(); }
  bool is_open() const override { return bus_->is_open(); }
  Answer read(const Target& target, const Block& block) override {
    const MonoTime began = clock_.mono();
    Result<Words> words = bus_->read(target, block);
    return {std::move(words), std::chrono::duration_cast<Micros>(clock_.mono() - began)};
  }

 private:
  std::unique_ptr<Bus> bus_;
  const Clock& clock_;
};

Error failure_error(const std::string& code, const std::string& message) {
  constexpr std::string_view prefix = "exception_";
  if (code.compare(0, prefix.size(), prefix) == 0) {
    return {Errc::kException, message, std::atoi(code.c_str() + prefix.size())};
  }
  for (const int bit : {kNotAuthorisedBit, kNoDataBit, 0}) {
    if (code == exception_code(kErrorWord + bit)) return {Errc::kException, message, kErrorWord + bit};
  }
  if (code == "timeout") return {Errc::kTimeout, message};
  if (code == "crc") return {Errc::kCrc, message};
  if (code == "garbled") return {Errc::kGarbled, message};
  if (code == "bus_paused") return {Errc::kPaused, message};
  return {code == "bus_down" ? Errc::kBusDown : Errc::kInvalid, message};
}

class AgentReader final : public BusReader {
 public:
  AgentReader(SendRequest send, std::string bus) : send_(std::move(send)), bus_(std::move(bus)) {}

  Status open() override { return {}; }
  bool is_open() const override { return true; }

  Answer read(const Target& target, const Block& block) override {
    JsonWriter request;
    request.begin_object().member("ask", std::string("read")).member("bus", bus_);
    if (block.table == Table::kItem) {
      request.member("address", target.address).key("items").begin_array().text(item_name(block)).end_array();
    } else {
      request.key("unit").raw_number(target.address).member("table", std::string(table_name(block.table)));
      request.member("address", block.address).member("count", block.count);
      if (block.register_bytes != kRegisterBytes) request.member("register_bytes", block.register_bytes);
    }
    request.end_object();
    const auto answer = request_json(send_, request.take());
    if (!answer) {
      // What the agent refuses is no symptom of the line.
      const bool refused = answer.error().code == Errc::kInvalid || answer.error().code == Errc::kTimeout;
      return {Error{refused ? Errc::kInvalid : Errc::kBusDown, answer.error().detail}};
    }
    const Json* took = answer->find("took_us");
    const Micros time{took ? took->as_integer(0, INT64_MAX).value_or(0) : 0};
    if (const Json* failure = answer->find("failure")) {
      const Json *code = failure->find("code"), *message = failure->find("message");
      return {failure_error(code ? code->text : "", message ? message->text : ""), time};
    }
    const Json* registers = answer->find("registers");
    Words words;
    for (std::size_t i = 0; registers && i < registers->items.size(); ++i) {
      const auto word = registers->items[i].as_integer(0, UINT16_MAX);
      if (word) words.push_back(static_cast<std::uint16_t>(*word));
    }
    if (words.size() != words_in(block) && block.table != Table::kItem)
      return {Error{Errc::kBusDown, "the agent's answer does not hold the registers that were requested"}};
    return {std::move(words), time};
  }

 private:
  SendRequest send_;
  std::string bus_;
};

std::string text_of(const Json& json, const char* name) {
  const Json* member = json.find(name);
  return member ? member->as_text().value_or("") : "";
}

}  // namespace

void sleep_until(const BusTools& tools, MonoTime t) {
  while (!tools.stopped() && tools.clock.mono() < t) {
    tools.clock.sleep_until(std::min<MonoTime>(t, tools.clock.mono() + kLook));
  }
}

Result<std::unique_ptr<BusReader>> reader_of(const BusSpec& bus, const BusTools& tools, std::ostream& err) {
  const auto to_port = [&]() -> std::unique_ptr<BusReader> {
    return std::make_unique<PortReader>(tools.make_bus(bus.settings), tools.clock);
  };
  const auto answer = request_json(tools.send, R"({"ask":"buses"})");
  if (!answer && answer.error().code == Errc::kOffline) return to_port();
  if (!answer && answer.error().code == Errc::kInvalid) {
    err << "warning: the running agent cannot be asked, trying the port itself: " << answer.error().detail << "\n";
    return to_port();
  }
  if (!answer) return answer.error();
  const Json* buses = answer->find("buses");
  for (std::size_t i = 0; buses && i < buses->items.size(); ++i) {
    const Json& theirs = buses->items[i];
    const std::string key = text_of(theirs, "key");
    if (real_port(key) != real_port(port_key(bus.settings)) || theirs.find("paused_until")) continue;
    const std::string name = text_of(theirs, "name"), port = text_of(theirs, "port");
    BusSettings same = bus.settings;  // by the name that the agent has for it
    if (auto* serial = std::get_if<SerialSettings>(&same.port)) serial->device = key;
    if (port == describe_port(same)) {
      return std::unique_ptr<BusReader>(std::make_unique<AgentReader>(tools.send, name));
    }
    std::string why = "the running agent has the port as " + port;
    why.append(", here it is ").append(describe_port(bus.settings));
    why.append("; 'metergate pause ").append(name).append("' frees it");
    return Error{Errc::kInvalid, std::move(why)};
  }
  return to_port();
}

}  // namespace metergate
