#include "agent/admin/http_handlers.h"

#include "agent/admin/metrics_text.h"
#include "agent/admin/status_page.h"

namespace metergate {

namespace {
constexpr Millis kFresh{1'000};
}

MonoTime HttpHandlers::step(MonoTime now) {
  if (now >= next_sample_) {
    history_.add(parts_.snapshot());
    next_sample_ = now + StatusHistory::kEvery;
  }
  return next_sample_;
}

HttpAnswer HttpHandlers::answer(const std::string& path) {
  const auto fresh = [this](Made& made, HttpAnswer (HttpHandlers::*make)() const) {
    const MonoTime now = parts_.clock->mono();
    if (now >= made.until) made = {now + kFresh, (this->*make)()};
    return made.answer;
  };
  if (path == "/") return fresh(page_, &HttpHandlers::page);
  if (path == "/metrics") return fresh(metrics_, &HttpHandlers::metrics);
  if (path == "/healthz") return fresh(health_, &HttpHandlers::health);
  return {404, HttpAnswer{}.type, "not found: there are /, /metrics and /healthz\n"};
}

HttpAnswer HttpHandlers::metrics() const {
  return {200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(parts_.snapshot())};
}

HttpAnswer HttpHandlers::health() const {
  HttpAnswer answer;
  for (const std::string& problem : problems_of(parts_.snapshot(), parts_.hanging())) answer.body += problem + '\n';
  answer.status = answer.body.empty() ? 200 : 503;
  if (answer.body.empty()) answer.body = "ok\n";
  return answer;
}

HttpAnswer HttpHandlers::page() const {
  const Snapshot snapshot = parts_.snapshot();
  return {200, "text/html; charset=utf-8",
          status_page(snapshot, history_, *parts_.latest, *parts_.site, problems_of(snapshot, parts_.hanging()))};
}

}  // namespace metergate
