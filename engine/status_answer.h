// engine/status_answer.h
//
// What the database says about itself.
#pragma once

#include "engine/core.h"

namespace korrel {

StatusAnswer AnswerStatus(const Core& core);

// 90 % of the machine's memory, or of what its control group allows.
uint64_t DefaultMemoryLimit();

}  // namespace korrel
