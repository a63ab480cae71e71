#include <algorithm>

#include "drivers/profile/key_setters.h"

// The keys that say how a point is written.

namespace metergate {

namespace {

constexpr std::array<Keyword<Write::Form>, 2> kItemForms{
    {{"relay", Write::Form::kRelay}, {"clock", Write::Form::kClock}}};
constexpr std::array<Keyword<RelayOrder>, 3> kRelayOrders{{{"trip", kTrip}, {"permit", kPermit}, {"close", kClose}}};
constexpr std::array<Keyword<Write::Form>, 4> kForms{{{"coil", Write::Form::kCoil},
                                                      {"coils", Write::Form::kCoils},
                                                      {"register", Write::Form::kRegister},
                                                      {"registers", Write::Form::kRegisters}}};
constexpr std::size_t kMostAllowed = 100;

bool writes_bits(const WriteRule& rule) { return rule.form == Write::Form::kCoil || rule.form == Write::Form::kCoils; }

std::string form_name(const WriteRule& rule) {
  return std::string("write=") + kForms.at(static_cast<std::size_t>(rule.form)).name;
}

}  // namespace

std::string order_name(RelayOrder order) {
  const auto* const found = std::find_if(kRelayOrders.begin(), kRelayOrders.end(),
                                         [order](const Keyword<RelayOrder>& word) { return word.meaning == order; });
  return found->name;
}

Status set_write(const std::string& text, Point* point) {
  if (point->table == Table::kItem) {
    const auto item_form = one_of(kItemForms, text, "write of a data item");
    if (!item_form) return item_form.error();
    point->write = WriteRule{};
    point->write->form = *item_form;
    return {};
  }
  const auto form = one_of(kForms, text, "write");
  if (!form) return form.error();
  if (!point->exponent_point.empty() || !point->times_point.empty() || !point->sign_point.empty()) {
    return wrong("write=" + text, "a point that another one scales cannot be written");
  }
  point->write = WriteRule{};
  point->write->form = *form;
  point->write->address = point->addresses.front();
  return {};
}

Status set_write_address(const std::string& text, Point* point) {
  if (!point->write) return wrong("write_address=" + text, "needs write=");
  const auto address = number_within(text, 0, kAddresses - 1, "write_address");
  if (!address) return address.error();
  point->write->address = static_cast<std::uint16_t>(*address);
  return {};
}

Status set_allow(const std::string& text, Point* point) {
  if (!point->write) return wrong("allow=" + text, "needs write=");
  for (const std::string& value : split(text, '|')) {
    if (point->table == Table::kItem) {
      const auto order = one_of(kRelayOrders, value, "an order of a relay");
      if (!order) return order.error();
      point->write->orders.push_back(*order);
      continue;
    }
    const auto number = Decimal::parse(value);
    if (!number) return wrong(value, "allow is NUMBER|NUMBER, the values that may be written");
    point->write->allow.push_back(*number);
  }
  if (point->write->allow.size() > kMostAllowed) return wrong("allow", "at most 100 values; min and max take a range");
  return {};
}

/// POINT, or POINT after 500ms.
Status set_verify(const std::string& text, Point* point) {
  if (!point->write) return wrong("verify=" + text, "needs write=");
  const auto words = tokens_of(text);
  if (!words) return words.error();
  const bool plain = words->size() == 1;
  if (!plain && (words->size() != 3 || (*words)[1] != "after")) {
    return wrong(text, "verify is POINT after 500ms, the point that then shows the value");
  }
  if (!is_point_name(words->front())) return wrong(words->front(), "verify needs the name of a point");
  point->write->verify = words->front();
  if (plain) return {};
  const auto after = parse_duration(words->back(), Millis(0), Millis(60'000));
  if (!after) return wrong(words->back(), "a duration from 0s to 60s, such as 500ms");
  point->write->verify_after = *after;
  return {};
}

Status check_write(const Point& point, bool has_address) {
  const WriteRule& rule = *point.write;
  if (point.table == Table::kItem) {
    const bool relay = rule.form == Write::Form::kRelay;
    if (relay && rule.orders.empty()) return wrong("write=relay", "needs allow=, of trip, permit and close");
    if (!relay && (!rule.orders.empty() || !rule.verify.empty())) {
      return wrong("write=clock", "takes neither allow= nor verify=");
    }
    if (relay != (point.type == PointType::kBits && point.bit_width == 1) ||
        relay == (point.type == PointType::kTime)) {
      return wrong(relay ? "write=relay" : "write=clock",
                   relay ? "goes with the bit that shows the relay, 1: open" : "goes with a time");
    }
    return {};
  }
  if (point.register_bytes != kRegisterBytes) {
    return wrong(form_name(rule), "registers of four bytes cannot be written");
  }
  const bool part_of_register =
      point.type == PointType::kBits || point.type == PointType::kU8 || point.type == PointType::kI8;
  const Table own = writes_bits(rule) ? Table::kCoil : Table::kHolding;
  if (!has_address && point.table != own) {
    return wrong(form_name(rule), std::string("a point outside the ") + (own == Table::kCoil ? "coil" : "holding") +
                                      " table needs write_address=");
  }
  if (!has_address && own == Table::kHolding && part_of_register) {
    return wrong(form_name(rule), "would overwrite the rest of the register: needs the write_address= of another one");
  }
  if (rule.form == Write::Form::kCoils && point.type != PointType::kBits) return wrong("write=coils", "goes with bits");
  if (own == Table::kHolding && point.addresses.size() > 1) {
    return wrong(form_name(rule), "goes with registers that are neighbours, without parts=");
  }
  const bool narrow = part_of_register || point.registers == 1;
  if (rule.form == Write::Form::kRegister && !narrow) {
    return wrong("write=register", "a value of several registers is written with write=registers");
  }
  const int count = rule.form == Write::Form::kCoils ? point.bit_width : narrow ? 1 : point.registers;
  if (rule.address + count > kAddresses)
    return wrong(std::to_string(rule.address), "reaches beyond the last address, 65535");
  return {};
}

}  // namespace metergate
