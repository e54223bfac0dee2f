#include "clients/cpp/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <thread>

namespace korrel {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

constexpr milliseconds kFirstPause{50};
constexpr milliseconds kLongestPause{800};
constexpr int kResumesMax = 5;

// gRPC 1.51 looks at errno some calls after connect() and takes what those left there for the outcome: where /sys is not mounted, malloc
// may look for the number of processors just then, and an attempt that is under way has "failed" with ENOENT, once in some hundred.
constexpr int kConnectAttempts = 3;

template <class Message>
void FillRequestId(Message* request) {
  if (request->request_id().empty()) request->set_request_id(NewRequestId());
}

grpc::ChannelArguments Arguments(const ClientOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(64 << 20);  // an answer may be larger than what a server takes in
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // Despite its name how long an attempt to connect may take: a busy server is given all the time there is.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, static_cast<int>(options.connect_timeout.count()));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'000);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // else a second channel waits for the first one's backoff
  return arguments;
}

Status NoServer(const std::string& address) {
  return MakeError(
      absl::StatusCode::kUnavailable, "NO_SERVER", "",
      fmt::format("no Korrel server answers at {0}; start one with 'korreld --listen {0}', or name another with --server", address));
}

// Null: the attempt failed, or the deadline has passed.
std::shared_ptr<grpc::Channel> TryConnect(const ClientOptions& options, system_clock::time_point deadline) {
  auto channel = grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), Arguments(options));
  for (auto state = channel->GetState(true); state != GRPC_CHANNEL_READY; state = channel->GetState(true)) {
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || !channel->WaitForStateChange(state, deadline)) return nullptr;
  }
  return channel;
}

}  // namespace

std::string NewRequestId() {
  thread_local std::mt19937_64 random = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  return fmt::format("{:016x}{:016x}", random(), random());
}

StatusOr<std::unique_ptr<Client>> Client::Connect(ClientOptions options) {
  const auto deadline = system_clock::now() + options.connect_timeout;
  for (int attempt = 0; attempt < kConnectAttempts && (attempt == 0 || system_clock::now() < deadline); ++attempt) {
    auto channel = TryConnect(options, deadline);
    if (channel) return std::make_unique<Client>(std::move(channel), std::move(options));
  }
  return NoServer(options.address);
}

Client::Client(std::shared_ptr<grpc::Channel> channel, ClientOptions options)
    : channel_(std::move(channel)),
      options_(std::move(options)),
      profiles_(v1::ProfileService::NewStub(channel_)),
      events_(v1::EventService::NewStub(channel_)),
      catalog_(v1::CatalogService::NewStub(channel_)),
      segments_(v1::SegmentService::NewStub(channel_)),
      admin_(v1::AdminService::NewStub(channel_)) {}

template <class Response, class Stub, class Request>
StatusOr<Response> Client::Call(Stub* stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                const Request& request) {
  const auto start = system_clock::now();
  const auto deadline = start + options_.call_timeout;
  milliseconds pause = kFirstPause;
  std::string told;  // by the server, of the attempt before: the next one may meet nothing but a closing connection
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(deadline);
    Response response;
    const grpc::Status status = (stub->*method)(&context, request, &response);
    if (status.ok()) return response;
    Status failed = FromGrpc(status);
    if (!ReasonOf(failed).empty()) {
      told = MessageOf(failed);
    } else if (!told.empty()) {
      failed = MakeError(failed.code(), "", "", fmt::format("{}; the attempt before it: {}", MessageOf(failed), told));
    }
    const auto resume = system_clock::now() + pause;
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE || resume > start + options_.retry_for || resume > deadline) {
      return failed;
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, kLongestPause);
  }
}

