// The `korrel` command line.
#include <fcntl.h>
#include <unistd.h>

#include <iostream>

#include "clients/cli/cli.h"

// Where the caller closed a standard stream, its number must not become that of the connection to the server, which would then be
// written to. A descriptor that cannot be written to takes its place, so that printing fails, and says so.
static void OccupyStandardStreams() {
  int descriptor = 0;
  do {
    descriptor = open("/dev/null", O_RDONLY);
  } while (descriptor >= 0 && descriptor <= STDERR_FILENO);
  if (descriptor > STDERR_FILENO) close(descriptor);
}

int main(int argc, char** argv) {
  OccupyStandardStreams();
  return korrel::cli::Run(argc, argv, std::cout, std::cerr);
}
