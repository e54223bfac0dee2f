// clients/cli/fill_progress.h
//
// Waiting for definitions to be filled, with a bar on a terminal.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "clients/cli/cli.h"

namespace korrel::cli {

// "filling 3 definitions  [#######-------------]  35 %"; ratio is 0 to 1.
std::string FillBar(size_t definitions, double ratio);

// Asks until no definition is being filled. Errors: what a call answers; kUnavailable FILLING after `longest`: it goes on by itself.
Status WaitUntilFilled(const Context& context, Client* client, std::chrono::milliseconds longest);

}  // namespace korrel::cli
