// The `korrel` command line.
#include <iostream>

#include "clients/cli/cli.h"

int main(int argc, char** argv) { return korrel::cli::Run(argc, argv, std::cout, std::cerr); }
