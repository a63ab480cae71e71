#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/flag_file.h"
#include "agent/config/options.h"

namespace metergate {

/// A configuration from afar: flags as in a file of flags, and the files that they name.
struct RemoteText {
  std::string text;
  std::map<std::string, std::string> files;  ///< content by name, such as `profiles/my.ini`
};

/// The text and each file lie in a version's folder: `text`, `files/NAME`.
constexpr const char* kRemoteTextName = "text";
constexpr const char* kRemoteFilesName = "files";

/// What stands in the way of a text, for the one who wrote it.
struct RemoteProblem {
  std::string file;  ///< `text`, or the name of a file
  int line = 0;      ///< from 1; 0: of no line
  std::string text;  ///< the offending words
  std::string want;  ///< what is wrong and what would be right
};
/// Of a message of `check` about a candidate in this folder.
RemoteProblem remote_problem(const std::string& message, const std::string& folder);

/// Whether the text names only what may come from afar and its files stay in their folder. Errors: kInvalid for what is
/// never allowed or with `all` only.
Status check_remote_names(const RemoteText& change, bool all);

/// Whether a path that a text names stays below the text's own files. Errors: kInvalid.
Status check_remote_path(const std::string& path);

/// A version as it is put over the local sources.
struct RemoteOverlay {
  std::vector<FlagLine> lines;  ///< values of files are paths below the folder
  std::string files;            ///< the folder of its files
  std::string profile_dir;      ///< its profiles, where the text does not name their folder; beside the local ones
  std::string digest;           ///< the text and the files' contents
  RemoteText source;
};
/// The version `options.candidate`, or else the one that is in force; nothing where it is none. Errors: a fault of the
/// folder or in the text.
std::variant<std::optional<RemoteOverlay>, UsageError> read_remote_overlay(const RemoteOptions& options);

/// What has no version: in `RemoteOptions::candidate` for what is local alone.
constexpr const char* kNoRemoteVersion = "none";

}  // namespace metergate
