#include "agent/cli/read_hints.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "agent/cli/manual_notation.h"
#include "drivers/bus_error.h"
#include "drivers/profile/plan.h"

namespace metergate {

namespace {

// Anything beyond is no reading of a meter.
constexpr double kSmallest = 1e-6;
constexpr std::array<std::pair<const char*, double>, 6> kLargest{
    {{"V", 1e6}, {"A", 1e6}, {"Hz", 500}, {"W", 1e10}, {"kWh", 1e11}, {"", 1e12}}};

bool makes_sense(const Point& point, const Value& value) {
  if (!value.number) return true;
  const double number = std::fabs(value.number->to_double());
  const auto* const limit =
      std::find_if(kLargest.begin(), kLargest.end(), [&](const auto& entry) { return point.unit == entry.first; });
  return number == 0 || (number >= kSmallest && number <= (limit == kLargest.end() ? 1e12 : limit->second));
}

/// Of the points that an order matters to, how many make sense with it. Zero tells nothing and is not counted.
struct Sense {
  int points = 0, good = 0;
};

Sense sense_of(const MeterConfig& meter, const std::vector<const Point*>& points, const RegisterImage& image,
               std::optional<WordOrder> order) {
  Sense sense;
  for (const Point* point : points) {
    if (point->registers < 2 || point->type == PointType::kString || point->type == PointType::kTime) continue;
    Point other = *point;
    if (order) other.order = *order;
    const Result<Decoded> decoded = decode(*meter.profile, other, image, meter.ratios);
    const bool number = decoded && decoded->value.number;
    if (!number || decoded->value.number->to_double() == 0) continue;
    ++sense.points;
    if (makes_sense(other, decoded->value)) ++sense.good;
  }
  return sense;
}

/// What a meter that refuses registers may be asked instead.
void hint_at_addresses(const Symptoms& s, std::vector<std::string>& hints) {
  constexpr int illegal_function = 1, illegal_address = 2;  // Modbus Application Protocol V1.1b3, 7
  const std::string manual = manual_notation(s.refused.table, s.refused.address);
  if (!manual.empty()) hints.push_back(manual);
  const bool holding = s.refused.table == Table::kHolding, input = s.refused.table == Table::kInput;
  if ((s.exception == illegal_function || s.exception == illegal_address) && (holding || input)) {
    hints.push_back(holding ? "the registers are input registers (function 4): table input instead of holding"
                            : "the registers are holding registers (function 3): table holding instead of input");
  }
  if (!s.raw) hints.emplace_back("a profile for another model or firmware; the raw registers can be read with --table");
}

}  // namespace

LinkKind link_of(const BusSettings& settings) {
  const auto* tcp = std::get_if<TcpSettings>(&settings.port);
  if (tcp == nullptr) return LinkKind::kSerial;
  return tcp->rtu ? LinkKind::kSerialServer : LinkKind::kTcp;
}

void Symptoms::count(const Result<Words>& words, const Block& block) {
  items = block.table == Table::kItem;
  ++requests;
  if (words) {
    ++answers;
    return;
  }
  switch (words.error().code) {
    case Errc::kTimeout:
      ++timeouts;
      break;
    case Errc::kCrc:
      ++crc;
      break;
    case Errc::kGarbled:
      ++garbled;
      break;
    case Errc::kException:
      ++exceptions;
      exception = words.error().exception;
      refused = block;
      break;
    case Errc::kBusDown:
      ++bus_down;
      break;
    default:
      break;  // it says itself what is wrong
  }
}

namespace {

/// Of a DL/T 645 meter.
std::vector<std::string> hints_for_items(const Symptoms& s) {
  std::vector<std::string> hints;
  const bool nothing = s.answers + s.exceptions == 0;
  if (s.bus_down > 0)
    hints.emplace_back("the port or connection was lost while reading: look at plug, adapter and power");
  if (nothing && s.crc + s.garbled > 0) {
    hints.emplace_back("8N1 instead of 8E1, another baud rate, or two meters that answer at once");
  } else if (nothing && s.timeouts > 0) {
    hints.emplace_back(
        "another address, baud rate or mode in the meter (2400 8E1 is usual); A and B swapped; a meter without mains, "
        "which sleeps; or a longer timeout is needed");
    hints.emplace_back("a meter of 1997, or one that speaks Modbus: metergate scan finds them");
  } else if (s.crc + s.garbled > 0) {
    hints.emplace_back("termination or bias is missing (120 ohms at both ends of the line and nowhere else), or noise");
  } else if (s.timeouts > 0) {
    hints.emplace_back("some answers are missing: a longer timeout, or a loose contact");
  }
  if (s.exceptions > 0 && exception_code(s.exception) == "not_authorised") {
    hints.emplace_back("the meter wants a password for it, or has locked its level after wrong ones");
  } else if (s.exceptions > 0) {
    hints.emplace_back("the meter does not have this item: a profile of other points");
  }
  return hints;
}

}  // namespace

std::vector<std::string> hints_for(const Symptoms& s) {
  if (s.items) return hints_for_items(s);
  std::vector<std::string> hints;
  const auto hint = [&hints](const char* text) { hints.emplace_back(text); };
  const std::int64_t damaged = s.crc + s.garbled;
  const bool nothing = s.answers + s.exceptions == 0;
  if (s.bus_down > 0) hint("the port or connection was lost while reading: look at plug, adapter and power");
  if (s.link != LinkKind::kSerial && nothing && s.timeouts > 0) {
    hint("another unit behind that address, or the line behind it is silent; or a longer timeout is needed");
    if (s.link == LinkKind::kSerialServer) hint("another baud rate or mode in the serial server than in the meter");
  } else if (s.link == LinkKind::kTcp && damaged > 0) {
    if (nothing)
      hint("a server that answers with other transaction or unit numbers: the error names the lenient= for it");
    hint("no Modbus TCP at that port: a serial server that passes RTU frames needs rtu-over-tcp=, not tcp=");
  } else if (nothing && damaged > 0) {
    if (s.others_answer.value_or(false)) hint("two meters with this unit answer at once: take one of them off the bus");
    if (!s.others_answer.value_or(false)) hint("another baud rate or mode in the meter (parity, stop bits)");
    hint("A and B swapped at this meter, or another device talks on the line");
  } else if (nothing && s.timeouts > 0 && s.others_answer.value_or(false)) {
    hint(
        "other meters of the bus answer, so the line is right: another unit, baud rate or mode in this meter, A and B "
        "swapped at it, or no power");
  } else if (nothing && s.timeouts > 0) {
    hint("another unit, baud rate or mode in the meter; A and B swapped; no power; or a longer timeout is needed");
  } else if (damaged > 0) {
    if (s.others_answer.value_or(false)) hint("two meters with this unit, which sometimes answer at once");
    hint("termination or bias is missing (120 ohms at both ends of the line and nowhere else), a long stub, or noise");
    hint("a second master talks on the line");
  } else if (s.timeouts > 0 && !nothing) {
    hint(s.link == LinkKind::kTcp ? "some answers are missing: a longer timeout, a busy device, or an unsteady network"
                                  : "some answers are missing: a longer timeout, a loose contact, a second master on "
                                    "the line, or termination");
  }
  if (s.exceptions > 0 && s.exception >= 10) {
    hint("the gateway at that address does not reach this unit: look at its line, and at the unit");
  } else if (s.exceptions > 0 && (s.exception == 5 || s.exception == 6)) {
    hint("the meter is busy: a longer pause (gap=)");
  } else if (s.exceptions > 0) {
    hint_at_addresses(s, hints);
  }
  if (!s.order.empty())
    hints.push_back("the registers of the values come in another order: a profile with " + s.order +
                    " makes sense of them");
  return hints;
}

std::string better_order(const MeterConfig& meter, const std::vector<const Point*>& points,
                         const RegisterImage& image) {
  const Sense now = sense_of(meter, points, image, std::nullopt);
  if (now.points == 0 || now.good * 2 > now.points) return "";
  constexpr std::array<std::pair<WordOrder, const char*>, 4> orders{{{WordOrder::kCDAB, "order=CDAB"},
                                                                     {WordOrder::kABCD, "order=ABCD"},
                                                                     {WordOrder::kDCBA, "order=DCBA"},
                                                                     {WordOrder::kBADC, "order=BADC"}}};
  for (const auto& [order, name] : orders) {
    const Sense other = sense_of(meter, points, image, order);
    if (other.points > 0 && other.good == other.points) return name;
  }
  return "";
}

}  // namespace metergate
