#pragma once

#include <string>

#include "drivers/profile/profile.h"
#include "drivers/profile/profile_tokens.h"

namespace metergate {

// One for each key of a point's line: takes its value into `point`. Errors: kInvalid with `'offending': what would be
// right`. Called in the order of this list, so that each finds the point's layout before its values, and `write` before
// what belongs to it.

Status set_bytes(const std::string& text, Point* point);
Status set_at(const std::string& text, Point* point);
Status set_register_bytes(const std::string& text, Point* point);
Status set_form(const std::string& text, Point* point);
Status set_registers(const std::string& text, Point* point);
Status set_bits(const std::string& text, Point* point);
Status set_chars(const std::string& text, Point* point);
Status set_byte(const std::string& text, Point* point);
Status set_order(const std::string& text, Point* point);
Status set_parts(const std::string& text, Point* point);
Status set_block(const std::string& text, Point* point);
Status set_na(const std::string& text, Point* point);
Status set_scale(const std::string& text, Point* point);
Status set_offset(const std::string& text, Point* point);
Status set_exponent(const std::string& text, Point* point);
Status set_times(const std::string& text, Point* point);
Status set_sign(const std::string& text, Point* point);
Status set_ratio(const std::string& text, Point* point);
Status set_enum(const std::string& text, Point* point);
Status set_min(const std::string& text, Point* point);
Status set_max(const std::string& text, Point* point);
Status set_wraps(const std::string& text, Point* point);
Status set_max_rise(const std::string& text, Point* point);
Status set_unit(const std::string& text, Point* point);
Status set_obis(const std::string& text, Point* point);
Status set_kind(const std::string& text, Point* point);
Status set_source(const std::string& text, Point* point);
Status set_write(const std::string& text, Point* point);
Status set_write_address(const std::string& text, Point* point);
Status set_allow(const std::string& text, Point* point);
Status set_verify(const std::string& text, Point* point);

/// Whether an order of single bytes, if there is one, has just those of a part; once the parts are known.
Status check_order(const Point& point);

/// How a relay's order is called: trip, permit, close.
std::string order_name(RelayOrder order);

/// Whether a writable point's keys, all set, go together.
Status check_write(const Point& point, bool has_address);

}  // namespace metergate
