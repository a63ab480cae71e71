#include "agent/config/remote_overlay.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "agent/base/text.h"
#include "agent/config/remote_state.h"

namespace metergate {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 100;
constexpr std::size_t kLongestName = 200;
const std::string kProfileFolder = "profiles";

const std::vector<std::string>& options_of_meters() {
  static const std::vector<std::string> names{
      "bus",        "meter",       "poll",        "meters",       "profile-dir", "batch",   "max-inflight",
      "keep-alive", "backoff-min", "backoff-max", "commit-every", "keep-sent",   "payload", "log-level"};
  return names;
}

const std::vector<std::string>& options_of_uplink() {
  static const std::vector<std::string> names{"upstream",        "username", "delivery",
                                              "receipt-timeout", "ca-file",  "cert-file"};
  return names;
}

bool among(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool names_a_path(const std::string& option) {
  return option == "meters" || option == "profile-dir" || option == "ca-file" || option == "cert-file";
}

Result<RemoteText> read_version(const fs::path& folder) {
  RemoteText source;
  auto text = read_file((folder / kRemoteTextName).string());
  if (!text) return text.error();
  source.text = std::move(*text);
  const fs::path files = folder / kRemoteFilesName;
  std::error_code none;
  for (auto it = fs::recursive_directory_iterator(files, none); it != fs::recursive_directory_iterator();
       it.increment(none)) {
    if (!it->is_regular_file(none)) continue;
    auto content = read_file(it->path().string());
    if (!content) return content.error();
    source.files[fs::relative(it->path(), files, none).string()] = std::move(*content);
  }
  return source;
}

Result<std::string> version_in_force(const RemoteOptions& options) {
  if (!options.candidate.empty()) return options.candidate == kNoRemoteVersion ? std::string() : options.candidate;
  const auto text = read_file((fs::path(options.dir) / "state").string());
  std::error_code none;
  if (!text && !fs::exists(fs::path(options.dir) / "state", none)) return std::string();
  if (!text) return text.error();
  const auto state = parse_remote_state(*text);
  if (!state) return Error{Errc::kInvalid, options.dir + "/state: " + state.error().detail};
  return state->in_force();
}

}  // namespace

Status check_remote_path(const std::string& path) {
  bool right = !path.empty() && path.size() <= kLongestName;
  for (const std::string& part : split(path, '/')) {
    const bool plain = std::all_of(part.begin(), part.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
             c == '-';
    });
    right = right && plain && !part.empty() && part[0] != '.';
  }
  if (right) return {};
  return Error{Errc::kInvalid, in_quotes(path) +
                                   " is no path below the text's own files: names of letters, digits, '.', '_' and "
                                   "'-', which do not begin with '.', with '/' between them"};
}

Status check_remote_names(const RemoteText& change, bool all) {
  const auto lines = parse_flag_file(kRemoteTextName, change.text);
  if (const auto* wrong = std::get_if<UsageError>(&lines)) return Error{Errc::kNotFound, wrong->message};
  for (const FlagLine& line : *std::get_if<std::vector<FlagLine>>(&lines)) {
    const bool of_uplink = among(options_of_uplink(), line.name);
    if (of_uplink && !all) {
      return Error{Errc::kInvalid,
                   line.place + ": '" + line.name + "' may come from afar only with --remote-allow all"};
    }
    if (!of_uplink && !among(options_of_meters(), line.name)) {
      return Error{Errc::kInvalid, line.place + ": " + in_quotes(line.name) + " never comes from afar" +
                                       hint(line.name, options_of_meters())};
    }
    if (!names_a_path(line.name)) continue;
    if (Status path = check_remote_path(line.value); !path) {
      return Error{Errc::kInvalid, line.place + ": " + line.name + ": " + path.error().detail};
    }
  }
  if (change.files.size() > kMostFiles) {
    return Error{Errc::kInvalid, std::to_string(change.files.size()) + " files; at most " + std::to_string(kMostFiles) +
                                     " are possible"};
  }
  for (const auto& [name, content] : change.files) {
    if (Status path = check_remote_path(name); !path) return Error{Errc::kInvalid, "files: " + path.error().detail};
  }
  return {};
}

RemoteProblem remote_problem(const std::string& message, const std::string& folder) {
  RemoteProblem problem;
  std::string rest = message;
  const std::string files = folder + "/" + kRemoteFilesName + "/";
  for (std::size_t at = rest.find(files); at != std::string::npos; at = rest.find(files)) rest.erase(at, files.size());
  const std::size_t end = rest.find(": ");
  const std::size_t colon = end == std::string::npos ? std::string::npos : rest.rfind(':', end - 1);
  const auto line = colon == std::string::npos
                        ? Result<std::int64_t>(Error{Errc::kInvalid, ""})
                        : parse_integer(std::string_view(rest).substr(colon + 1, end - colon - 1), 1, 10'000'000);
  if (line) {
    problem.file = rest.substr(0, colon);
    problem.line = static_cast<int>(*line);
    rest.erase(0, end + 2);
  }
  const std::size_t quote = rest.find('\'');
  if (quote != std::string::npos) problem.text = rest.substr(quote + 1, rest.find('\'', quote + 1) - quote - 1);
  problem.want = std::move(rest);
  return problem;
}

std::variant<std::optional<RemoteOverlay>, UsageError> read_remote_overlay(const RemoteOptions& options) {
  const auto wrong = [](const Error& error) { return UsageError{error.detail, kWrongFile}; };
  const auto version = version_in_force(options);
  if (!version) return wrong(version.error());
  if (version->empty()) return std::optional<RemoteOverlay>();
  const fs::path folder = fs::path(options.dir) / *version;
  auto source = read_version(folder);
  if (!source) return wrong(source.error());
  if (Status names = check_remote_names(*source, options.all); !names) return wrong(names.error());
  auto lines = parse_flag_file(kRemoteTextName, source->text);
  if (auto* error = std::get_if<UsageError>(&lines)) return std::move(*error);
  RemoteOverlay overlay;
  overlay.lines = std::move(*std::get_if<std::vector<FlagLine>>(&lines));
  overlay.files = (folder / kRemoteFilesName).string();
  overlay.digest = source->text + '\n';
  bool profiles_named = false;
  for (FlagLine& line : overlay.lines) {
    profiles_named = profiles_named || line.name == "profile-dir";
    if (names_a_path(line.name)) line.value = (folder / kRemoteFilesName / line.value).string();
  }
  bool profiles = false;
  for (const auto& [name, content] : source->files) {
    overlay.digest += name + '\0' + content + '\0';
    profiles = profiles || name.compare(0, kProfileFolder.size() + 1, kProfileFolder + "/") == 0;
  }
  if (profiles && !profiles_named) overlay.profile_dir = (folder / kRemoteFilesName / kProfileFolder).string();
  overlay.source = std::move(*source);
  return std::optional<RemoteOverlay>(std::move(overlay));
}

}  // namespace metergate
