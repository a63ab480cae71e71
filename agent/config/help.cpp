#include "agent/config/help.h"

namespace metergate {

namespace {

const char* const kForms = R"(
SPEC of --bus (baud and mode have no default; modes are 8N1 8N2 8E1 8O1):
  name=rs485-1,device=/dev/ttyS1,baud=9600,mode=8E1[,rs485=none|kernel|rts-up|rts-down][,rts-delay=1ms/1ms]
  name=plant,tcp=HOST:PORT[,connect-timeout=5s][,connect-delay=0ms][,idle-close=D][,lenient=none|transaction|unit|both]
  name=nport,rtu-over-tcp=HOST:PORT[,connect-timeout=5s][,connect-delay=0ms][,idle-close=D]
  all: [,timeout=D] until the first byte of an answer, wire time is added (default 1s, TCP 3s) [,retries=1] [,gap=0ms]
SPEC of --meter (without every it is read on command only; every=0s reads back to back):
  id=main,bus=rs485-1,unit=1,profile=sdm630[,every=10s][,points=a+b*][,label=TEXT][,serial=S][,ct=200/5][,pt=10000/100]
  [,writable=yes][,timeout=D][,retries=N][,gap=D][,max-registers=N][,baud=B][,mode=M]
  DL/T 645: address=DIGITS instead of unit=[,password-file=FILE][,utc-offset=+08:00]
SPEC of --poll (its name is its interval unless given; keep is low below 1m, else high):
  meter=main,every=15m[,points=active_energy_*][,name=billing][,keep=high|low]
Names and ids are 1 to 64 letters, digits, '_', '-' or '.'; a value with commas stands in double quotes.
For scan a --bus may leave out baud and mode; its timeout is 300ms (TCP 1s) unless given.
Durations are written 250ms 10s 5m 1h 30d, sizes 64KiB 256MiB 2GiB.

Every option may also stand in a --config FILE or an @FILE ('name = value' a line, '#' starts a comment line, switches
take yes or no) and in the environment as METERGATE_ and its name in capitals, '-' as '_' (repeatable ones: a value a
line). The later source wins: --config, then the environment, then @FILE and command line in the order written.
Repeatable (*) options of all sources add up.
)";

}  // namespace

std::string overview() {
  std::string text = "Usage: metergate COMMAND [OPTIONS]\n       metergate COMMAND --help\n\n";
  for (const SubcommandInfo& subcommand : subcommand_table()) {
    text += "  " + subcommand.name + std::string(10 - subcommand.name.size(), ' ') + subcommand.summary + "\n";
  }
  return text;
}

std::string usage_of(const SubcommandInfo& subcommand) {
  std::string text = "Usage: metergate " + subcommand.name + " ";
  for (const char c : subcommand.usage) {
    text += c;
    if (c == '\n') text += "       metergate " + subcommand.name + " ";
  }
  return text + "\n" + subcommand.summary + "\n";
}

std::string forms_of(const SubcommandInfo& subcommand) {
  return (subcommand.bit & (kForProfiles | kForPause | kForResume | kForStore)) != 0 ? "" : kForms;
}

}  // namespace metergate
