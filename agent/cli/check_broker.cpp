#include "agent/cli/check_broker.h"

#include <algorithm>
#include <cstring>

#include "agent/base/exit_status.h"
#include "agent/base/resolve.h"
#include "agent/cli/subcommands.h"
#include "agent/cli/text_table.h"
#include "agent/protocol/codec.h"
#include "agent/uplink/credentials.h"
#include "agent/uplink/link_check.h"
#include "agent/uplink/session.h"
#include "store/sqlite/file_store.h"

namespace metergate {

namespace {

constexpr std::int64_t kSoon = 30;  // days

std::optional<std::int64_t> whole(const Json& json, const char* name) {
  const Json* member = json.find(name);
  return member ? member->as_integer(-(1LL << 50), 1LL << 50) : std::nullopt;
}

std::string text(const Json& json, const char* name) {
  const Json* member = json.find(name);
  return member ? member->as_text().value_or("") : "";
}

bool is_true(const Json& json, const char* name) {
  const Json* member = json.find(name);
  return member && member->boolean;
}

std::string milliseconds(std::int64_t us) {
  const std::string hundredths = std::to_string((us + 5) / 10 % 100);
  return std::to_string((us + 5) / 1000) + "." + (hundredths.size() < 2 ? "0" : "") + hundredths + " ms";
}

void add_certificate(TextTable& table, const Json& tls, const std::string& whose, const std::string& name) {
  const auto days = whole(tls, (whose + "_days").c_str());
  if (!days) return;
  const std::string until = text(tls, (whose + "_until").c_str());
  table.add({name + " certificate", "ends in " + with_commas(*days) + " days (" + until.substr(0, 10) + ")" +
                                        (*days < kSoon ? ": renew it now" : "")});
}

std::string session_text(const std::string& session) {
  return session == "kept" ? "accepted; the broker has this gateway's session"
                           : "accepted; the broker had no session of this gateway";
}

void add_answers(TextTable& table, const Json& link) {
  if (const std::string session = text(link, "session"); !session.empty()) {
    table.add({"CONNACK", session_text(session)});
  }
  if (const Json* topics = link.find("subscriptions")) {
    for (std::size_t i = 0; i < topics->items.size(); ++i) {
      table.add({i == 0 ? "SUBACK" : "", topics->names[i] + " " + topics->items[i].text});
    }
  }
  if (const auto time = whole(link, "round_trip_us")) table.add({"round trip", milliseconds(*time)});
  if (text(link, "session").empty()) return;
  const auto largest = whole(link, "largest_message");
  table.add({"largest message", largest ? std::to_string(*largest) + " bytes, as the agent found out"
                                        : "no limit known (MQTT 3.1.1 does not announce one)"});
}

/// The answer of the agent that has this client id, if one runs. Errors: those of request_json.
Result<std::optional<std::string>> ask_agent(const Options& options, const SendRequest& send) {
  const auto answer = send(R"({"ask":"broker"})");
  if (!answer && answer.error().code == Errc::kOffline) return std::optional<std::string>();
  const auto json = request_json([&](const std::string&) { return answer; }, "");
  if (!json) return json.error();
  if (text(*json, "client_id") != options.uplink.client_id) return std::optional<std::string>();
  return std::optional(*answer);
}

/// Whether the store knows of a session at the broker. Errors: kLocked, an agent may have the session.
Result<bool> knows_session(const Options& options) {
  const auto file = StoreFile::open(options.store);
  if (file) {
    const auto value = (*file)->value(Session::kSessionKey);
    return value && value->has_value();
  }
  if (file.error().code != Errc::kLocked) return false;
  return Error{Errc::kLocked, file.error().detail +
                                  "; an agent would lose its connection to this check: name its "
                                  "--control PATH, which here is " +
                                  options.control};
}

/// By connections of this process.
Result<std::string> try_broker(const Options& options, const Clock& clock) {
  const auto session = knows_session(options);
  if (!session) return session.error();
  auto password = read_credentials(options.uplink);
  if (!password) return password.error();
  LinkCheck check;
  check.options = options.uplink;
  check.password = std::move(*password);
  check.topics = session_topics(topics_of(options.uplink.topic_prefix, options.gateway));
  check.session_known = *session;
  check.resolve = resolve;
  check.clock = &clock;
  const LinkReports links = check_links(check);
  ::explicit_bzero(check.password.data(), check.password.size());
  return links_json("check", options.uplink.client_id, links, moment_of(clock));
}

/// The agent answers for its own configuration, which may be another one.
void warn_of_unknown(const Options& options, const Json& links, std::ostream& err) {
  for (const Endpoint& node : options.uplink.brokers) {
    const auto is_of = [&](const Json& link) {
      return text(link, "name") == node.host && whole(link, "port") == node.port;
    };
    if (std::any_of(links.items.begin(), links.items.end(), is_of)) continue;
    err << "warning: " << node.text() << " is no broker of the running agent, which is asked instead; stop the agent "
        << "to try it\n";
  }
}

}  // namespace

void print_link(const Json& link, const std::string& scheme, std::ostream& out) {
  const std::string name = text(link, "name"), address = text(link, "address");
  const auto port = static_cast<int>(whole(link, "port").value_or(0));
  out << "broker " << scheme << host_port(name, port);
  if (!address.empty() && address != name) out << " at " << address;
  out << "\n";
  TextTable table({"", ""});
  if (is_true(link, "tcp")) {
    const auto time = whole(link, "tcp_us");
    table.add({"TCP", time ? "connected in " + milliseconds(*time) : "connected"});
  }
  if (const Json* tls = link.find("tls")) {
    table.add({"TLS", text(*tls, "version") + ", verified: " + text(*tls, "peer")});
    add_certificate(table, *tls, "peer", "its");
    add_certificate(table, *tls, "authority", "its authority's");
    add_certificate(table, *tls, "own", "our");
  }
  add_answers(table, link);
  if (const auto waiting = whole(link, "waiting").value_or(0); waiting > 0) {
    table.add({"commands", std::to_string(waiting) + " came, were not acknowledged and wait for the agent"});
  }
  if (const std::string since = text(link, "since"); !since.empty()) table.add({"connected", "since " + since});
  if (const std::string error = text(link, "error"); !error.empty()) table.add({"failed", error});
  table.print(out, "  ");
  out << "\n";
}

int check_broker(const Invocation& invocation, const SendRequest& send, const Clock& clock, std::ostream& out,
                 std::ostream& err) {
  const Options& options = invocation.options;
  const auto fail = [&](const Error& error) {
    err << "metergate: " << error.detail << "\n";
    return exit_status_of(error);
  };
  const auto asked = ask_agent(options, send);
  if (!asked) return fail(asked.error());
  const auto answer = *asked ? Result<std::string>(**asked) : try_broker(options, clock);
  if (!answer) return fail(answer.error());
  const auto json = parse_json(*answer);
  const Json* links = json ? json->find("links") : nullptr;
  if (!links) return fail({Errc::kGarbled, "the agent's answer has no 'links'; is it of another version?"});
  if (*asked) warn_of_unknown(options, *links, err);
  if (invocation.json) {
    out << *answer << "\n";
  } else {
    if (*asked) out << "The agent runs and has the session; this is what it knows of its broker.\n\n";
    for (const Json& link : links->items) print_link(link, options.uplink.tls ? "mqtts://" : "mqtt://", out);
  }
  const auto would_do = [](const Json& link) { return is_true(link, "ok"); };
  if (std::any_of(links->items.begin(), links->items.end(), would_do)) return 0;
  err << "metergate: no address of the broker would do\n";
  return kUnreachable;
}

}  // namespace metergate
