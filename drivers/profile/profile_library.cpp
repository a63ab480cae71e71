#include <algorithm>
#include <filesystem>
#include <system_error>

#include "drivers/profile/builtin_profiles.h"
#include "drivers/profile/profile.h"
#include "drivers/profile/profile_tokens.h"

namespace metergate {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargestFile = 1 << 20;
constexpr std::size_t kMostProfiles = 1000;

struct Source {
  std::string file;
  std::string text;
};
using Sources = std::map<std::string, Source>;

bool is_profile_name(const std::string& name) {
  const std::string good = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  return !name.empty() && name.size() <= 64 && name.front() != '.' && name.find_first_not_of(good) == std::string::npos;
}

/// The .ini files of a folder, sorted; hidden ones are an editor's.
Result<std::vector<fs::path>> files_of(const std::string& folder) {
  std::error_code error;
  std::vector<fs::path> files;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const fs::path& path = entry->path();
    if (path.extension() == ".ini" && path.filename().string().front() != '.') files.push_back(path);
  }
  if (error) {
    return Error{Errc::kNotFound, wrong(folder, error.message() + "; a folder of NAME.ini files is needed").detail};
  }
  std::sort(files.begin(), files.end());
  return files;
}

Status add_file(const fs::path& path, Sources* sources) {
  const std::string name = path.stem().string();
  if (!is_profile_name(name)) {
    return wrong(path.string(), "the name of a profile is 1 to 64 letters, digits, '_', '-' and '.'");
  }
  auto text = read_file(path.string(), kLargestFile);
  if (!text) return text.error();
  const auto [known, is_new] = sources->emplace(name, Source{path.string(), *text});
  if (!is_new && known->second.text != *text) {
    return wrong(path.string(), "a profile named " + name + " is " + known->second.file +
                                    "; a variant needs another name, and may extend it");
  }
  if (sources->size() > kMostProfiles) return wrong(path.string(), "at most 1000 profiles");
  return {};
}

}  // namespace

Result<ProfileLibrary> ProfileLibrary::load(const std::vector<std::string>& folders) {
  Sources sources;
  for (auto& [name, text] : builtin_profiles()) sources.emplace(name, Source{"built-in " + name + ".ini", text});
  for (const std::string& folder : folders) {
    const auto files = files_of(folder);
    if (!files) return files.error();
    for (const fs::path& file : *files) {
      if (Status added = add_file(file, &sources); !added) return added.error();
    }
  }

  const ProfileText base = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = sources.find(name);
    if (found == sources.end()) return std::nullopt;
    return found->second.text;
  };
  std::vector<std::string> known;
  for (const auto& [name, source] : sources) known.push_back(name);
  ProfileLibrary library;
  for (const auto& [name, source] : sources) {
    auto profile = parse_profile(name, source.file, source.text, base, known);
    if (!profile) return profile.error();
    library.entries_.emplace(name, Entry{source.text, std::move(*profile)});
  }
  return library;
}

const Profile* ProfileLibrary::find(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second.profile;
}

std::vector<std::string> ProfileLibrary::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

std::optional<std::string> ProfileLibrary::text(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return std::nullopt;
  return found->second.text;
}

}  // namespace metergate
