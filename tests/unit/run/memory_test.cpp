#include "agent/run/memory.h"

#include <gtest/gtest.h>
#include <link.h>
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define METERGATE_CLANG_SANITIZER
#endif
#endif

namespace metergate {
namespace {

/// The heap and the mappings are glibc's own, and the kernel's numbers are those of this process.
bool is_itself() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(METERGATE_CLANG_SANITIZER)
  return false;
#else
  std::string name;
  std::ifstream("/proc/self/comm") >> name;
  return name.rfind("qemu", 0) != 0;
#endif
}

/// KiB of the line of /proc/self/status.
long resident(const std::string& what) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    long value = 0;
    if (word == what + ":" && status >> value) return value;
  }
  return 0;
}

/// Reads every page that is mapped for reading alone, as the dynamic linker reads those with symbols.
int read_constants(dl_phdr_info* object, std::size_t, void* sum) {
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & (PF_W | PF_X)) != 0) continue;
    const auto* bytes = reinterpret_cast<const volatile unsigned char*>(object->dlpi_addr + segment.p_vaddr);
    for (std::size_t at = 0; at < segment.p_filesz; at += 4096) *static_cast<unsigned*>(sum) += bytes[at];
  }
  return 0;
}

TEST(MemoryTest, GivesBackPagesOfLibrariesThatNobodyNeeds) {
  if (!is_itself()) GTEST_SKIP() << "this process is not alone in its memory";
  unsigned sum = 0;
  dl_iterate_phdr(read_constants, &sum);
  const long before = resident("RssFile");
  give_back_memory_of_start();
  EXPECT_LT(resident("RssFile"), before - 500);
  dl_iterate_phdr(read_constants, &sum);
  EXPECT_GT(sum, 0u) << "and they can be read all the same";
}

TEST(MemoryTest, GivesBackFreeMemoryBelowWhatIsInUse) {
  if (!is_itself()) GTEST_SKIP() << "this process is not alone in its memory";
  std::vector<std::unique_ptr<char[]>> blocks;
  for (int i = 0; i < 4'000; ++i) {
    blocks.push_back(std::make_unique<char[]>(1'000));  // which are written, as they are zeroed
  }
  const std::unique_ptr<char[]> last = std::make_unique<char[]>(1'000);
  blocks.clear();
  const long before = resident("RssAnon");
  give_back_memory_of_start();
  EXPECT_LT(resident("RssAnon"), before - 3'000);
}

TEST(MemoryTest, SharesOneHeapAmongAllThreads) {
  if (!is_itself()) GTEST_SKIP() << "this process is not alone in its memory";
  share_one_heap();
  for (int i = 0; i < 4; ++i) std::thread([] { std::free(std::malloc(100)); }).join();
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* const out = ::open_memstream(&text, &size);
  ::malloc_info(0, out);
  std::fclose(out);
  const std::string info(text, size);
  std::free(text);
  EXPECT_EQ(info.find("<heap nr=\"1\">"), std::string::npos);
}

}  // namespace
}  // namespace metergate
