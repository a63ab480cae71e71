#pragma once

#include <map>
#include <set>
#include <string>

#include "agent/remote/remote_files.h"

namespace metergate {

/// A disk in memory that can lose its power at the nth change: before it or behind it, as a rename that is synced does.
class FakeRemoteFiles : public RemoteFiles {
 public:
  struct PowerCut {};

  Result<std::string> read(const std::string& path) override {
    const auto found = files.find(path);
    if (found == files.end()) return Error{Errc::kNotFound, path};
    return found->second;
  }
  Status write(const std::string& path, const std::string& content) override {
    if (full) return Error{Errc::kStorage, path + ": no space left on device"};
    change([&] { files[path] = content; });
    return {};
  }
  std::vector<std::string> list() override {
    std::set<std::string> names;
    for (const auto& [path, content] : files) names.insert(path.substr(0, path.find('/')));
    return {names.begin(), names.end()};
  }
  void remove(const std::string& path) override {
    change([&] {
      for (auto it = files.begin(); it != files.end();) {
        const bool in = it->first == path || it->first.compare(0, path.size() + 1, path + "/") == 0;
        it = in ? files.erase(it) : std::next(it);
      }
    });
  }

  std::map<std::string, std::string> files;
  bool full = false;
  int cut_at = 0;           ///< the change, from 1; 0: never
  bool cut_behind = false;  ///< it has happened
  int changes = 0;

 private:
  template <class Change>
  void change(Change make) {
    ++changes;
    if (changes == cut_at && !cut_behind) throw PowerCut();
    make();
    if (changes == cut_at) throw PowerCut();
  }
};

}  // namespace metergate
