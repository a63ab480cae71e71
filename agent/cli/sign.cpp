#include <iterator>

#include "agent/base/base64.h"
#include "agent/base/json.h"
#include "agent/base/rfc3339.h"
#include "agent/base/text.h"
#include "agent/cli/subcommands.h"
#include "agent/crypto/signature.h"
#include "agent/protocol/command_text.h"

namespace metergate {

namespace {

constexpr std::size_t kMostOperation = kMaxCommandBytes / 4 * 3 - 1024;  // what base64 makes of it fits into a command

/// What is missing in the operation; empty: nothing.
std::string fault_of(const Result<Json>& operation) {
  if (!operation) return operation.error().detail;
  for (const char* name : {"id", "op", "gateway", "not_after"}) {
    const Json* member = operation->find(name);
    if (member == nullptr || !member->is(Json::Kind::kText)) {
      return "it has no " + std::string(name) +
             R"(; such as {"id":"c-1","op":"configure","gateway":"site-12","not_after":"2026-11-22T10:00:00Z",...})";
    }
  }
  const std::string& op = operation->find("op")->text;
  if (op != "configure" && op != "certificate")
    return "op is " + in_quotes(op) + "; configure and certificate are signed";
  if (!parse_rfc3339(operation->find("not_after")->text)) return "not_after is no time like 2026-11-22T10:00:00Z";
  return "";
}

}  // namespace

int run_sign(const Invocation& invocation, std::istream& in, std::ostream& out, std::ostream& err) {
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const auto operation = parse_json(text);
  std::string fault = fault_of(operation);
  if (text.size() > kMostOperation)
    fault = "it has " + std::to_string(text.size()) + " bytes, at most " + std::to_string(kMostOperation) +
            " can be sent signed; send it in parts";
  if (!fault.empty()) {
    err << "metergate: the operation on standard input: " << fault << "\n";
    return kWrongFlags;
  }
  const auto key = read_file(invocation.text);
  const auto signature = key ? sign(*key, text) : Result<std::string>(key.error());
  if (!signature) {
    err << "metergate: " << invocation.text << ": " << signature.error().detail << "\n";
    return kWrongFile;
  }
  JsonWriter json;
  json.begin_object().member("id", operation->find("id")->text).member("op", operation->find("op")->text);
  json.member("signed", to_base64(text)).member("sig", to_base64(*signature));
  out << json.end_object().take() << "\n" << std::flush;
  return 0;
}

}  // namespace metergate
