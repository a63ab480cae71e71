#include "agent/base/json.h"
#include "agent/protocol/command_text.h"
#include "tests/fuzz/fuzz.h"

using namespace metergate;

/// A payload on the topic of commands: it is a command, or there is a message why not; whatever is told of it is JSON.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view payload = text_of(data, size);
  const auto parsed = parse_command(payload);
  if (const auto* bad = std::get_if<BadCommand>(&parsed)) {
    must(!bad->code.empty() && !bad->message.empty(), "a refusal says why");
    must(bad->id.size() <= 128, "an id is short");
  } else {
    must(!std::get<Command>(parsed).id.empty(), "a command has an id");
  }
  JsonWriter json;
  json.begin_object().member("first", std::string(payload.substr(0, 64))).end_object();
  must(static_cast<bool>(parse_json(json.take())), "what is told of a payload is JSON");
  return 0;
}
