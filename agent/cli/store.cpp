#include <filesystem>

#include "agent/admin/store_pages.h"
#include "agent/base/exit_status.h"
#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/cli/agent_client.h"
#include "agent/cli/store_print.h"
#include "agent/cli/subcommands.h"
#include "agent/config/option_table.h"
#include "store/store_view.h"

namespace metergate {

namespace {

constexpr Millis kRateSample{1'000};

/// What the first line of a page says about the next one; 0: this is the last. Errors: kStorage (no page can be had),
/// kTimeout (busy), kGarbled.
Result<std::int64_t> next_page(const std::vector<std::string>& lines, std::int64_t after) {
  const auto head = parse_json(lines.front());
  if (!head) return Error{Errc::kGarbled, "the agent's answer is no JSON: " + head.error().detail};
  if (const auto error = error_of(*head))
    return Error{error->code == Errc::kTimeout ? Errc::kTimeout : Errc::kStorage, error->detail};
  const auto count = number_member(*head, "lines"), next = number_member(*head, "next");
  if (!count) return count.error();
  if (!next) return next.error();
  if (static_cast<std::size_t>(*count) + 1 != lines.size())
    return Error{Errc::kGarbled, "the agent's answer does not hold the lines that it promises"};
  if (*next != 0 && *next <= after) return Error{Errc::kGarbled, "the agent gives the same page again"};
  return *next;
}

/// A status with all that is shown of it. Errors: those of request_json, kGarbled.
Result<Json> request_status(const SendRequest& send) {
  auto status = request_json(send, R"({"ask":"status"})");
  if (!status) return status;
  for (const char* part : {"store", "uplink"}) {
    if (const auto member = object_member(*status, part); !member) return member.error();
  }
  return status;
}

/// Where the answers come from: the agent that has the store, or the file itself.
class StoreSource {
 public:
  StoreSource(SendRequest send, std::unique_ptr<StoreFile> file) : send_(std::move(send)), file_(std::move(file)) {}

  StoreFile* file() const { return file_.get(); }
  const SendRequest& agent() const { return send_; }

  /// Calls take(line) for every line of every page, until it returns false.
  Status each(StorePageRequest request, const std::function<bool(const std::string&)>& take) const {
    for (;;) {
      const auto answer = file_ ? Result<std::string>(store_page(*file_, request)) : send_(store_request_json(request));
      if (!answer) return answer.error();
      const auto lines = split(*answer, '\n');
      const auto next = next_page(lines, request.after);
      if (!next) return next.error();
      for (std::size_t i = 1; i < lines.size(); ++i) {
        if (!take(lines[i])) return {};
      }
      if (*next == 0) return {};
      request.after = *next;
    }
  }

 private:
  SendRequest send_;
  std::unique_ptr<StoreFile> file_;
};

/// The agent, if it has this store; else the file, if no process has it.
Result<StoreSource> find_source(const Invocation& invocation, const SendRequest& send) {
  const std::string& path = invocation.options.store.path;
  const auto answer = request_json(send, R"({"ask":"store","what":"where"})");
  if (!answer && answer.error().code != Errc::kOffline) return answer.error();
  if (answer) {
    const Json* theirs = answer->find("path");
    std::error_code error;
    const bool same = theirs && std::filesystem::equivalent(theirs->text, path, error);
    if (same || path == kDefaultStore) return StoreSource(send, nullptr);
  }
  auto file = StoreFile::open(invocation.options.store);
  if (file) return StoreSource(nullptr, std::move(*file));
  Error error = file.error();
  if (error.code == Errc::kLocked)
    error.detail += "; if it is an agent, name its --control PATH, which here is " + invocation.options.control;
  return error;
}

int print_waiting(const StoreSource& source, bool json, std::ostream& out, std::ostream& err, const Clock& clock) {
  if (StoreFile* file = source.file()) {
    const auto lanes = file->lanes();
    const auto losses = file->losses();
    if (!lanes || !losses) {
      const Error& error = lanes ? losses.error() : lanes.error();
      err << "metergate: " << error.detail << "\n";
      return exit_status_of(error);
    }
    print_lanes(lanes_of(*lanes, *losses), json, out);
    if (json) return 0;
    out << "no agent runs: nothing is sent\n";
    print_losses(*losses, out);
    return 0;
  }
  const auto first = request_status(source.agent());
  const MonoTime begin = clock.mono();
  clock.sleep_until(begin + kRateSample);
  const auto second = first ? request_status(source.agent()) : first;
  if (!second) {
    err << "metergate: " << second.error().detail << "\n";
    return kUnreachable;
  }
  const auto time = std::chrono::duration_cast<Millis>(clock.mono() - begin);
  print_lanes(lanes_of(*first, *second, time), json, out);
  if (!json) print_uplink(*second, out);
  return 0;
}

}  // namespace

int run_store(const Invocation& invocation, std::ostream& out, std::ostream& err, const SendRequest& send,
              const Clock& clock) {
  const auto source = find_source(invocation, send);
  if (!source) {
    err << "metergate: " << source.error().detail << "\n";
    return exit_status_of(source.error());
  }
  const std::string& what = invocation.text;
  if (what == "waiting") return print_waiting(*source, invocation.json, out, err, clock);
  StorePageRequest request;
  request.what = what == "drops"      ? StorePageRequest::What::kDrops
                 : what == "dead"     ? StorePageRequest::What::kDeadLetters
                 : what == "commands" ? StorePageRequest::What::kCommands
                                      : StorePageRequest::What::kRecords;
  request.lane = invocation.lane;
  request.from = invocation.from;
  request.to = invocation.to;
  const auto printer = make_line_printer(invocation, out);
  const Status done = source->each(request, [&](const std::string& line) {
    printer->add(line);
    return static_cast<bool>(out);
  });
  printer->end();
  out << std::flush;
  if (done) return 0;
  err << "metergate: " << done.error().detail << "\n";
  return exit_status_of(done.error());
}

}  // namespace metergate
