// server/idle_memory.h
//
// What an allocator keeps for a thread, memory that others have freed included, comes back only when that thread asks for memory again. A
// thread that rests after much work (a catalog of thousands of definitions compiled) says so, or its share is held until it works again.
#pragma once

namespace korrel::server {

// Gives back what the calling thread's heap does not need. Does nothing with an allocator other than mimalloc.
void ReturnIdleMemory();

}  // namespace korrel::server
