#include "tests/store/crash_disk.h"

#include <algorithm>

namespace metergate {

namespace {

constexpr std::int64_t kSector = 512;
constexpr std::int64_t kBlock = 4096;

void put(std::string& content, std::int64_t offset, const std::string& bytes) {
  const auto end = static_cast<std::size_t>(offset) + bytes.size();
  if (content.size() < end) content.resize(end);
  content.replace(static_cast<std::size_t>(offset), bytes.size(), bytes);
}

std::string sector_of(const std::string& content, std::int64_t sector) {
  const auto at = static_cast<std::size_t>(sector * kSector);
  return at >= content.size() ? std::string() : content.substr(at, kSector);
}

std::string garbage(std::size_t size, std::minstd_rand& random) {
  std::string bytes(size, 0);
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

}  // namespace

CrashDisk::Content& CrashDisk::at(const std::string& name) {
  auto& content = names_[name];
  if (!content) {
    content = std::make_shared<Content>();
    steps_.push_back(names_);
  }
  return *content;
}

void CrashDisk::open(const std::string& name) { at(name); }

void CrashDisk::write(const std::string& name, std::int64_t offset, const std::string& bytes) {
  Content& content = at(name);
  put(content.current, offset, bytes);
  const std::int64_t end = offset + static_cast<std::int64_t>(bytes.size());
  for (std::int64_t sector = offset / kSector; sector * kSector < end; ++sector) content.touched.insert(sector);
}

void CrashDisk::truncate(const std::string& name, std::int64_t size) {
  Content& content = at(name);
  const auto before = static_cast<std::int64_t>(content.current.size());
  content.current.resize(static_cast<std::size_t>(size));
  for (std::int64_t sector = size / kSector; sector * kSector < before; ++sector) content.touched.insert(sector);
}

void CrashDisk::sync(const std::string& name) {
  Content& content = at(name);
  content.durable = content.current;
  content.touched.clear();
  if (!content.named) sync_names();
  content.named = true;
}

void CrashDisk::remove(const std::string& name) {
  if (names_.erase(name) != 0) steps_.push_back(names_);
}

void CrashDisk::rename(const std::string& from, const std::string& to) {
  const auto found = names_.find(from);
  if (found == names_.end()) return;
  auto content = found->second;
  names_.erase(found);
  names_[to] = content;
  steps_.push_back(names_);
}

std::map<std::string, std::string> CrashDisk::after(Loss loss, std::minstd_rand& random) const {
  const Names* names = loss == Loss::kNone ? &names_ : &durable_names_;
  if (loss == Loss::kSectors || loss == Loss::kBlocks) {
    const std::size_t step = random() % (steps_.size() + 1);
    if (step > 0) names = &steps_[step - 1];
  }
  std::map<std::string, std::string> files;
  for (const auto& [name, content] : *names) files[name] = torn(*content, loss, random);
  return files;
}

std::string CrashDisk::torn(const Content& content, Loss loss, std::minstd_rand& random) {
  if (loss == Loss::kAll) return content.durable;
  if (loss == Loss::kNone) return content.current;
  std::string found = content.durable;
  // A length that was not synced may be the new one or the old one.
  if (random() % 2 == 0) found.resize(content.current.size());
  std::set<std::int64_t> blocks;
  for (const std::int64_t sector : content.touched) {
    blocks.insert(sector * kSector / kBlock);
    const unsigned fate = static_cast<unsigned>(random() % 8);
    if (fate < 4) continue;
    std::string bytes = sector_of(content.current, sector);
    if (fate == 7) bytes = garbage(bytes.size(), random);
    put(found, sector * kSector, bytes);
  }
  if (loss == Loss::kSectors) return found;
  for (const std::int64_t block : blocks) {
    if (random() % 2 == 0) continue;
    for (std::int64_t sector = block * kBlock / kSector; sector < (block + 1) * kBlock / kSector; ++sector) {
      if (content.touched.count(sector) != 0 || sector * kSector >= static_cast<std::int64_t>(found.size())) continue;
      put(found, sector * kSector, garbage(sector_of(found, sector).size(), random));
    }
  }
  return found;
}

}  // namespace metergate
