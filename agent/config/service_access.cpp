#include "agent/config/service_access.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "agent/base/text.h"

namespace metergate {

namespace fs = std::filesystem;

std::optional<UserAccess> UserAccess::of(const std::string& user) {
  const passwd* entry = ::getpwnam(user.c_str());
  if (entry == nullptr) return std::nullopt;
  const uid_t uid = entry->pw_uid;
  std::vector<gid_t> groups(64);
  int count = static_cast<int>(groups.size());
  if (::getgrouplist(user.c_str(), entry->pw_gid, groups.data(), &count) < 0) return std::nullopt;
  groups.resize(static_cast<std::size_t>(count));
  return UserAccess(uid, std::move(groups));
}

bool UserAccess::allows(const std::string& path, int wanted) const {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return true;
  const bool member = std::find(groups_.begin(), groups_.end(), info.st_gid) != groups_.end();
  const unsigned shift = info.st_uid == user_ ? 6 : member ? 3 : 0;
  const unsigned mode = (info.st_mode >> shift) & 7U;  // in the bits of access(2): R_OK 4, W_OK 2, X_OK 1
  return (mode & static_cast<unsigned>(wanted)) == static_cast<unsigned>(wanted);
}

bool UserAccess::may(const std::string& path, int wanted) const {
  const fs::path full = fs::absolute(path).lexically_normal();
  fs::path at;
  for (const fs::path& part : full.parent_path()) {
    at /= part;
    if (!allows(at.string(), X_OK)) return false;
  }
  return allows(full.string(), wanted);
}

std::vector<std::string> access_warnings(const UserAccess& access, const std::vector<UsedPath>& paths) {
  std::vector<std::string> warnings;
  for (const UsedPath& used : paths) {
    bool good = access.may(used.path, used.written ? R_OK | W_OK : R_OK);
    if (used.written) {
      const std::string folder = fs::absolute(used.path).parent_path().string();
      good = good && access.may(folder, R_OK | W_OK | X_OK);
    }
    if (good) continue;
    warnings.push_back(used.flag + ": the service's user " + kServiceUser + " cannot " +
                       (used.written ? "read and write " : "read ") + in_quotes(used.path) +
                       "; change its owner or mode, or those of a folder above it");
  }
  return warnings;
}

}  // namespace metergate
