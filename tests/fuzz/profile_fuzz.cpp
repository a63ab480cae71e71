#include "drivers/profile/decode.h"
#include "drivers/profile/plan.h"
#include "drivers/profile/profile.h"
#include "tests/fuzz/fuzz.h"

using namespace metergate;

/// The text of a profile: it is refused with its file and line, or it can be planned and decoded.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto base = [](const std::string& name) -> std::optional<std::string> {
    if (name != "base") return std::nullopt;
    return "[profile]\nformat = 1\nname = base\nmaker = m\nmodel = m\n[points]\na = holding 0 u16\n";
  };
  const auto profile = parse_profile("fuzz", "fuzz.ini", text_of(data, size), base, {"base"});
  if (!profile) {
    must(profile.error().detail.rfind("fuzz.ini", 0) == 0, "a refusal begins with the file");
    return 0;
  }
  RegisterImage image;
  std::vector<const Point*> points;
  for (const Point& point : profile->points) points.push_back(&point);
  std::uint16_t word = 0;
  for (const Block& block : plan_blocks(*profile, with_dependencies(*profile, points), PlanCost{})) {
    must(block.count > 0 && block.address + block.count <= 65536, "a block lies within the registers");
    Words words;
    for (int i = 0; i < block.count; ++i) words.push_back(static_cast<std::uint16_t>(word += 40503));
    image.put(block, words);
  }
  for (const Point* point : points) static_cast<void>(decode(*profile, *point, image, Ratios{}));
  return 0;
}