StatusOr<v1::GetProfileResponse> Client::GetProfile(v1::GetProfileRequest request) {
  return Call(profiles_.get(), &v1::ProfileService::Stub::GetProfile, request);
}
StatusOr<v1::BatchGetProfilesResponse> Client::BatchGetProfiles(v1::BatchGetProfilesRequest request) {
  return Call(profiles_.get(), &v1::ProfileService::Stub::BatchGetProfiles, request);
}
StatusOr<v1::UpsertProfilesResponse> Client::UpsertProfiles(v1::UpsertProfilesRequest request) {
  FillRequestId(&request);
  return Call(profiles_.get(), &v1::ProfileService::Stub::UpsertProfiles, request);
}
StatusOr<v1::DeleteProfileResponse> Client::DeleteProfile(v1::DeleteProfileRequest request) {
  FillRequestId(&request);
  return Call(profiles_.get(), &v1::ProfileService::Stub::DeleteProfile, request);
}
StatusOr<v1::ListEventsResponse> Client::ListEvents(v1::ListEventsRequest request) {
  return Call(profiles_.get(), &v1::ProfileService::Stub::ListEvents, request);
}

StatusOr<Projection> Client::PrepareProjection(std::vector<std::string> select) {
  v1::PrepareProjectionRequest request;
  request.mutable_select()->Add(select.begin(), select.end());
  KORREL_ASSIGN_OR_RETURN(auto response, Call(profiles_.get(), &v1::ProfileService::Stub::PrepareProjection, request));
  return Projection{std::move(select), std::move(*response.mutable_projection()), std::move(*response.mutable_schema())};
}

namespace {
bool Forgotten(const Status& status) { return ReasonOf(status) == "PROJECTION_UNKNOWN"; }
}  // namespace

StatusOr<v1::GetProfileResponse> Client::GetProfile(Projection* projection, v1::GetProfileRequest request) {
  request.set_projection(projection->handle);
  auto response = GetProfile(request);
  if (response.ok() || !Forgotten(response.status())) return response;
  KORREL_ASSIGN_OR_RETURN(*projection, PrepareProjection(projection->select));
  request.set_projection(projection->handle);
  return GetProfile(std::move(request));
}

StatusOr<v1::BatchGetProfilesResponse> Client::BatchGetProfiles(Projection* projection, v1::BatchGetProfilesRequest request) {
  request.set_projection(projection->handle);
  auto response = BatchGetProfiles(request);
  if (response.ok() || !Forgotten(response.status())) return response;
  KORREL_ASSIGN_OR_RETURN(*projection, PrepareProjection(projection->select));
  request.set_projection(projection->handle);
  return BatchGetProfiles(std::move(request));
}

StatusOr<v1::TrackResponse> Client::Track(v1::TrackRequest request) {
  FillRequestId(&request);
  return Call(events_.get(), &v1::EventService::Stub::Track, request);
}

StatusOr<v1::ApplyDefinitionsResponse> Client::ApplyDefinitions(v1::ApplyDefinitionsRequest request) {
  FillRequestId(&request);
  return Call(catalog_.get(), &v1::CatalogService::Stub::ApplyDefinitions, request);
}
StatusOr<v1::GetDefinitionResponse> Client::GetDefinition(v1::GetDefinitionRequest request) {
  return Call(catalog_.get(), &v1::CatalogService::Stub::GetDefinition, request);
}
StatusOr<v1::ListDefinitionsResponse> Client::ListDefinitions(v1::ListDefinitionsRequest request) {
  return Call(catalog_.get(), &v1::CatalogService::Stub::ListDefinitions, request);
}
StatusOr<v1::DeleteDefinitionResponse> Client::DeleteDefinition(v1::DeleteDefinitionRequest request) {
  FillRequestId(&request);
  return Call(catalog_.get(), &v1::CatalogService::Stub::DeleteDefinition, request);
}
StatusOr<v1::PreviewDefinitionsResponse> Client::PreviewDefinitions(v1::PreviewDefinitionsRequest request) {
  return Call(catalog_.get(), &v1::CatalogService::Stub::PreviewDefinitions, request);
}
StatusOr<v1::RetypeAttributeResponse> Client::RetypeAttribute(v1::RetypeAttributeRequest request) {
  FillRequestId(&request);
  return Call(catalog_.get(), &v1::CatalogService::Stub::RetypeAttribute, request);
}

