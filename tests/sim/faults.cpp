#include "tests/sim/faults.h"

#include "tests/sim/text.h"

namespace metersim {

bool Faults::apply(const std::string& command) {
  const auto parsed = key_value(command);
  const std::string &name = parsed.first, &value = parsed.second;
  const bool off = value == "off" || value == "0";
  const auto parts = split(value, ':');
  const auto number = [&](std::size_t i, std::int64_t most) { return whole_number(parts.at(i), 0, most, name); };
  if (name == "hold" || name == "release") {
    hold_ = name == "hold";
  } else if (name == "late") {
    if (!off && parts.size() != 2) throw Refused("late='" + value + "' is no EVERY:MS");
    every_[name] = {off ? 0 : number(0, 1000000), 0};
    late_ = off ? 0 : duration(parts[1]);
  } else if (name == "drop" || name == "corrupt" || name == "noise" || name == "foreign" || name == "second") {
    every_[name] = {off ? 0 : number(0, 1000000), 0};
  } else if (name == "bytewise") {
    byte_gap_ = off ? 0 : duration(value);
  } else if (name == "silent") {
    if (off)
      silent_.clear();
    else
      silent_.insert(static_cast<int>(number(0, 255)));
  } else if (name == "exception") {
    if (off)
      exceptions_.clear();
    else if (parts.size() < 2)
      throw Refused("exception='" + value + "' is no UNIT:CODE or UNIT:CODE:FUNCTION");
    else
      exceptions_[{static_cast<int>(number(0, 255)), parts.size() > 2 ? static_cast<int>(number(2, 127)) : 0}] =
          static_cast<std::uint8_t>(number(1, 255));
  } else {
    return false;
  }
  return true;
}

Fault Faults::next() {
  Fault fault;
  fault.drop = every_["drop"].due();
  fault.corrupt = every_["corrupt"].due();
  fault.noise = every_["noise"].due();
  fault.foreign = every_["foreign"].due();
  fault.second = every_["second"].due();
  fault.late = every_["late"].due() ? late_ : 0;
  fault.byte_gap = byte_gap_;
  return fault;
}

std::optional<std::uint8_t> Faults::exception(int unit, int function) const {
  for (const auto& key : {std::pair{unit, function}, std::pair{unit, 0}, std::pair{0, function}, std::pair{0, 0}})
    if (const auto found = exceptions_.find(key); found != exceptions_.end()) return found->second;
  return std::nullopt;
}

}  // namespace metersim
