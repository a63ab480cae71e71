#include "agent/config/help.h"

#include <algorithm>

namespace metergate {

namespace {

const char* const kForms = R"(
SPEC of --bus (baud and mode have no default; modes are 8N1 8N2 8E1 8O1):
  name=rs485-1,device=/dev/ttyS1,baud=9600,mode=8E1[,rs485=none|kernel|rts-up|rts-down][,rts-delay=1ms/1ms]
  name=plant,tcp=HOST:PORT[,connect-timeout=5s][,idle-close=D]
  name=nport,rtu-over-tcp=HOST:PORT[,connect-timeout=5s][,idle-close=D]
  all: [,timeout=D] until the first byte of an answer, wire time is added (default 1s, TCP 3s) [,retries=1] [,gap=0ms]
SPEC of --meter (without every it is read on command only; every=0s reads back to back):
  id=main,bus=rs485-1,unit=1,profile=sdm630[,every=10s][,points=a+b*][,label=TEXT][,serial=S][,ct=200/5][,pt=10000/100]
  [,writable=yes][,timeout=D][,retries=N][,gap=D][,max-registers=N]
SPEC of --poll (its name is its interval unless given; keep is low below 1m, else high):
  meter=main,every=15m[,points=active_energy_*][,name=billing][,keep=high|low]
Names and ids are 1 to 64 letters, digits, '_', '-' or '.'; a value with commas stands in double quotes.
For scan a --bus may leave out baud and mode; its timeout is 300ms (TCP 1s) unless given.
Durations are written 250ms 10s 5m 1h 30d, sizes 64KiB 256MiB 2GiB.

Every option may also stand in a --config FILE or an @FILE ('name = value' a line, '#' starts a comment line, switches take
yes or no) and in the environment as METERGATE_ and its name in capitals, '-' as '_' (repeatable ones: a value a line).
Growing precedence: --config, environment, then @FILE and command line as written. Repeatable (*) options add up.
)";

}  // namespace

const std::vector<SubcommandInfo>& command_table() {
  using Command = Invocation::Command;
  static const std::vector<SubcommandInfo> table{
      {"run", kForRun, Command::kRun, "[OPTIONS | @FILE]...", "The agent: reads meters and delivers every record."},
      {"check", kForCheck, Command::kCheck, "[OPTIONS | @FILE]...",
       "Whether flags, files, profiles and store are usable, and what they mean for bus and store. Touches no bus."},
      {"read", kForRead, Command::kRead,
       "[OPTIONS | @FILE]... METER\n"
       "--bus SPEC --unit N --profile P\n"
       "--bus SPEC --unit N --table holding --address A --count C\n"
       "[OPTIONS | @FILE]... --all [--count N]",
       "One reading now, as a table or as JSON."},
      {"profiles", kForProfiles, Command::kProfiles, "[NAME] [--profile-dir DIR]...",
       "Lists the profiles, or prints one in its own format."},
      {"scan", kForScan, Command::kScan, "--bus SPEC [--units 1-247] [--bauds 9600,19200] [--modes 8N1,8E1]",
       "Looks for meters on a bus, whatever their unit, baud and model, and suggests their flags. Writes nothing."},
      {"store", kForStore, Command::kStore,
       "[waiting | drops | dead | commands] [--store PATH] [--json]\n"
       "export [--store PATH] [--from T] [--to T] [--format csv|jsonl] [--lane LANE]",
       "What the store holds: what waits, what was dropped, unreadable messages, commands; or the records of a time."},
      {"pause", kForPause, Command::kPause, "BUS [--for 30m]",
       "Has the agent lend the bus's port to another program for a while, at most 8h, and take it back by itself."},
      {"resume", kForResume, Command::kResume, "BUS", "Ends the pause of a bus."},
  };
  return table;
}

const SubcommandInfo* find_command(const std::string& name) {
  const auto& table = command_table();
  const auto found = std::find_if(table.begin(), table.end(), [&](const SubcommandInfo& c) { return c.name == name; });
  return found == table.end() ? nullptr : &*found;
}

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const SubcommandInfo& command : command_table()) names.push_back(command.name);
  return names;
}

std::string overview() {
  std::string text = "Usage: metergate COMMAND [OPTIONS]\n       metergate COMMAND --help\n\n";
  for (const SubcommandInfo& command : command_table()) {
    text += "  " + command.name + std::string(10 - command.name.size(), ' ') + command.summary + "\n";
  }
  return text;
}

std::string usage_of(const SubcommandInfo& command) {
  std::string text = "Usage: metergate " + command.name + " ";
  for (const char c : command.usage) {
    text += c;
    if (c == '\n') text += "       metergate " + command.name + " ";
  }
  return text + "\n" + command.summary + "\n";
}

std::string forms_of(const SubcommandInfo& command) {
  return (command.bit & (kForProfiles | kForPause | kForResume | kForStore)) != 0 ? "" : kForms;
}

}  // namespace metergate
