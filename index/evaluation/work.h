// index/evaluation/work.h
//
// What evaluation costs, in WorkMeter units of about one nanosecond. Set by bench/micro/evaluator_bench.cc, which reports
// units beside time; being wrong by a factor of two only makes turns that much longer or shorter.
#pragma once

#include <cstdint>

namespace korrel::work {

inline constexpr uint64_t kBitWordsPerUnit = 8;   // words of one operand, ANDed or ORed
inline constexpr uint64_t kScanWord = 12;         // a word of 64 candidates against a narrow column
inline constexpr uint64_t kCodeRow = 3;           // a candidate's code against a table
inline constexpr uint64_t kSetRow = 20;           // a candidate's set against the wanted codes
inline constexpr uint64_t kTermRow = 4;           // one term of an expression for one row or event
inline constexpr uint64_t kTermBatch = 60;        // one term of an expression for a batch, beside its rows
inline constexpr uint64_t kTextBytesPerUnit = 2;  // bytes read by a text test or function
inline constexpr uint64_t kAggregate = 240;       // finding one history and its window
inline constexpr uint64_t kEvent = 6;             // one event and property that a fold reads
inline constexpr uint64_t kDueRowsPerUnit = 4;    // rows whose next instant is held against the clock
inline constexpr uint64_t kDecay = 30;            // one event that a decayed aggregate folds in
inline constexpr uint64_t kCalendar = 80;         // one reading of a time zone

}  // namespace korrel::work
