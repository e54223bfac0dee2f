// The programs' allocator: mimalloc replaces malloc where this is linked in (option KORREL_MIMALLOC).
//
// Every change and question reads a few bytes each from many large blocks. With pages of 4 KiB the processor has hardly an address of
// them at hand and walks the page table before most reads; with 2 MiB it knows most. The kernel gives such pages where it has them
// (transparent huge pages set to `madvise` or `always`), else ordinary ones; MIMALLOC_LARGE_OS_PAGES=0 asks for none. docs/performance.md
// has what it changes.
#include <mimalloc.h>

namespace {

[[maybe_unused]] const bool kAsked = [] {
  mi_option_set_enabled_default(mi_option_large_os_pages, true);
  return true;
}();

}  // namespace
