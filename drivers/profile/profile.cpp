#include "drivers/profile/profile.h"

#include <algorithm>
#include <array>
#include <set>

#include "drivers/profile/profile_check.h"
#include "drivers/profile/profile_line.h"
#include "drivers/profile/profile_sections.h"

namespace metergate {

namespace {

constexpr int kMostPreamble = 16, kHighestLevel = 99;
constexpr std::size_t kMostPoints = 1000;
constexpr std::size_t kDeepestBase = 8;
constexpr std::size_t kLongestTitle = 64;

constexpr std::size_t kMostRefusals = 20;

/// The wrong lines of a profile, one below the other; whoever writes one mends them all at once.
class Refusals {
 public:
  void add(const Error& error) {
    if (count_ < kMostRefusals) text_ += (text_.empty() ? "" : "\n") + error.detail;
    ++count_;
  }
  bool empty() const { return count_ == 0; }
  Error error() const {
    const bool more = count_ > kMostRefusals;
    return Error{Errc::kInvalid,
                 text_ + (more ? "\nand " + std::to_string(count_ - kMostRefusals) + " more wrong lines" : "")};
  }

 private:
  std::string text_;
  std::size_t count_ = 0;
};

constexpr std::array<Keyword<Family>, 3> kProtocols{
    {{"modbus", Family::kModbus}, {"dlt645-2007", Family::kDlt645}, {"dlt645-1997", Family::kDlt645Of1997}}};
/// Keys of [profile] that say how registers are read.
constexpr std::array<const char*, 4> kOfRegisters{"order", "max_registers", "hole", "identify"};

/// A profile on its way through the files it extends.
struct Draft {
  Profile profile;
  WordOrder order = WordOrder::kABCD;
  std::map<std::string, std::string> files;  ///< where each point's line is
};

class Reader {
 public:
  Reader(const ProfileText& base, const std::vector<std::string>& known) : base_(base), known_(known) {}

  Result<Draft> read(const std::string& name, const std::string& file, std::string_view text) {
    const auto sections = read_sections(file, text);
    if (!sections) return sections.error();
    chain_.push_back(name);
    Draft draft;
    const auto extends = std::find_if(sections->profile.begin(), sections->profile.end(),
                                      [](const ProfileLine& line) { return line.key == "extends"; });
    if (extends != sections->profile.end()) {
      const auto base_text = find_base(extends->value);
      if (!base_text) return at_line(file, extends->number, base_text.error());
      Result<Draft> base = read(extends->value, extends->value + ".ini", *base_text);
      if (!base) return base;
      draft = std::move(*base);
    }
    draft.profile.name = name;
    read_header(file, *sections, &draft);
    read_points(file, sections->points, &draft);
    return draft;
  }
  const Refusals& refusals() const { return refusals_; }

 private:
  Result<std::string> find_base(const std::string& name) const {
    if (std::count(chain_.begin(), chain_.end(), name) != 0 || chain_.size() >= kDeepestBase) {
      return wrong(name, "extends goes in a circle, or over more than " + std::to_string(kDeepestBase) + " profiles");
    }
    auto text = base_(name);
    if (!text) return wrong(name, "no such profile" + hint(name, known_));
    return std::move(*text);
  }

  void read_header(const std::string& file, const ProfileSections& sections, Draft* draft) {
    std::set<std::string> seen;
    for (const ProfileLine& line : sections.profile) {
      if (line.key != "protocol") continue;
      if (Status taken = take_protocol(line, draft); !taken) refusals_.add(at_line(file, line.number, taken.error()));
    }
    for (const ProfileLine& line : sections.profile) {
      Status taken = seen.insert(line.key).second ? take_key(line, draft)
                                                  : Status(wrong(line.key, "was given before in this section"));
      if (!taken) refusals_.add(at_line(file, line.number, taken.error()));
    }
    if (seen.count("format") == 0)
      refusals_.add(at_line(file, sections.header, wrong("[profile]", "needs format = 1")));
    // Behind the loop: `order` may stand below it.
    for (const ProfileLine& line : sections.profile) {
      if (line.key != "identify") continue;
      const auto identify = parse_identify(line.value, draft->order);
      if (identify) {
        draft->profile.identify = *identify;
      } else {
        refusals_.add(at_line(file, line.number, identify.error()));
      }
    }
  }

  static Status take_protocol(const ProfileLine& line, Draft* draft) {
    const auto family = one_of(kProtocols, line.value, "protocol");
    if (!family) return family.error();
    if (!draft->profile.points.empty() && *family != draft->profile.family) {
      return wrong(line.value, "the profile that this one extends has another protocol");
    }
    draft->profile.family = *family;
    return {};
  }

  static Status take_title(const ProfileLine& line, std::string* out) {
    *out = line.value;
    if (out->size() > 1 && out->front() == '"' && out->back() == '"') *out = out->substr(1, out->size() - 2);
    if (out->empty() || out->size() > kLongestTitle) {
      return wrong(line.value, line.key + " is a text of 1 to " + std::to_string(kLongestTitle) + " bytes");
    }
    return {};
  }

