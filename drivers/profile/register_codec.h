#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "drivers/profile/profile.h"

namespace metergate {

/// Between registers, or bytes of data items, and the plain value they hold, before any scale. Points of at most four
/// registers or eight bytes, or of bits, but for bytes_of. (Items come low byte first, their parts high first.)

/// The bits of the value, right-aligned: of `bits` the field, of u8 and i8 the byte. `words` as read.
std::uint64_t pattern_of(const Point& point, const Words& words);
/// Of a point of data items: the bytes of all its parts.
int item_bytes(const Point& point);
/// The registers to write; not for u8, i8 and `bits`, which do not fill theirs.
Words words_for(const Point& point, std::uint64_t pattern);

/// Errors: kInvalid with detail `bad_bcd`. Nothing for NaN and infinity.
Result<std::optional<Decimal>> number_of(const Point& point, std::uint64_t pattern);
/// The pattern that number_of turns into exactly `number`; nothing when there is none.
std::optional<std::uint64_t> pattern_for(const Point& point, const Decimal& number);

/// How many words one part of a point has.
int part_words(const Point& point);

/// How many bits a pattern has.
int pattern_bits(const Point& point);

/// The characters of a string, or the bytes of a time, in their order.
std::string bytes_of(const Point& point, const Words& words);

}  // namespace metergate
