#include "agent/config/options.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <sstream>

#include "agent/base/text.h"
#include "agent/config/help.h"
#include "agent/config/option_rules.h"
#include "agent/config/option_sources.h"
#include "agent/config/option_table.h"

namespace metergate {

namespace {

namespace po = boost::program_options;
using Subcommand = Invocation::Subcommand;

constexpr unsigned kHelpWidth = 120;
constexpr unsigned kHelpText = 70;

void describe(po::options_description& to, const OptionInfo& option) {
  const std::string name = option.name == "help" ? "help,h" : option.name;
  const std::string text = option.help + (option.repeatable ? " *" : "");
  if (option.value.empty()) {
    to.add_options()(name.c_str(), text.c_str());
    return;
  }
  auto* value = po::value<std::string>()->value_name(option.value);
  if (!option.preset.empty()) value->default_value("", option.preset);
  to.add_options()(name.c_str(), value, text.c_str());
}

std::string describe_options(Subcommands subcommand) {
  std::ostringstream out;
  std::vector<std::string> groups;
  for (const OptionInfo& option : option_table()) {
    const bool shown = (option.subcommands & subcommand) != 0 && !option.group.empty();
    if (shown && std::find(groups.begin(), groups.end(), option.group) == groups.end()) groups.push_back(option.group);
  }
  for (const std::string& group : groups) {
    po::options_description options(group, kHelpWidth, kHelpText);
    for (const OptionInfo& option : option_table()) {
      if ((option.subcommands & subcommand) != 0 && option.group == group) describe(options, option);
    }
    out << "\n" << options;
  }
  return out.str();
}

std::string owner_of(const OptionInfo& option) {
  for (const SubcommandInfo& subcommand : subcommand_table()) {
    if ((option.subcommands & subcommand.bit) != 0) return subcommand.name;
  }
  return "";
}

UsageError unknown_option(const std::string& name, const SubcommandInfo& subcommand) {
  const std::string special = special_refusal(name);
  if (!special.empty()) return UsageError{"--" + name + ": " + special};
  if (const OptionInfo* option = find_option(name)) {
    return UsageError{"--" + name + " is an option of " + in_quotes(owner_of(*option)) + ", not of " +
                      in_quotes(subcommand.name)};
  }
  const auto meant = nearest(name, option_names(subcommand.bit));
  const std::string written = (name[0] == '-' ? "" : "--") + name;  // a short one keeps its dash
  return UsageError{"unknown option " + in_quotes(written) + (meant ? " (did you mean '--" + *meant + "'?)" : "") +
                    "; 'metergate " + subcommand.name + " --help' lists them"};
}

bool looks_like_a_flag(const std::string& value) { return value.compare(0, 2, "--") == 0 || value == "-h"; }

/// The words behind the subcommand, options as they were written and other words under an empty name. Names are
/// checked, values only for being there.
std::variant<std::vector<Setting>, UsageError> split_words(const SubcommandInfo& subcommand,
                                                           const std::vector<std::string>& words) {
  po::options_description options;
  for (const OptionInfo& option : option_table()) {
    if ((option.subcommands & subcommand.bit) != 0) describe(options, option);
  }
  std::vector<Setting> settings;
  try {
    const auto parsed = po::command_line_parser(words)
                            .options(options)
                            .allow_unregistered()
                            .style(po::command_line_style::unix_style & ~po::command_line_style::allow_guessing)
                            .run();
    for (const auto& option : parsed.options) {
      if (option.position_key >= 0) {
        for (const std::string& word : option.value) settings.push_back({"", word, "", false});
        continue;
      }
      if (option.unregistered) return unknown_option(option.string_key, subcommand);
      const std::string value = option.value.empty() ? "yes" : option.value.back();
      if (looks_like_a_flag(value)) {
        return UsageError{"--" + option.string_key + " has no value: " + in_quotes(value) +
                          " behind it looks like a flag"};
      }
      settings.push_back({option.string_key, value, "", false});
    }
  } catch (const po::error_with_option_name& e) {
    const OptionInfo* option = find_option(e.get_option_name().substr(2));
    if (option && option->value.empty()) return UsageError{e.get_option_name() + " takes no value"};
    return UsageError{e.get_option_name() + " has no value" +
                      (option ? "; write " + e.get_option_name() + " " + option->value : "")};
  } catch (const po::error& e) {
    return UsageError{e.what()};
  }
  return settings;
}

std::optional<UsageError> collect(OptionSources& sources, const std::vector<Setting>& settings,
                                  const std::map<std::string, std::string>& environment) {
  const auto named = environment.find(variable_name("config"));
  std::string config = named == environment.end() ? "" : named->second;
  for (const Setting& setting : settings) {
    if (setting.option == "config") config = setting.value;
  }
  if (!config.empty()) {
    if (auto refusal = sources.add_file(config)) return refusal;
  }
  if (auto refusal = sources.add_environment(environment)) return refusal;
  for (const Setting& setting : settings) {
    if (auto refusal = sources.add(setting)) return refusal;
  }
  return std::nullopt;
}

Invocation only_text(Subcommand subcommand, std::string text) {
  Invocation invocation;
  invocation.subcommand = subcommand;
  invocation.text = std::move(text);
  return invocation;
}

std::string version_text() { return std::string("metergate ") + METERGATE_VERSION + "\n"; }

}  // namespace

std::string remote_folder(const std::vector<std::string>& arguments,
                          const std::map<std::string, std::string>& environment) {
  const SubcommandInfo* subcommand = arguments.empty() ? nullptr : find_subcommand(arguments[0]);
  if (subcommand == nullptr) return "";
  const auto split = split_words(*subcommand, {arguments.begin() + 1, arguments.end()});
  const auto* settings = std::get_if<std::vector<Setting>>(&split);
  OptionSources sources;
  if (settings == nullptr || collect(sources, *settings, environment)) return "";
  return sources.invocation().options.remote.dir;
}

std::variant<Invocation, UsageError> parse_command_line(const std::vector<std::string>& arguments,
                                                        const std::map<std::string, std::string>& environment) {
  if (arguments.empty()) return UsageError{"there is no command\n" + overview()};
  const std::string& word = arguments[0];
  if (word == "--help" || word == "-h" || word == "help") return only_text(Subcommand::kHelp, overview());
  if (word == "--version") return only_text(Subcommand::kVersion, version_text());
  const SubcommandInfo* subcommand = find_subcommand(word);
  if (!subcommand)
    return UsageError{"unknown command " + in_quotes(word) + hint(word, subcommand_names()) +
                      "; 'metergate --help' lists them"};

  const auto split = split_words(*subcommand, {arguments.begin() + 1, arguments.end()});
  if (const auto* error = std::get_if<UsageError>(&split)) return *error;
  const auto& settings = std::get<0>(split);
  for (const Setting& setting : settings) {
    if (setting.option == "version") return only_text(Subcommand::kVersion, version_text());
    if (setting.option == "help") {
      return only_text(Subcommand::kHelp,
                       usage_of(*subcommand) + describe_options(subcommand->bit) + forms_of(*subcommand));
    }
  }

  const auto fresh = [&] {
    OptionSources sources;
    sources.invocation().subcommand = subcommand->subcommand;
    sources.invocation().options.store.path = kDefaultStore;
    return sources;
  };
  OptionSources sources = fresh();
  if (auto refusal = collect(sources, settings, environment)) return *refusal;
  if (!sources.invocation().options.remote.dir.empty()) {
    const auto read = read_remote_overlay(sources.invocation().options.remote);
    if (const auto* wrong = std::get_if<UsageError>(&read)) return *wrong;
    if (const auto& overlay = *std::get_if<std::optional<RemoteOverlay>>(&read)) {
      sources = fresh();
      sources.expect(*overlay);
      if (auto refusal = collect(sources, settings, environment)) return *refusal;
      if (auto refusal = sources.add_remote(*overlay)) return *refusal;
    }
  }
  if (auto refusal = complete(sources)) return *refusal;
  return std::move(sources.invocation());
}

}  // namespace metergate
