#include "agent/cli/interrupt.h"

#include <signal.h>

#include <csignal>

namespace metergate {

namespace {

volatile std::sig_atomic_t asked_for_the_end = 0;

extern "C" void ask_for_the_end(int) { asked_for_the_end = 1; }

}  // namespace

void watch_interrupts() {
  struct sigaction action {};
  action.sa_handler = ask_for_the_end;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return asked_for_the_end != 0; }

}  // namespace metergate
