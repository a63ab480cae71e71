#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/store/watched_vfs.h"

namespace metergate {

/// A disk as it is after a loss of power. What was synced is there; of what was only written any part may be. The first
/// sync of a new file, and that of a folder, make names durable, too; else these come to the disk in their order or not
/// at all.
class CrashDisk {
 public:
  enum class Loss {
    kAll,      ///< nothing that was not synced is there
    kNone,     ///< all of it is, as after kill -9
    kSectors,  ///< a random choice of sectors of 512 bytes, some of them garbled
    kBlocks,   ///< and a block of 4096 bytes that was written to may be garbled where nothing was written
  };

  void open(const std::string& name);
  void write(const std::string& name, std::int64_t offset, const std::string& bytes);
  void truncate(const std::string& name, std::int64_t size);
  void sync(const std::string& name);
  void remove(const std::string& name);
  void rename(const std::string& from, const std::string& to);
  void sync_names() { durable_names_ = names_, steps_.clear(); }

  /// Names and contents after the loss.
  std::map<std::string, std::string> after(Loss loss, std::minstd_rand& random) const;

 private:
  struct Content {
    std::string durable, current;
    std::set<std::int64_t> touched;  // sectors written since the last sync
    bool named = false;              // its name is durable
  };
  using Names = std::map<std::string, std::shared_ptr<Content>>;

  Content& at(const std::string& name);
  static std::string torn(const Content& content, Loss loss, std::minstd_rand& random);

  Names names_, durable_names_;
  std::vector<Names> steps_;  // the names after each step since they were durable
};

}  // namespace metergate
