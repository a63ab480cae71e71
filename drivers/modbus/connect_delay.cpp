#include "drivers/modbus/connect_delay.h"

#include <algorithm>

namespace metergate {

void ConnectDelay::answered() {
  unanswered_ = 0;
  worked_ = current_;
  if (!is_least_) current_ = std::max(least_, current_ > kFirst ? current_ / 2 : Nanos{0});
}

void ConnectDelay::unanswered() {
  ++unanswered_;
  if (current_ < worked_) {
    current_ = worked_;
    is_least_ = true;
  } else if (worked_ < Nanos{0} || unanswered_ >= kEnough) {
    worked_ = Nanos{-1};
    is_least_ = false;
    current_ = std::max(least_, std::min<Nanos>(kLongest, std::max<Nanos>(kFirst, current_ * 2)));
  }
}

}  // namespace metergate
