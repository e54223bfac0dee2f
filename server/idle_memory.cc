#include "server/idle_memory.h"

// Only programs are linked with mimalloc (server/mimalloc.cc); tests run without it.
extern "C" [[gnu::weak]] void mi_collect(bool force) noexcept;

namespace korrel::server {

void ReturnIdleMemory() {
  if (mi_collect) mi_collect(true);
}

}  // namespace korrel::server
