#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/result.h"

namespace metergate {

/// An offending text as messages show it: in single quotes, '?' for each control character and each byte that is no
/// UTF-8, at most 200 characters and then "...".
std::string in_quotes(std::string_view text);

/// What a person reads of an error: each of its lines behind `metergate: `, with a line end.
std::string error_lines(std::string_view message);

std::string_view trim(std::string_view text);
std::vector<std::string> split(std::string_view text, char separator);

/// A whole decimal number within [min, max]; no sign but '-', no blanks, no unit. Errors: kInvalid, naming the range.
Result<std::int64_t> parse_integer(std::string_view text, std::int64_t min, std::int64_t max);
/// `250ms 10s 5m 1h 30d`, `0s`; a bare number is refused. Errors: kInvalid, naming the form.
Result<Millis> parse_duration(std::string_view text, Millis min, Millis max);
/// `64KiB 256MiB 2GiB` in bytes. Errors: kInvalid.
Result<std::int64_t> parse_size(std::string_view text, std::int64_t min, std::int64_t max);
std::string format_duration(Millis d);  ///< the shortest form that parse_duration reads back

/// The nearest known word, if it is near enough to be meant (optimal string alignment: a swap of two letters counts
/// one); for "did you mean".
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);
/// " (did you mean 'x'?)" or "".
std::string hint(std::string_view word, const std::vector<std::string>& known);

/// `HOST:PORT`, an IPv6 address in brackets.
std::string host_port(const std::string& host, int port);

/// `pattern` with '*' for any run of characters; used for point names.
bool glob_match(std::string_view pattern, std::string_view text);

/// A whole small file. Errors: kNotFound with the reason of the system, kInvalid over `max_bytes`.
Result<std::string> read_file(const std::string& path, std::size_t max_bytes = 4 << 20);
/// What a flag's file holds, without a line break at its end. Errors: kInvalid, naming flag and file; an empty one too.
Result<std::string> read_secret(const std::string& flag, const std::string& path);

}  // namespace metergate