StatusOr<v1::CountResponse> Client::Count(v1::CountRequest request) {
  return Call(segments_.get(), &v1::SegmentService::Stub::Count, request);
}
StatusOr<v1::SampleResponse> Client::Sample(v1::SampleRequest request) {
  return Call(segments_.get(), &v1::SegmentService::Stub::Sample, request);
}
StatusOr<v1::BreakdownResponse> Client::Breakdown(v1::BreakdownRequest request) {
  return Call(segments_.get(), &v1::SegmentService::Stub::Breakdown, request);
}
StatusOr<v1::OverlapResponse> Client::Overlap(v1::OverlapRequest request) {
  return Call(segments_.get(), &v1::SegmentService::Stub::Overlap, request);
}
StatusOr<v1::ExplainResponse> Client::Explain(v1::ExplainRequest request) {
  return Call(segments_.get(), &v1::SegmentService::Stub::Explain, request);
}
StatusOr<v1::SegmentsOfResponse> Client::SegmentsOf(v1::SegmentsOfRequest request) {
  return Call(segments_.get(), &v1::SegmentService::Stub::SegmentsOf, request);
}
StatusOr<v1::UpdateMembersResponse> Client::UpdateMembers(v1::UpdateMembersRequest request) {
  FillRequestId(&request);
  return Call(segments_.get(), &v1::SegmentService::Stub::UpdateMembers, request);
}
std::unique_ptr<QueryReader> Client::Query(v1::QueryRequest request) {
  return std::make_unique<QueryReader>(segments_.get(), options_, std::move(request));
}
std::unique_ptr<WatchReader> Client::Watch(v1::WatchRequest request) {
  return std::make_unique<WatchReader>(segments_.get(), std::move(request));
}

StatusOr<v1::StatusResponse> Client::ServerStatus() { return Call(admin_.get(), &v1::AdminService::Stub::Status, v1::StatusRequest()); }
StatusOr<v1::AdvanceClockResponse> Client::AdvanceClock(v1::AdvanceClockRequest request) {
  FillRequestId(&request);
  return Call(admin_.get(), &v1::AdminService::Stub::AdvanceClock, request);
}

QueryReader::QueryReader(v1::SegmentService::Stub* stub, ClientOptions options, v1::QueryRequest request)
    : stub_(stub), options_(std::move(options)), request_(std::move(request)), limit_(request_.limit()) {
  Start();
}

QueryReader::~QueryReader() {
  if (stream_ == nullptr) return;
  context_->TryCancel();
  v1::QueryResponse rest;
  while (stream_->Read(&rest)) {
  }
  stream_->Finish();
}

void QueryReader::Start() {
  context_ = std::make_unique<grpc::ClientContext>();
  context_->set_deadline(system_clock::now() + options_.call_timeout);
  stream_ = stub_->Query(context_.get(), request_);
}

StatusOr<bool> QueryReader::Next(v1::QueryResponse* response) {
  while (stream_ != nullptr) {
    if (stream_->Read(response)) {
      if (response->batch().has_schema()) schema_ = response->batch().schema();
      request_.set_resume_token(response->resume_token());
      received_ += static_cast<uint64_t>(response->profile_ids_size());
      return true;
    }
    const grpc::Status status = stream_->Finish();
    stream_ = nullptr;
    if (status.ok() || (limit_ > 0 && received_ >= limit_)) return false;
    const bool can_resume = received_ == 0 || !request_.resume_token().empty();
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE || !can_resume || ++failures_ > kResumesMax) return FromGrpc(status);
    std::this_thread::sleep_for(kFirstPause * failures_);
    Start();  // with the same limit: the server counts it across resuming, and the token is bound to it
  }
  return false;
}

WatchReader::WatchReader(v1::SegmentService::Stub* stub, v1::WatchRequest request)
    : stream_(stub->Watch(&context_, request)), positions_(request.after_positions()) {}

WatchReader::~WatchReader() {
  if (stream_ == nullptr) return;
  Cancel();
  v1::WatchResponse rest;
  while (stream_->Read(&rest)) {
  }
  stream_->Finish();
}

void WatchReader::Cancel() {
  cancelled_.store(true);
  context_.TryCancel();
}

StatusOr<bool> WatchReader::Next(v1::WatchResponse* response) {
  if (stream_ == nullptr) return false;
  if (stream_->Read(response)) {
    positions_ = response->positions();
    return true;
  }
  const grpc::Status status = stream_->Finish();
  stream_ = nullptr;
  if (status.ok() || cancelled_.load()) return false;
  return FromGrpc(status);
}

}  // namespace korrel
