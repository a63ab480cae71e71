#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/sqlite/file_store.h"
#include "tests/fakes/fake_clock.h"

namespace metergate {

/// A folder of its own that goes with it.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  std::vector<std::string> files() const;  ///< names, sorted
  std::int64_t bytes() const;              ///< of all files

 private:
  std::string path_;
};

/// Bytes that tell what they were made of: `E/lane/N body`.
RecordFormat plain_format();

Draft reading(const std::string& body, bool keep_high = true);
Draft event(const std::string& body);
Draft result(const std::string& body);
StoredCommand command(const std::string& id, const std::string& bus = "b1", bool write = false);

/// The real store on real files, stepped on the test's own thread by a clock that moves only when told.
class StoreTest : public ::testing::Test {
 protected:
  StoreTest();
  ~StoreTest() override;

  Result<std::unique_ptr<FileStore>> try_open();
  void open();  ///< opens and begins the next epoch, e1, e2, ...
  void begin(const std::string& epoch);
  void close();  ///< finish, as at SIGTERM
  void crash();  ///< no goodbye, as at kill -9: the files stay as they are now
  void restart();
  void run();              ///< steps until there is nothing to do now
  void pass(Millis time);  ///< time passes, step by step
  void append(const Draft& draft) { store_->append({draft}); }
  void append_committed(const Draft& draft);
  void deliver(Lane lane, std::int64_t key);
  /// Everything of a lane behind `after`, `body`s only: what plain_format() made of them is checked.
  std::vector<std::string> bodies(Lane lane, std::int64_t after = 0);
  std::vector<Row> rows(Lane lane, std::int64_t after = 0);
  Admission admit(const std::string& id, const std::string& bus = "b1", bool write = false);

  TempFolder folder_;
  FakeClock clock_;
  Log log_;
  std::unique_ptr<FileSystem> file_system_ = posix_file_system();
  StoreSettings settings_;
  std::unique_ptr<FileStore> store_;
  int epochs_ = 0;
  int steps_a_wake_ = 1;  ///< of the store's thread before a caller that waits gives up
  int commits_told_ = 0;
  bool ended_ = false;
};

}  // namespace metergate
