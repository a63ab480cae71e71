#include "agent/base/resolve.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "agent/base/text.h"

namespace metergate {

namespace {

using Addresses = std::vector<std::string>;

Result<Addresses> look_up(const std::string& host, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  if (const int rc = getaddrinfo(host.c_str(), nullptr, &hints, &found); rc != 0) {
    return Error{Errc::kOffline, "cannot resolve " + in_quotes(host) + ": " + gai_strerror(rc)};
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  Addresses out;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    char text[NI_MAXHOST];
    if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) continue;
    if (std::find(out.begin(), out.end(), text) == out.end()) out.emplace_back(text);
  }
  if (out.empty()) return Error{Errc::kOffline, in_quotes(host) + " has no address"};
  return out;
}

struct Lookup {
  std::optional<Result<Addresses>> answer;
};

/// By name: lookups that run, or that have ended and nobody has asked for yet. Never destroyed: a lookup may outlive
/// main().
struct Lookups {
  std::mutex mutex;  // guards running and each Lookup in it
  std::condition_variable done;
  std::map<std::string, std::shared_ptr<Lookup>> running;
};

Lookups& lookups() {
  static auto* const all = new Lookups;
  return *all;
}

void start(const std::string& host, const std::shared_ptr<Lookup>& lookup) {
  std::thread([host, lookup] {
    Result<Addresses> answer = look_up(host, 0);
    Lookups& all = lookups();
    std::lock_guard<std::mutex> hold(all.mutex);
    lookup->answer = std::move(answer);
    all.done.notify_all();
  }).detach();
}

}  // namespace

Result<std::vector<std::string>> resolve(const std::string& host, Millis patience) {
  if (Result<Addresses> numeric = look_up(host, AI_NUMERICHOST)) return numeric;

  Lookups& all = lookups();
  std::unique_lock<std::mutex> hold(all.mutex);
  std::shared_ptr<Lookup>& slot = all.running[host];
  if (!slot) {
    slot = std::make_shared<Lookup>();
    try {
      start(host, slot);
    } catch (const std::system_error& e) {
      all.running.erase(host);
      return Error{Errc::kOffline, "cannot resolve " + in_quotes(host) + ": no thread for it: " + e.what()};
    }
  }
  const std::shared_ptr<Lookup> lookup = slot;
  if (!all.done.wait_for(hold, patience, [&] { return lookup->answer.has_value(); })) {
    return Error{Errc::kOffline, "cannot resolve " + in_quotes(host) + ": no answer in " +
                                     std::to_string(patience.count()) + " ms; is the name server reachable?"};
  }
  // Two callers may have waited for the same lookup, and a new one may already run.
  const auto at = all.running.find(host);
  if (at != all.running.end() && at->second == lookup) all.running.erase(at);
  return *lookup->answer;
}

}  // namespace metergate
