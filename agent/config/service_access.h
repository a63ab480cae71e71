#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "agent/config/options.h"

namespace metergate {

constexpr const char* kServiceUser = "metergate";  ///< of systemd/metergate.service

/// What another user may do with files, by their owner, group and mode; access(2) answers for the calling user alone.
class UserAccess {
 public:
  /// Nothing when there is no such user.
  static std::optional<UserAccess> of(const std::string& user);
  UserAccess(uid_t user, std::vector<gid_t> groups) : user_(user), groups_(std::move(groups)) {}

  /// Whether the path, or the nearest folder above it that exists, lets the user in and has the wanted bits of
  /// access(2): R_OK, W_OK, X_OK. True where nothing exists that could be asked.
  bool may(const std::string& path, int wanted) const;

 private:
  bool allows(const std::string& path, int wanted) const;
  uid_t user_;
  std::vector<gid_t> groups_;
};

/// What a path of the options is for.
struct UsedPath {
  std::string flag;
  std::string path;
  bool written = false;  ///< the store: read, written, and its folder too
};

/// A warning for each path that exists and that the user cannot use as the agent would.
std::vector<std::string> access_warnings(const UserAccess& access, const std::vector<UsedPath>& paths);

}  // namespace metergate
