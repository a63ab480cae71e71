#pragma once

namespace metergate {

/// Before the first thread starts: all threads allocate from one heap. glibc gives each thread its own otherwise, and
/// each keeps its own free memory. The threads of an agent allocate too seldom to wait for each other.
void share_one_heap();

/// Once everything runs: gives back what only the start needed. That is free memory of the heap, and the pages of
/// libraries that nothing but the dynamic linker has read (symbols and relocations, 2 MiB of which are OpenSSL's). A
/// page that is needed after all is mapped again from its file.
void give_back_memory_of_start();

}  // namespace metergate
