#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "agent/admin/listener.h"
#include "agent/base/fd.h"
#include "agent/base/log.h"
#include "agent/base/log_throttle.h"
#include "agent/base/result.h"

namespace metergate {

/// A listening stream socket in the file system, mode 0660. Removes its file at the end if it is still its own. Looks
/// every 30 s whether that is so: a file that was removed is made again.
class UnixListener : public Listener {
 public:
  /// Replaces the socket of a dead process. Errors: kLocked (a living process listens there), kNotFound (no such
  /// folder), kInvalid (path too long, no right to it, or a file there that is not a socket), kFull (no descriptor).
  /// `log`: is told when the file is made again, or cannot be.
  static Result<UnixListener> open(const std::string& path, Log* log = nullptr);
  UnixListener(UnixListener&&) noexcept = default;
  UnixListener& operator=(UnixListener&&) = delete;
  ~UnixListener() override;

  int fd() const override { return fd_.get(); }
  MonoTime step(MonoTime now) override;

 private:
  UnixListener(std::string path, Fd fd, Log* log);
  void remember_file();
  bool has_file() const;
  std::string path_;
  Fd fd_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  MonoTime next_look_{MonoTime::min()};
  Log* log_;
  std::unique_ptr<LogThrottle> throttle_ = std::make_unique<LogThrottle>();
};

/// Waits at most `patience` while the listener's queue is full. Errors: kOffline (nobody listens there), kInvalid (path
/// too long, no right to it), kTimeout, kFull.
Result<Fd> connect_unix(const std::string& path, Millis patience);

}  // namespace metergate
