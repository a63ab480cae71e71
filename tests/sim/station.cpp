#include "tests/sim/station.h"

#include <algorithm>
#include <cstdio>

#include "tests/sim/text.h"

namespace metersim {
namespace {

constexpr std::uint8_t kGatewayTargetSilent = 11;

std::string microseconds(const char* name, Nanos value) {
  char text[64];
  std::snprintf(text, sizeof text, ",\"%s\":%.1f", name, static_cast<double>(value) / kMicrosecond);
  return text;
}

Exchange exchange_of(const Arrival& arrival, std::uint64_t number) {
  Exchange exchange{number, arrival.line, arrival.unit, {}};
  const Bytes& pdu = arrival.pdu;
  exchange.served.function = pdu[0];
  if (pdu.size() >= 5) {
    exchange.served.address = word_at(pdu, 1);
    exchange.served.count = pdu[0] == 5 || pdu[0] == 6 ? 1 : word_at(pdu, 3);
  }
  return exchange;
}

bool is_exception(const Answer& answer) { return answer.whole ? answer.refusal : answer.pdu[0] >= 0x80; }

std::string faults_json(const Answer& answer) {
  std::string more;
  if (answer.whole && answer.refusal) more += ",\"refused\":true";
  if (!answer.whole && answer.pdu[0] >= 0x80) more += ",\"exception\":" + std::to_string(answer.pdu[1]);
  if (answer.fault.corrupt) more += ",\"corrupt\":true";
  if (answer.fault.noise) more += ",\"noise\":true";
  return more;
}

}  // namespace

std::optional<Answer> Station::request(const Arrival& arrival) {
  LineStats& line = stats_.lines[arrival.line];
  UnitStats& unit = stats_.units[arrival.unit];
  Answer answer;
  answer.exchange = exchange_of(arrival, ++number_);
  journal_.frame("request", answer.exchange, arrival.now, microseconds("gap_us", arrival.gap));
  ++line.requests;
  ++unit.requests;
  if (arrival.violation) {
    ++line.violations;
    ++unit.violations;
    journal_.frame("violation", answer.exchange, arrival.now, microseconds("gap_us", arrival.gap));
    if (arrival.strict) return std::nullopt;
  }
  const double seconds = static_cast<double>(wall_now()) / kSecond;
  if (arrival.unit == 0 && !arrival.gateway) {
    for (auto& [number, meter] : meters_) meter.answer(arrival.pdu, seconds, answer.exchange.served);
    return std::nullopt;
  }
  if (const Replay::Heard* heard = replay_.next(arrival.unit, arrival.pdu)) {
    answer.whole = !arrival.gateway;
    answer.pdu = answer.whole ? heard->bytes : heard->pdu;
    answer.turn = heard->turn;
    if (!answer.pdu.empty()) return answer;
    lost(answer, "replay", arrival.now);
    return std::nullopt;
  }
  const std::uint8_t function = arrival.pdu[0];
  const auto meter = meters_.find(arrival.unit);
  if (faults_.silent(arrival.unit) || (meter == meters_.end() && !arrival.gateway)) {
    lost(answer, "silent", arrival.now);
    return std::nullopt;
  }
  if (const auto code = faults_.exception(arrival.unit, function))
    answer.pdu = exception_pdu(function, *code);
  else if (meter == meters_.end())
    answer.pdu = exception_pdu(function, kGatewayTargetSilent);
  else
    answer.pdu = meter->second.answer(arrival.pdu, seconds, answer.exchange.served);
  if (meter != meters_.end()) answer.turn = meter->second.settings().turn;
  answer.fault = faults_.next();
  if (answer.fault.drop) {
    lost(answer, "drop", arrival.now);
    return std::nullopt;
  }
  return answer;
}

std::optional<Answer> Station::request(const ItemArrival& arrival) {
  ++stats_.lines[arrival.line].requests;
  const double seconds = static_cast<double>(wall_now()) / kSecond;
  Answer answer;
  answer.whole = true;
  answer.exchange = Exchange{++number_, arrival.line, 0, {}};
  for (auto& meter : item_meters_) {
    const int number = meter.settings().number;
    if (!meter.is_called(arrival.frame.address)) continue;
    answer.exchange.unit = number;
    ++stats_.units[number].requests;
    if (faults_.silent(number)) continue;
    const auto said = meter.answer(arrival.frame, seconds, answer.exchange.served);
    if (!said) continue;
    answer.turn = std::max(answer.turn, meter.settings().turn);
    if (answer.pdu.empty()) {
      answer.pdu = *said;
      answer.refusal = (said->at(static_cast<std::size_t>(meter.settings().preamble) + 8) & 0x40U) != 0;
      continue;
    }
    for (std::size_t i = 0; i < said->size(); ++i) {
      if (i < answer.pdu.size())
        answer.pdu[i] &= (*said)[i];
      else
        answer.pdu.push_back((*said)[i]);
    }
  }
  journal_.frame("request", answer.exchange, arrival.now, microseconds("gap_us", arrival.gap));
  if (answer.pdu.empty()) {
    lost(answer, "silent", arrival.now);
    return std::nullopt;
  }
  answer.fault = faults_.next();
  answer.fault.foreign = answer.fault.second = false;  // those speak Modbus
  if (!answer.fault.drop) return answer;
  lost(answer, "drop", arrival.now);
  return std::nullopt;
}

void Station::sent(const Answer& answer, Nanos start, Nanos ideal, Nanos jitter, Nanos now) {
  LineStats& line = stats_.lines[answer.exchange.line];
  UnitStats& unit = stats_.units[answer.exchange.unit];
  const bool late = answer.fault.late > 0;
  ++line.answers;
  ++unit.answers;
  if (line.first >= 0) line.ideal += ideal;  // not of a request before the last reset
  line.jitter.add(jitter);
  if (late) {
    ++line.late;
    ++unit.late;
  }
  if (is_exception(answer)) ++unit.exceptions;
  journal_.frame(late ? "late" : "reply", answer.exchange, now,
                 faults_json(answer) + ",\"start_ns\":" + std::to_string(start));
}

void Station::lost(const Answer& answer, const char* why, Nanos now) {
  ++stats_.lines[answer.exchange.line].dropped;
  ++stats_.units[answer.exchange.unit].dropped;
  journal_.frame("dropped", answer.exchange, now, std::string(",\"why\":") + json_string(why));
}

void Station::garbage(const std::string& line, const Bytes& bytes, Nanos now) {
  ++stats_.lines[line].crc_errors;
  std::string hex;
  for (const auto byte : bytes) {
    char text[4];
    std::snprintf(text, sizeof text, "%02x", byte);
    hex += text;
  }
  journal_.note("garbage", line + ": " + hex, now);
}

Meter& Station::meter(const std::string& unit) {
  const auto found = meters_.find(static_cast<int>(whole_number(unit, 0, 255, "unit")));
  if (found == meters_.end()) throw Refused("there is no unit " + unit);
  return found->second;
}

ItemMeter& Station::item_meter(const std::string& address) {
  for (auto& meter : item_meters_)
    if (std::stoll(meter.settings().address) == whole_number(address, 0, INT64_MAX, "address")) return meter;
  throw Refused("there is no address " + address);
}

bool Station::apply(const std::string& command, Nanos now) {
  const auto [name, value] = key_value(command);
  if (name == "set") {
    const auto parts = split(value, ':');
    if (parts.size() < 4) throw Refused("set='" + value + "' is no UNIT:TABLE:ADDRESS:VALUE");
    const auto first = whole_number(parts[2], 0, 65535, "address");
    for (std::size_t i = 3; i < parts.size(); ++i)
      meter(parts[0]).pin(parse_table(parts[1]), static_cast<std::uint16_t>(first + static_cast<std::int64_t>(i) - 3),
                          static_cast<std::uint16_t>(whole_number(parts[i], 0, 65535, "value")));
  } else if (name == "error") {
    const auto parts = split(value, ':');
    if (parts.size() != 3) throw Refused("error='" + value + "' is no ADDRESS:ITEM:BITS");
    const auto item = static_cast<std::uint32_t>(whole_number("0x" + parts[1], 0, UINT32_MAX, "item"));
    item_meter(parts[0]).refuse(item, static_cast<std::uint8_t>(whole_number(parts[2], 0, 255, "bits")));
  } else if (name == "unset") {
    meter(value).unpin();
  } else if (name == "reset") {
    stats_ = {};
  } else if (!faults_.apply(command)) {
    return false;
  }
  note(command, now);
  return true;
}

}  // namespace metersim
