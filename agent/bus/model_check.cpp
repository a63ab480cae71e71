#include "agent/bus/model_check.h"

#include "agent/base/json.h"
#include "drivers/profile/plan.h"

namespace metergate {

Result<bool> ModelCheck::step() {
  if (!reader_) {
    const Point& point = config().profile->identify->point;
    reader_.emplace(config());
    reader_->ask({&point}, registers_of(point));
  }
  const Result<Words> words = p_.bus->read(config().target, *reader_->next());
  const MonoTime now = p_.clock->mono();
  if (words) {
    reader_->answered(*words, now);
  } else if (from_meter(words.error())) {
    reader_->failed(words.error(), now);
  } else {
    reader_.reset();  // no answer is no mismatch
    if (words.error().code == Errc::kBusDown) return words.error();
    return false;
  }
  if (reader_->next()) return true;
  conclude();
  return false;
}

void ModelCheck::conclude() {
  done_ = true;
  const Identify& expected = *config().profile->identify;
  const Result<Decoded>& found = reader_->value(expected.point);
  const std::string text = found ? found->value.text : "nothing";
  reader_.reset();
  if (text == expected.text) return;
  const std::string& id = config().spec.id;
  p_.log->warn("meter is not the model that its profile describes",
               {{"meter", id}, {"expected", expected.text}, {"found", text}});
  JsonWriter json;
  json.member("meter", id).member("profile", config().profile->name);
  json.member("expected", expected.text).member("found", text);
  p_.events->tell("profile_mismatch", id, json.take());
}

}  // namespace metergate
