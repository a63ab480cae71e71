#include "agent/command/command_plan.h"

#include <algorithm>

#include "agent/base/text.h"
#include "drivers/profile/encode.h"

namespace metergate {

namespace {

const BusConfig* find_bus(const Site& site, const std::string& name) {
  for (const BusConfig& bus : site.buses) {
    if (bus.spec.name == name) return &bus;
  }
  return nullptr;
}

std::variant<CommandPlan, Failure> plan_route(const Site& site, const Command& command) {
  const BusConfig* bus = find_bus(site, command.route->bus);
  if (bus == nullptr) {
    return Failure{"no_such_bus", "no bus '" + command.route->bus + "' is configured on this gateway"};
  }
  CommandPlan plan;
  plan.bus = command.route->bus;
  const Route& route = *command.route;
  plan.blocks = command.items;
  plan.stranger.address = route.address;
  if (command.registers) {
    plan.blocks = {*command.registers};
    plan.target = kRoutes + static_cast<std::uint64_t>(route.unit);
    plan.stranger.address = std::to_string(route.unit);
  } else if (is_rtu(bus->spec.settings)) {
    plan.target = kAddressRoutes + std::stoull(route.address);
    const bool short_item = command.items.front().register_bytes == item_width(Family::kDlt645Of1997);
    plan.stranger.family = short_item ? Family::kDlt645Of1997 : Family::kDlt645;
  } else {
    return Failure{"bad_command", "bus '" + plan.bus + "' is Modbus TCP: its meters have units, not addresses"};
  }
  for (std::size_t i = bus->meters.size(); i-- > 0;) {
    const MeterSpec& meter = bus->meters[i].spec;
    if (meter.unit == route.unit && meter.address == route.address) plan.meter = plan.target = i;
  }
  return plan;
}

std::variant<CommandPlan, Failure> plan_write(const MeterConfig& meter, const Command& command, CommandPlan plan) {
  plan.point = meter.profile->find(command.point);
  if (plan.point == nullptr) {
    return Failure{"no_such_point", "profile " + meter.profile->name + " has no point '" + command.point + "'" +
                                        hint(command.point, meter.profile->point_names())};
  }
  if (!meter.spec.writable || !plan.point->write) {
    return Failure{"not_writable",
                   meter.spec.writable
                       ? "profile " + meter.profile->name + " does not let '" + command.point + "' be written"
                       : "meter " + meter.spec.id + " is not configured with writable=yes"};
  }
  Result<Write> write = encode(*meter.profile, *plan.point, command.value, meter.ratios);
  if (!write) return Failure{"bad_value", write.error().detail};
  plan.write = *write;
  if (plan.write.form == Write::Form::kRelay) plan.write.time = command.expires;
  return plan;
}

std::variant<CommandPlan, Failure> plan_read(const MeterConfig& meter, const Command& command, CommandPlan plan) {
  if (command.all_points) {
    for (const Point& point : meter.profile->points) plan.points.push_back(&point);
  }
  for (const std::string& name : command.points) {
    const Point* point = meter.profile->find(name);
    if (point == nullptr) {
      return Failure{"no_such_point", "profile " + meter.profile->name + " has no point '" + name + "'" +
                                          hint(name, meter.profile->point_names())};
    }
    if (std::find(plan.points.begin(), plan.points.end(), point) == plan.points.end()) plan.points.push_back(point);
  }
  if (plan.points.empty()) return Failure{"no_such_point", "profile " + meter.profile->name + " has no points"};
  return plan;
}

bool is_remote(Command::Op op) {
  return op == Command::Op::kConfiguration || op == Command::Op::kConfigure || op == Command::Op::kConfirm ||
         op == Command::Op::kLog || op == Command::Op::kTrace;
}

}  // namespace

std::variant<CommandPlan, Failure> plan_command(const Site& site, const Command& command) {
  if (command.op == Command::Op::kStatus || command.op == Command::Op::kCatalog) return CommandPlan{};
  if (is_remote(command.op) && !site.remote) {
    return Failure{"not_allowed", "this gateway runs without --remote, so nothing is changed or looked at from afar"};
  }
  if (command.op == Command::Op::kConfigure) {
    CommandPlan plan;
    plan.bus = kRemoteQueue;
    return plan;
  }
  const bool of_bus =
      command.op == Command::Op::kPause || command.op == Command::Op::kResume || command.op == Command::Op::kTrace;
  if (is_remote(command.op) && !of_bus) return CommandPlan{};
  if (of_bus) {
    if (find_bus(site, command.bus) != nullptr) return CommandPlan{};  // at once, whatever its bus has to do
    return Failure{"no_such_bus", "no bus '" + command.bus + "' is configured on this gateway"};
  }
  if (command.op == Command::Op::kReplay) {
    CommandPlan plan;
    plan.bus = kReplayQueue;
    return plan;
  }
  if (command.route) return plan_route(site, command);
  for (const BusConfig& bus : site.buses) {
    for (std::size_t i = 0; i < bus.meters.size(); ++i) {
      if (bus.meters[i].spec.id != command.meter) continue;
      CommandPlan plan;
      plan.bus = bus.spec.name;
      plan.meter = plan.target = i;
      return command.op == Command::Op::kWrite ? plan_write(bus.meters[i], command, std::move(plan))
                                               : plan_read(bus.meters[i], command, std::move(plan));
    }
  }
  return Failure{"no_such_meter", "no meter '" + command.meter + "' is configured on this gateway"};
}

}  // namespace metergate
