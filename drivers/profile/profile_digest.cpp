#include <algorithm>

#include "agent/base/hash.h"
#include "drivers/profile/profile_check.h"

namespace metergate {

namespace {

/// A text in which no two different points look alike: each field with its length in front.
class Description {
 public:
  void add(const std::string& field) { text_ += std::to_string(field.size()) + ":" + field; }
  void add(std::int64_t field) { add(std::to_string(field)); }
  void add(const Decimal& field) { add(field.text()); }
  void add(const std::optional<Decimal>& field) { add(field ? field->text() : "none"); }
  template <class Enum>
  void add_enum(Enum field) {
    add(static_cast<long>(field));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

void describe_write(const WriteRule& rule, Description* out) {
  out->add_enum(rule.form);
  out->add(rule.address);
  for (const Decimal& allowed : rule.allow) out->add(allowed);
  for (const RelayOrder order : rule.orders) out->add_enum(order);
  out->add(rule.verify);
}

std::string describe(const Point& point) {
  Description out;
  out.add(point.name);
  out.add_enum(point.table);
  for (const std::uint16_t address : point.addresses) out.add(address);
  out.add_enum(point.type);
  out.add_enum(point.order);
  for (const int field : {point.registers, static_cast<int>(point.high_byte), point.bit_first, point.bit_width,
                          point.chars, point.exponent_minus}) {
    out.add(field);
  }
  out.add_enum(point.time_form);
  out.add_enum(point.ratio);
  out.add_enum(point.kind);
  out.add(point.scale);
  out.add(point.offset);
  for (const auto& [number, name] : point.names) {
    out.add(number);
    out.add(name);
  }
  for (const std::uint64_t pattern : point.not_available) out.add(std::to_string(pattern));
  for (const auto* limit : {&point.min, &point.max, &point.wraps}) out.add(*limit);
  for (const std::string* text :
       {&point.exponent_point, &point.times_point, &point.sign_point, &point.unit, &point.obis}) {
    out.add(*text);
  }
  // Only where they are given: digests stay as they were before there were these keys. max_rise judges a value and
  // gives it no meaning.
  if (!point.byte_order.empty()) out.add("byte_order" + point.byte_order);
  if (point.register_bytes != kRegisterBytes) out.add("register_bytes" + std::to_string(point.register_bytes));
  for (const Block& place : point.places) {
    out.add("item" + std::to_string(place.item));
    out.add(place.address);
    out.add(place.count);
  }
  if (point.write) describe_write(*point.write, &out);
  return out.text();
}

}  // namespace

std::string digest_of(const Profile& profile) {
  std::vector<std::string> points;
  for (const Point& point : profile.points) points.push_back(describe(point));
  std::sort(points.begin(), points.end());
  std::string all;
  for (const std::string& point : points) all += point;
  return fnv1a_hex(all);
}

std::string digest_of(const Profile& profile, const Point& point) {
  std::string all = describe(point);
  std::vector<const Point*> scaling{&point};
  for (std::size_t i = 0; i < scaling.size(); ++i) {
    for (const std::string* name : {&scaling[i]->exponent_point, &scaling[i]->times_point, &scaling[i]->sign_point}) {
      const Point* other = profile.find(*name);
      if (other == nullptr || std::count(scaling.begin(), scaling.end(), other) != 0) continue;
      scaling.push_back(other);
      all += describe(*other);
    }
  }
  return fnv1a_hex(all);
}

}  // namespace metergate
