#include "agent/config/option_sources.h"

#include <algorithm>
#include <cctype>

#include "agent/base/text.h"
#include "agent/config/flag_file.h"

namespace metergate {

namespace {

std::string place_of(const OptionInfo& option, const std::string& value) {
  const bool may_hold_a_password = option.name == "upstream" && value.find('@') != std::string::npos;
  return "--" + option.name + (option.repeatable && !may_hold_a_password ? " " + in_quotes(value) : "");
}

std::vector<std::string> agent_names() {
  std::vector<std::string> names = option_names(kForRun);
  names.erase(
      std::remove_if(names.begin(), names.end(), [](const std::string& n) { return !find_option(n)->of_agent(); }),
      names.end());
  return names;
}

}  // namespace

std::string variable_name(const std::string& option) {
  std::string name = "METERGATE_";
  for (const char c : option) name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

OptionSources::Refusal OptionSources::apply(const OptionInfo& option, const Setting& setting) {
  if (setting.value.empty())
    return refused(setting, "has no value" + (option.value.empty() ? "" : "; such a value is " + option.value));
  if (left_out_.count(option.name) > 0) return std::nullopt;
  given_[option.name] = setting.in_file;
  // Which version is looked at is no part of the configuration.
  if (option.name != "remote-candidate") invocation_.options.settings += option.name + " = " + setting.value + "\n";
  if (const auto table = option.name == "meters" ? read_file(setting.value) : Result<std::string>(std::string());
      table) {
    invocation_.options.settings += *table;
  }
  return option.apply(invocation_, setting);
}

OptionSources::Refusal OptionSources::add(const Setting& setting) {
  if (setting.option.empty() && setting.value.size() > 1 && setting.value[0] == '@')
    return add_file(setting.value.substr(1));
  if (setting.option.empty()) {
    words_.push_back(setting.value);
    return std::nullopt;
  }
  const OptionInfo* option = find_option(setting.option);
  if (!option || !option->apply) return std::nullopt;  // --config and the like are done before
  Setting placed = setting;
  placed.place = place_of(*option, setting.value);
  return apply(*option, placed);
}

OptionSources::Refusal OptionSources::add_file(const std::string& path) {
  auto lines = read_flag_file(path);
  if (auto* error = std::get_if<UsageError>(&lines)) return *error;
  for (FlagLine& line : std::get<0>(lines)) {
    const Setting setting{line.name, line.value, line.place, true};
    const OptionInfo* option = find_option(line.name);
    const std::string special = special_refusal(line.name);
    if (!special.empty()) return refused(setting, special);
    if (!option) {
      return UsageError{line.place + ": unknown option " + in_quotes(line.name) + hint(line.name, agent_names()),
                        kWrongFile};
    }
    if (!option->of_agent()) return refused(setting, "stands on the command line only");
    if (auto refusal = apply(*option, setting)) return refusal;
  }
  return std::nullopt;
}

void OptionSources::expect(const RemoteOverlay& overlay) {
  for (const FlagLine& line : overlay.lines) left_out_.insert(line.name);
}

OptionSources::Refusal OptionSources::add_remote(const RemoteOverlay& overlay) {
  left_out_.clear();
  for (const FlagLine& line : overlay.lines) {
    const OptionInfo* option = find_option(line.name);
    const Setting setting{line.name, line.value, line.place, true};
    if (!option) return refused(setting, "is no option of this version");
    if (line.value.empty()) return refused(setting, "has no value; such a value is " + option->value);
    given_[option->name] = true;
    std::vector<MeterSpec>& meters = invocation_.options.meters;
    const std::size_t before = meters.size();
    if (auto refusal = option->apply(invocation_, setting)) return refusal;
    for (std::size_t i = before; i < meters.size(); ++i) {
      if (meters[i].password_file.empty()) continue;
      if (Status path = check_remote_path(meters[i].password_file); !path) {
        return refused(setting, "password-file: " + path.error().detail);
      }
      meters[i].password_file = overlay.files + "/" + meters[i].password_file;
    }
  }
  if (!overlay.profile_dir.empty()) invocation_.options.profile_dirs.push_back(overlay.profile_dir);
  invocation_.options.settings += overlay.digest;
  return std::nullopt;
}

OptionSources::Refusal OptionSources::add_environment(const std::map<std::string, std::string>& environment) {
  std::map<std::string, const OptionInfo*> known;
  for (const OptionInfo& option : option_table()) known[variable_name(option.name)] = &option;
  for (const auto& [name, value] : environment) {
    if (name == "METERGATE_PASSWORD") return UsageError{name + ": " + special_refusal("password"), kWrongFlags};
    const auto found = known.find(name);
    if (found == known.end()) {
      std::vector<std::string> names;
      for (const std::string& option : agent_names()) names.push_back(variable_name(option));
      invocation_.warnings.push_back(name + " is no option and was ignored" + hint(name, names));
      continue;
    }
    const OptionInfo& option = *found->second;
    if (value.empty() || !option.of_agent()) continue;
    const std::vector<std::string> values = option.repeatable ? split(value, '\n') : std::vector<std::string>{value};
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::string one(trim(values[i]));
      if (one.empty()) continue;
      const Place place = name + (option.repeatable ? " line " + std::to_string(i + 1) : "");
      if (auto refusal = apply(option, Setting{option.name, one, place})) return refusal;
    }
  }
  return std::nullopt;
}

}  // namespace metergate
