#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "drivers/bus.h"

namespace metergate {

/// What shows of a question in its answer, without the values: an answer to a read names no address.
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
};

/// Errors: kInvalid: a count, address or value that no frame can carry.
Result<Request> to_request(const Block& block);
Result<Request> to_request(const Write& write);

/// The shape of the answer that a PDU asks for, if it can be a request; one of a single coil or register is also the
/// answer to it.
std::optional<Shape> asked_by(const std::vector<std::uint8_t>& pdu);
/// Whether a PDU can answer a question of this shape, if only by refusing it.
bool can_answer(const std::vector<std::uint8_t>& pdu, const Shape& shape);

/// What a PDU is to a request: nothing of its, its answer (a write's with the address and value that were asked), or a
/// refusal.
enum class Fit { kNone, kAnswer, kException };
Fit fit(const Request& request, const std::uint8_t* pdu, std::size_t size);

/// The values in an answer that fits.
Words words_of(const Block& block, const std::uint8_t* pdu);

bool is_bits(Table table);
int most_per_request(Table table);  ///< 2000 bits, 125 registers

}  // namespace metergate
