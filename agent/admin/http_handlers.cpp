#include "agent/admin/http_handlers.h"

#include "agent/admin/metrics_text.h"
#include "agent/admin/status_page.h"

namespace metergate {

namespace {
constexpr Millis kFresh{1'000};
}

MonoTime HttpHandlers::step(MonoTime now) {
  if (now >= next_sample_) {
    history_.add(p_.snapshot());
    next_sample_ = now + StatusHistory::kEvery;
  }
  return next_sample_;
}

HttpAnswer HttpHandlers::answer(const std::string& path) {
  const auto fresh = [this](Made& made, HttpAnswer (HttpHandlers::*make)() const) {
    const MonoTime now = p_.clock.mono();
    if (now >= made.until) made = {now + kFresh, (this->*make)()};
    return made.answer;
  };
  if (path == "/") return fresh(page_, &HttpHandlers::page);
  if (path == "/metrics") return fresh(metrics_, &HttpHandlers::metrics);
  if (path == "/healthz") return fresh(health_, &HttpHandlers::health);
  return {404, HttpAnswer{}.type, "there is /, /metrics and /healthz\n"};
}

HttpAnswer HttpHandlers::metrics() const {
  return {200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(p_.snapshot())};
}

HttpAnswer HttpHandlers::health() const {
  HttpAnswer answer;
  for (const std::string& ailment : ailments(p_.snapshot(), p_.hanging())) answer.body += ailment + '\n';
  answer.status = answer.body.empty() ? 200 : 503;
  if (answer.body.empty()) answer.body = "ok\n";
  return answer;
}

HttpAnswer HttpHandlers::page() const {
  const Snapshot snapshot = p_.snapshot();
  return {200, "text/html; charset=utf-8",
          status_page(snapshot, history_, p_.latest, p_.site, ailments(snapshot, p_.hanging()))};
}

}  // namespace metergate
