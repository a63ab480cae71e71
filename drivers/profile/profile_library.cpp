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

}  // namespace

Result<ProfileLibrary> ProfileLibrary::load(const std::vector<std::string>& folders) {
  ProfileLibrary library;
  for (auto& [name, text] : builtin_profiles()) {
    library.entries_.emplace(name, Entry{"built-in " + name + ".ini", text, nullptr});
  }
  std::vector<std::string> added;
  for (const std::string& folder : folders) {
    const auto files = files_of(folder);
    if (!files) return files.error();
    for (const fs::path& file : *files) {
      const Result<bool> is_new = library.add_file(file.string());
      if (!is_new) return is_new.error();
      if (*is_new) added.push_back(file.stem().string());
    }
  }
  std::sort(added.begin(), added.end());
  for (const std::string& name : added) {
    auto profile = library.parse(name);
    if (!profile) return profile.error();
    library.entries_.at(name).profile = std::make_unique<Profile>(std::move(*profile));
  }
  return library;
}

/// False: the same text is there already.
Result<bool> ProfileLibrary::add_file(const std::string& file) {
  const std::string name = fs::path(file).stem().string();
  if (!is_profile_name(name)) return wrong(file, "the name of a profile is 1 to 64 letters, digits, '_', '-' and '.'");
  auto text = read_file(file, kLargestFile);
  if (!text) return text.error();
  const auto [known, is_new] = entries_.emplace(name, Entry{file, *text, nullptr});
  if (!is_new && known->second.text != *text) {
    return wrong(file, "a profile named " + name + " is " + known->second.file +
                           "; a variant needs another name, and may extend it");
  }
  if (entries_.size() > kMostProfiles) return wrong(file, "at most 1000 profiles");
  return is_new;
}

Result<Profile> ProfileLibrary::parse(const std::string& name) const {
  const Entry& entry = entries_.at(name);
  return parse_profile(
      name, entry.file, entry.text, [this](const std::string& base) { return text(base); }, names());
}

const Profile* ProfileLibrary::find(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return nullptr;
  Entry& entry = found->second;
  if (!entry.profile) {
    auto profile = parse(name);
    if (!profile) return nullptr;  // a mistake in a built-in one; its tests find it
    entry.profile = std::make_unique<Profile>(std::move(*profile));
  }
  return entry.profile.get();
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
