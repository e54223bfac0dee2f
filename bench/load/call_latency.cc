// How long does a call take, from here to the answer and back?
//
// usage: call_latency ADDRESS EXPRESSION CALLS IDLE_MS [EXPECTED_COUNT]
//
// Calls SegmentService.Count one after the other, IDLE_MS of silence before each, and prints p50, p99 and the longest in milliseconds.
// Every answer must be the same (and EXPECTED_COUNT where given): a benchmark that does not check its answer is a bug.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "korrel/v1/segment_service.grpc.pb.h"

namespace {

using Clock = std::chrono::steady_clock;

double Percentile(const std::vector<double>& sorted, double p) {
  return sorted[std::min(sorted.size() - 1, static_cast<size_t>(p * static_cast<double>(sorted.size())))];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: call_latency ADDRESS EXPRESSION CALLS IDLE_MS [EXPECTED_COUNT]\n");
    return 2;
  }
  auto stub = korrel::v1::SegmentService::NewStub(grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials()));
  const int calls = std::max(1, std::atoi(argv[3]));
  const std::chrono::milliseconds idle(std::atoi(argv[4]));
  std::optional<uint64_t> expected;
  if (argc > 5) expected = std::strtoull(argv[5], nullptr, 10);

  korrel::v1::CountRequest request;
  request.mutable_selection()->set_expression(argv[2]);
  std::vector<double> milliseconds;
  for (int i = -3; i < calls; ++i) {  // three calls warm the connection up and are not counted
    if (i >= 0) std::this_thread::sleep_for(idle);
    grpc::ClientContext context;
    korrel::v1::CountResponse response;
    const auto start = Clock::now();
    const grpc::Status status = stub->Count(&context, request, &response);
    const std::chrono::duration<double, std::milli> took = Clock::now() - start;
    if (!status.ok()) {
      std::fprintf(stderr, "call_latency: %s\n", status.error_message().c_str());
      return 1;
    }
    if (!expected) expected = response.count();
    if (response.count() != *expected) {
      std::fprintf(stderr, "call_latency: answered %llu, expected %llu\n", static_cast<unsigned long long>(response.count()),
                   static_cast<unsigned long long>(*expected));
      return 1;
    }
    if (i >= 0) milliseconds.push_back(took.count());
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  std::printf("count %llu   calls %d   p50 %.3f ms   p99 %.3f ms   max %.3f ms\n", static_cast<unsigned long long>(*expected), calls,
              Percentile(milliseconds, 0.5), Percentile(milliseconds, 0.99), milliseconds.back());
  return 0;
}
