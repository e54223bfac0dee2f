// server/services.h
//
// The gRPC services over one door. Each is a list of methods: which handler, and where it runs.
#pragma once

#include <grpcpp/impl/codegen/service_type.h>

#include <memory>

#include "server/door.h"

namespace korrel::server {

std::unique_ptr<grpc::Service> MakeProfileService(Door* door);
std::unique_ptr<grpc::Service> MakeEventService(Door* door);
std::unique_ptr<grpc::Service> MakeCatalogService(Door* door);
std::unique_ptr<grpc::Service> MakeSegmentService(Door* door);
std::unique_ptr<grpc::Service> MakeAdminService(Door* door);

}  // namespace korrel::server
