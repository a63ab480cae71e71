#include "agent/config/subcommand_table.h"

#include <algorithm>

namespace metergate {

const std::vector<SubcommandInfo>& subcommand_table() {
  using Subcommand = Invocation::Subcommand;
  static const std::vector<SubcommandInfo> table{
      {"run", kForRun, Subcommand::kRun, "[OPTIONS | @FILE]...", "The agent: reads meters and delivers every record."},
      {"check", kForCheck, Subcommand::kCheck, "[OPTIONS | @FILE]... [--broker [--json]]",
       "Checks flags, files, profiles and store, and shows the load of buses and store. Touches no bus. With --broker "
       "it "
       "also tries the way to the broker."},
      {"read", kForRead, Subcommand::kRead,
       "[OPTIONS | @FILE]... METER\n"
       "--bus SPEC --unit N --profile P\n"
       "--bus SPEC --unit N --table holding --address A --count C\n"
       "--bus SPEC --address DIGITS --di ITEM\n"
       "[OPTIONS | @FILE]... --all [--count N]",
       "One reading now, as a table or as JSON."},
      {"profiles", kForProfiles, Subcommand::kProfiles, "[NAME] [--profile-dir DIR]...",
       "Lists the profiles, or prints one in its own format."},
      {"scan", kForScan, Subcommand::kScan,
       "--bus SPEC [--units 1-247] [--bauds 9600,19200] [--modes 8N1,8E1] "
       "[--protocols modbus,dlt645]",
       "Looks for meters on a bus, whatever their unit, baud and model, and suggests their flags. Writes nothing."},
      {"store", kForStore, Subcommand::kStore,
       "[waiting | drops | dead | commands] [--store PATH] [--json]\n"
       "export [--store PATH] [--from T] [--to T] [--format csv|jsonl] [--lane LANE]",
       "Shows what waits, what was dropped or unreadable, and commands; or exports the records of a time."},
      {"pause", kForPause, Subcommand::kPause, "BUS [--for 30m]",
       "The agent gives the port of a bus to another program for a while, at most 8h, and takes it back by itself."},
      {"trace", kForTrace, Subcommand::kTrace, "BUS [--follow] [--format text|jsonl|pcapng]",
       "The last 1,000 frames of a bus of the running agent, or with --follow those that come, too."},
      {"sign", kForSign, Subcommand::kSign, "KEYFILE < OPERATION",
       "For the operator: the text of a signed operation for gateways with --remote-key."},
      {"resume", kForResume, Subcommand::kResume, "BUS", "Ends the pause of a bus."},
  };
  return table;
}

const SubcommandInfo* find_subcommand(const std::string& name) {
  const auto& table = subcommand_table();
  const auto found = std::find_if(table.begin(), table.end(), [&](const SubcommandInfo& c) { return c.name == name; });
  return found == table.end() ? nullptr : &*found;
}

std::vector<std::string> subcommand_names() {
  std::vector<std::string> names;
  for (const SubcommandInfo& subcommand : subcommand_table()) names.push_back(subcommand.name);
  return names;
}

}  // namespace metergate
