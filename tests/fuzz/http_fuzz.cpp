#include "agent/admin/http_responder.h"
#include "tests/fuzz/fuzz.h"

using namespace metergate;

namespace {

constexpr const char* kToken = "s3cret";

bool begins_with(const std::string& text, const std::string& head) { return text.compare(0, head.size(), head) == 0; }

}  // namespace

/// The head of a request, with a token to know and without one. The answer is a whole one, and shows nothing to those
/// who do not know the token.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string head(text_of(data, size));
  const HttpHandler handler = [](const std::string& path) {
    must(!path.empty() && path[0] == '/' && path.find('?') == std::string::npos, "a path begins with a slash");
    return HttpAnswer{200, "text/plain", "shown"};
  };
  for (const char* token : {"", kToken}) {
    const std::string answer = HttpResponder(handler, token).answer(head);
    must(begins_with(answer, "HTTP/1.1 ") && answer.find("\r\n\r\n") != std::string::npos, "an answer is whole");
    must(answer.find(kToken) == std::string::npos, "no answer tells the token");
    const bool knows =
        head.find(kToken) != std::string::npos || head.find("bWV0ZXJnYXRlOnMzY3JldA==") != std::string::npos;
    must(*token == '\0' || knows || !begins_with(answer, "HTTP/1.1 200 "), "nothing is shown without the token");
  }
  return 0;
}
