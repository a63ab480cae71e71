#pragma once

#include <optional>
#include <string>

#include "agent/config/remote_overlay.h"
#include "agent/config/remote_state.h"
#include "agent/remote/remote_files.h"

namespace metergate {

/// The configurations from afar on disk, and the trial of a new one. Each step is one replacement of the file `state`:
/// whenever the process or the power ends, the next start finds the old configuration or the new one, and a trial goes
/// on where it was.
///
///     begin > start > ready > confirm              the new one is in force for good
///                   >       > give_up              the one before is in force again, from the next start on
///             start, where the start before it did not get to ready: cannot_start
///
/// No clock and no disk of its own: time is told, files are behind RemoteFiles. One thread.
class RemoteTrials {
 public:
  static constexpr int kMostStarts = 5;  ///< of one trial: more is a crash loop

  explicit RemoteTrials(RemoteFiles& files) : files_(files) {}

  /// Errors: kCorrupt (a damaged state; it is as none), kInvalid (cannot be read).
  Status load();
  const RemoteState& state() const { return state_; }
  bool on_trial() const { return state_.trial && state_.trial->phase != RemoteTrial::Phase::kNew; }
  /// Whether and how this command's trial ended.
  const RemoteOutcome* outcome_of(const std::string& command) const;

  /// Writes the text under a new version, which it returns; nothing is in force yet. Errors: kStorage.
  Result<std::string> write(const RemoteText& change);
  /// From the next start on this version is tried. Errors: kStorage (nothing has changed).
  Status begin(RemoteTrial trial);
  /// A part of a change that comes in several. Errors: kStorage.
  Status keep_part(const std::string& change, int part, const std::string& content);
  Result<std::string> part(const std::string& change, int part);
  void forget_parts() { files_.remove("parts"); }

  /// A process starts. Counts it, and ends a trial that has shown that it cannot start. Errors: kStorage; then the
  /// version before is to be used.
  Status start();
  Status ready();
  Status spend(Millis more);
  Status confirm();
  /// `how`: not_confirmed or cannot_start.
  Status give_up(const std::string& how);
  /// Removes versions that nothing refers to.
  void clean();

 private:
  Status end(const std::string& how);
  Status save(RemoteState next);
  RemoteFiles& files_;
  RemoteState state_;
};

}  // namespace metergate