  static Status take_key(const ProfileLine& line, Draft* draft) {
    Profile& profile = draft->profile;
    if (profile.family != Family::kModbus && std::count(kOfRegisters.begin(), kOfRegisters.end(), line.key) != 0) {
      return wrong(line.key, "has no meaning with protocol = " + protocol_name(profile.family));
    }
    if (profile.family != Family::kDlt645 && (line.key == "preamble" || line.key == "password_level")) {
      return wrong(line.key, "goes with protocol = dlt645-2007");
    }
    if (line.key == "extends" || line.key == "identify" || line.key == "protocol") return {};
    if (line.key == "format") return line.value == "1" ? Status() : wrong(line.value, "this program reads format = 1");
    if (line.key == "name") return take_title(line, &profile.title);
    if (line.key == "maker") return take_title(line, &profile.maker);
    if (line.key == "model") return take_title(line, &profile.model);
    if (line.key == "order") {
      const auto order = parse_order(line.value);
      if (!order) return order.error();
      draft->order = *order;
    } else if (line.key == "max_registers") {
      const auto most = number_within(line.value, 1, kMostRegisters, "max_registers");
      if (!most) return most.error();
      profile.max_registers = *most;
    } else if (line.key == "hole") {
      const auto hole = number_within(line.value, 0, kMostBits, "hole");
      if (!hole) return hole.error();
      profile.hole = *hole;
    } else if (line.key == "preamble") {
      const auto preamble = number_within(line.value, 0, kMostPreamble, "preamble, the FEs before a request,");
      if (!preamble) return preamble.error();
      profile.preamble = *preamble;
    } else if (line.key == "password_level") {
      const auto level = number_within(line.value, 0, kHighestLevel, "password_level");
      if (!level) return level.error();
      profile.password_level = *level;
    } else if (line.key == "pause") {
      const auto pause = parse_duration(line.value, Millis(0), Millis(60'000));
      if (!pause) return wrong(line.value, "pause is a duration from 0s to 60s, such as 50ms");
      profile.pause = *pause;
    } else {
      return wrong(line.key, "no such key" + hint(line.key, {"format", "name", "maker", "model", "protocol", "order",
                                                             "max_registers", "hole", "pause", "extends", "identify",
                                                             "preamble", "password_level"}));
    }
    return {};
  }

  void read_points(const std::string& file, const std::vector<ProfileLine>& lines, Draft* draft) {
    std::map<std::string, int> seen;
    for (const ProfileLine& line : lines) {
      Status taken = take_point(line, file, &seen, draft);
      if (!taken) refusals_.add(at_line(file, line.number, taken.error()));
    }
  }

  static Status take_point(const ProfileLine& line, const std::string& file, std::map<std::string, int>* seen,
                           Draft* draft) {
    std::vector<Point>& points = draft->profile.points;
    if (!is_point_name(line.key)) {
      return wrong(line.key, "the name of a point is a small letter and at most 63 more, digits or underscores");
    }
    const auto [before, is_new] = seen->emplace(line.key, line.number);
    if (!is_new) return wrong(line.key, "was given before in line " + std::to_string(before->second));
    Result<Point> point = parse_point(line.key, line.value, draft->order, draft->profile.family);
    if (!point) return point.error();
    point->line = line.number;
    draft->files[line.key] = file;
    const auto same = std::find_if(points.begin(), points.end(), [&](const Point& p) { return p.name == line.key; });
    if (same != points.end()) {
      *same = std::move(*point);
      return {};
    }
    if (points.size() >= kMostPoints) return wrong(line.key, "a profile has at most 1000 points");
    points.push_back(std::move(*point));
    return {};
  }

  const ProfileText& base_;
  const std::vector<std::string>& known_;
  std::vector<std::string> chain_;  ///< the profile, what it extends, and so on
  Refusals refusals_;
};

}  // namespace

std::string protocol_name(Family family) {
  const auto* const found = std::find_if(kProtocols.begin(), kProtocols.end(),
                                         [&](const Keyword<Family>& word) { return word.meaning == family; });
  return found->name;
}

const Point* Profile::find(std::string_view point) const {
  const auto found = std::find_if(points.begin(), points.end(), [&](const Point& p) { return p.name == point; });
  return found == points.end() ? nullptr : &*found;
}

std::vector<std::string> Profile::point_names() const {
  std::vector<std::string> names;
  for (const Point& point : points) names.push_back(point.name);
  return names;
}

Result<Profile> parse_profile(const std::string& name, const std::string& file, std::string_view text,
                              const ProfileText& base, const std::vector<std::string>& known) {
  Reader reader(base, known);
  Result<Draft> draft = reader.read(name, file, text);
  if (!draft) return draft.error();
  if (!reader.refusals().empty()) return reader.refusals().error();
  Refusals faults;
  for (const PointFault& fault : check_points(draft->profile)) {
    faults.add(at_line(draft->files[fault.point->name], fault.point->line, Error{Errc::kInvalid, fault.text}));
  }
  if (!faults.empty()) return faults.error();
  draft->profile.digest = digest_of(draft->profile);
  return std::move(draft->profile);
}

}  // namespace metergate
