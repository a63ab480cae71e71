#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "drivers/bus.h"

namespace metergate {

/// What an answer shows of its request, beside values: the answer to a read names no address.
struct Shape {
  std::uint8_t function = 0;
  std::size_t answer_size = 0;  ///< bytes of the answer's PDU
  bool operator==(const Shape& o) const { return function == o.function && answer_size == o.answer_size; }
};

Shape shape_of(const Block& block);

/// A request without unit, header and check sum (Modbus Application Protocol V1.1b3, sections 4.1 and 6).
struct Request {
  std::vector<std::uint8_t> pdu;
  Shape shape;
  std::string text;  ///< for people: "holding 100, 2 registers"
  bool is_write() const;
};

/// Errors: kInvalid: a count, address or value that no frame can carry.
Result<Request> to_request(const Block& block);
Result<Request> to_request(const Write& write);

/// The shape of the answer that a PDU asks for, if it can be a request. (A write of a single coil or register looks
/// like its own answer.)
std::optional<Shape> asked_by(const std::vector<std::uint8_t>& pdu);
/// Whether a PDU can answer a request of this shape, be it with an exception.
bool can_answer(const std::vector<std::uint8_t>& pdu, const Shape& shape);

/// What a PDU is to a request: nothing, its answer (to a write: with the same address and value or count), or an
/// exception.
enum class Fit { kNone, kAnswer, kException };
Fit fit(const Request& request, const std::uint8_t* pdu, std::size_t size);

/// The values in an answer that fits: words_in(block).
Words words_of(const Block& block, const std::uint8_t* pdu);

}  // namespace metergate
