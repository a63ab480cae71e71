#include <algorithm>

#include "agent/base/text.h"
#include "agent/cli/subcommands.h"
#include "agent/cli/text_table.h"
#include "drivers/profile/profile.h"

namespace metergate {

int run_profiles(const Invocation& invocation, std::ostream& out, std::ostream& err) {
  const auto library = ProfileLibrary::load(invocation.options.profile_dirs);
  if (!library) {
    err << error_lines(library.error().detail);
    return kWrongFile;
  }
  const std::string& name = invocation.text;
  if (!name.empty()) {
    const auto text = library->text(name);
    if (!text) {
      err << "metergate: there is no profile " << in_quotes(name) << hint(name, library->names())
          << "; 'metergate profiles' lists them\n";
      return kWrongFlags;
    }
    out << *text << std::flush;
    return 0;
  }
  TextTable table({"NAME", "MAKER", "MODEL", "POINTS", ""});
  for (const std::string& known : library->names()) {
    const Profile& profile = *library->find(known);
    table.add({known, profile.maker, profile.model, std::to_string(profile.points.size()), profile.title});
  }
  table.print(out);
  return 0;
}

}  // namespace metergate
