#include "drivers/modbus/pdu.h"

#include <algorithm>

namespace metergate {

namespace {

constexpr int kMostWrittenBits = 1968, kMostWrittenRegisters = 123;  // 6.11, 6.12
constexpr std::size_t kReadHeader = 2;                               // function, byte count
constexpr std::size_t kWriteAnswer = 5;                              // function, address, value or count
constexpr std::size_t kExceptionSize = 2;
constexpr std::uint8_t kExceptionBit = 0x80;
constexpr std::uint8_t kFirstWrite = 5;

std::uint8_t function_of(Table table) {
  switch (table) {
    case Table::kCoil:
      return 1;
    case Table::kDiscrete:
      return 2;
    case Table::kHolding:
      return 3;
    case Table::kInput:
      return 4;
    case Table::kItem:
      break;
  }
  return 0;
}

const char* word_of(Table table) {
  switch (table) {
    case Table::kCoil:
      return "coil";
    case Table::kDiscrete:
      return "discrete";
    case Table::kHolding:
      return "holding";
    case Table::kInput:
      return "input";
    case Table::kItem:
      return "item";
  }
  return "";
}

void put16(std::vector<std::uint8_t>& to, std::size_t value) {
  to.push_back(static_cast<std::uint8_t>(value >> 8));
  to.push_back(static_cast<std::uint8_t>(value & 0xFF));
}

std::size_t bytes_for_bits(std::size_t bits) { return (bits + 7) / 8; }

void put_bits(std::vector<std::uint8_t>& to, const Words& values) {
  std::vector<std::uint8_t> packed(bytes_for_bits(values.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] != 0) packed[i / 8] = static_cast<std::uint8_t>(packed[i / 8] | 1U << (i % 8));
  }
  to.insert(to.end(), packed.begin(), packed.end());
}

}  // namespace

bool Request::is_write() const { return shape.function >= kFirstWrite; }

Shape shape_of(const Block& block) {
  const std::size_t data = is_bits(block.table) ? bytes_for_bits(block.count) : 2 * words_in(block);
  return {function_of(block.table), kReadHeader + data};
}

Result<Request> to_request(const Block& block) {
  const std::string text = std::string(word_of(block.table)) + " " + std::to_string(block.address) + ", " +
                           std::to_string(block.count) + (is_bits(block.table) ? " bits" : " registers");
  if (block.table == Table::kItem) return Error{Errc::kInvalid, text + ": Modbus knows no data items"};
  if (block.count < 1 || block.count > most_per_request(block.table, block.register_bytes)) {
    return Error{
        Errc::kInvalid,
        text + ": 1 to " + std::to_string(most_per_request(block.table, block.register_bytes)) + " fit one request"};
  }
  if (block.address + block.count > kAddresses) return Error{Errc::kInvalid, text + ": ends beyond 65535"};
  Request out{{function_of(block.table)}, shape_of(block), text};
  put16(out.pdu, block.address);
  put16(out.pdu, block.count);
  return out;
}

Result<Request> to_request(const Write& write) {
  if (write.form == Write::Form::kRelay || write.form == Write::Form::kClock) {
    return Error{Errc::kInvalid, "Modbus knows no such write"};
  }
  using Form = Write::Form;
  const bool coils = write.form == Form::kCoil || write.form == Form::kCoils;
  const bool single = write.form == Form::kCoil || write.form == Form::kRegister;
  const std::size_t count = write.values.size();
  const std::size_t most = single ? 1 : static_cast<std::size_t>(coils ? kMostWrittenBits : kMostWrittenRegisters);
  const std::string text = std::string("write of ") + word_of(coils ? Table::kCoil : Table::kHolding) + " " +
                           std::to_string(write.address) + ", " + std::to_string(count) + " values";
  if (count < 1 || count > most) {
    return Error{Errc::kInvalid, text + ": 1 to " + std::to_string(most) + " fit one request"};
  }
  if (write.address + count > std::size_t{kAddresses}) return Error{Errc::kInvalid, text + ": ends beyond 65535"};
  const auto is_bit = [](std::uint16_t v) { return v <= 1; };
  if (coils && !std::all_of(write.values.begin(), write.values.end(), is_bit)) {
    return Error{Errc::kInvalid, text + ": a coil is 0 or 1"};
  }

  const auto function = static_cast<std::uint8_t>(single ? (coils ? 5 : 6) : (coils ? 15 : 16));
  Request out{{function}, {function, kWriteAnswer}, text};
  put16(out.pdu, write.address);
  if (single) {
    put16(out.pdu, coils ? (write.values[0] != 0 ? 0xFF00U : 0U) : write.values[0]);
    return out;
  }
  put16(out.pdu, count);
  out.pdu.push_back(static_cast<std::uint8_t>(coils ? bytes_for_bits(count) : 2 * count));
  if (coils) {
    put_bits(out.pdu, write.values);
  } else {
    for (const std::uint16_t v : write.values) put16(out.pdu, v);
  }
  return out;
}

std::optional<Shape> asked_by(const std::vector<std::uint8_t>& pdu) {
  constexpr std::size_t head = 5;  // function, address, count or value
  if (pdu.size() < head) return std::nullopt;
  const std::size_t count = std::size_t{pdu[3]} << 8 | pdu[4];
  for (const Table table : {Table::kCoil, Table::kDiscrete, Table::kHolding, Table::kInput}) {
    if (pdu[0] != function_of(table)) continue;
    if (pdu.size() != head || count < 1 || count > static_cast<std::size_t>(most_per_request(table))) return {};
    return shape_of({table, 0, static_cast<std::uint16_t>(count)});
  }
  const bool single = (pdu[0] == 5 || pdu[0] == 6) && pdu.size() == head;
  const bool several = (pdu[0] == 15 || pdu[0] == 16) && pdu.size() > head + 1 && pdu.size() == head + 1 + pdu[head];
  if (!single && !several) return std::nullopt;
  return Shape{pdu[0], kWriteAnswer};
}

bool can_answer(const std::vector<std::uint8_t>& pdu, const Shape& shape) {
  if (pdu.size() == kExceptionSize && pdu[0] == (shape.function | kExceptionBit)) return true;
  if (pdu.size() != shape.answer_size || pdu[0] != shape.function) return false;
  return pdu[0] >= kFirstWrite || pdu[1] == pdu.size() - kReadHeader;
}

Fit fit(const Request& request, const std::uint8_t* pdu, std::size_t size) {
  if (size == kExceptionSize && pdu[0] == (request.shape.function | kExceptionBit)) return Fit::kException;
  if (size != request.shape.answer_size || pdu[0] != request.shape.function) return Fit::kNone;
  const bool right =
      pdu[0] >= kFirstWrite ? std::equal(pdu, pdu + kWriteAnswer, request.pdu.begin()) : pdu[1] == size - kReadHeader;
  return right ? Fit::kAnswer : Fit::kNone;
}

Words words_of(const Block& block, const std::uint8_t* pdu) {
  const std::uint8_t* const data = pdu + kReadHeader;
  Words out(words_in(block));
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (is_bits(block.table)) {
      out[i] = static_cast<std::uint16_t>(data[i / 8] >> (i % 8) & 1);
    } else {
      out[i] = static_cast<std::uint16_t>(data[2 * i] << 8 | data[2 * i + 1]);
    }
  }
  return out;
}

}  // namespace metergate
