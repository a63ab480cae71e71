#include <algorithm>

#include "agent/base/hex.h"
#include "agent/base/json.h"
#include "agent/base/rfc3339.h"
#include "agent/base/text.h"
#include "agent/cli/agent_client.h"
#include "agent/cli/interrupt.h"
#include "agent/cli/pcapng.h"
#include "agent/cli/subcommands.h"

namespace metergate {

namespace {

using Format = Invocation::TraceFormat;
constexpr Millis kLookEvery{200};

std::string word_of(const Json& frame, const char* name) {
  const Json* member = frame.find(name);
  if (member == nullptr) return "";
  return member->text;
}

/// `0a 03 00`, in blanks by byte.
std::string spaced(const std::string& hex) {
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += 2) out += (i == 0 ? "" : " ") + hex.substr(i, 2);
  return out;
}

std::string text_line(const Json& frame) {
  std::string line = word_of(frame, "at") + (word_of(frame, "dir") == "out" ? " > " : " < ");
  const std::string unit = word_of(frame, "unit"), check = word_of(frame, "check");
  std::string verdict = word_of(frame, "verdict");
  verdict.resize(std::max<std::size_t>(verdict.size(), 7), ' ');
  line += verdict;
  if (!unit.empty()) line += " unit " + unit;
  if (const std::string address = word_of(frame, "address"); !address.empty()) line += " address " + address;
  if (const std::string function = word_of(frame, "function"); !function.empty()) line += " function " + function;
  line += " length " + word_of(frame, "length");
  if (check == "wrong") line += " check sum wrong";
  return line + ": " + spaced(word_of(frame, "bytes")) + "\n";
}

/// Microseconds since 1970 of `2026-11-22T10:00:30.123456Z`.
std::int64_t micros_of(const std::string& at) {
  const auto millis = parse_rfc3339(at);
  const auto point = at.find('.');
  const auto below = point == std::string::npos ? std::string() : at.substr(std::min(at.size(), point + 4), 3);
  const auto micros = parse_integer(below, 0, 999);
  return (millis ? to_ms(*millis) : 0) * 1000 + (micros ? *micros : 0);
}

std::string packet_of(const Json& frame) {
  CapturedFrame captured;
  captured.at_us = micros_of(word_of(frame, "at"));
  captured.sent = word_of(frame, "dir") == "out";
  captured.comment = word_of(frame, "verdict");
  const std::string protocol = word_of(frame, "protocol");
  const bool whole = captured.comment != "noise";
  captured.dissector = whole && protocol == "modbus-rtu"   ? "mbrtu"
                       : whole && protocol == "modbus-tcp" ? "mbtcp"
                                                           : "data";
  captured.bytes = parse_hex(word_of(frame, "bytes")).value_or(std::vector<std::uint8_t>());
  const auto length = number_member(frame, "length");
  captured.length = std::max(captured.bytes.size(), length ? static_cast<std::size_t>(*length) : 0);
  return pcapng_packet(captured);
}

/// The frames behind `*after`, which moves to the last of them. `first`: with the head of the file. Errors: those of
/// request_json.
Status show_frames(const Invocation& invocation, const SendRequest& send, bool first, std::int64_t* after,
                   std::ostream& out) {
  JsonWriter request;
  request.begin_object().member("ask", std::string("trace")).member("bus", invocation.text).member("after", *after);
  const auto answer = send(request.end_object().take());
  if (!answer) return answer.error();
  const std::vector<std::string> lines = split(*answer, '\n');
  const auto head = parse_json(lines.front());
  if (!head) return Error{Errc::kGarbled, "the agent's answer is no JSON: " + head.error().detail};
  if (const auto error = error_of(*head)) return *error;
  if (first && invocation.trace_format == Format::kPcapng) out << pcapng_head(invocation.text);
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const auto frame = parse_json(lines[i]);
    const auto number = frame ? number_member(*frame, "n") : Result<std::int64_t>(frame.error());
    if (!number) return number.error();
    if (*after > 0 && *number > *after + 1 && invocation.trace_format == Format::kText) {
      out << "... " << *number - *after - 1 << " frames were overwritten before they could be shown\n";
    }
    *after = *number;
    switch (invocation.trace_format) {
      case Format::kText:
        out << text_line(*frame);
        break;
      case Format::kJsonLines:
        out << lines[i] << "\n";
        break;
      case Format::kPcapng:
        out << packet_of(*frame);
        break;
    }
  }
  out << std::flush;
  return {};
}

}  // namespace

int run_trace(const Invocation& invocation, std::ostream& out, std::ostream& err, const SendRequest& send,
              const Clock& clock) {
  if (invocation.follow) watch_interrupts();
  std::int64_t after = 0;
  bool first = true;
  do {
    if (!first) clock.sleep_until(clock.mono() + kLookEvery);
    const Status shown = show_frames(invocation, send, first, &after, out);
    first = false;
    if (!shown) {
      err << "metergate: " << shown.error().detail << "\n";
      return shown.error().code == Errc::kInvalid ? kWrongFlags : kUnreachable;
    }
  } while (invocation.follow && out && !interrupted());
  return 0;
}

}  // namespace metergate
