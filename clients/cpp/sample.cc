// The sample of README.md: writes one profile and counts it.
#include <iostream>

#include "clients/cpp/client.h"

int main() {
  auto client = korrel::Client::Connect({.address = "127.0.0.1:7650"});
  if (!client.ok()) return std::cerr << client.status() << "\n", 1;

  korrel::v1::UpsertProfilesRequest write;
  korrel::v1::ProfileWrite* profile = write.add_writes();
  profile->add_identifiers("crm:1");
  profile->add_attributes()->set_name("country");
  profile->mutable_attributes(0)->mutable_value()->set_string_value("NL");
  const auto written = (*client)->UpsertProfiles(write);
  if (!written.ok()) return std::cerr << written.status() << "\n", 1;

  // Read your writes: the question waits until it reflects the position of the write.
  korrel::v1::CountRequest question;
  question.mutable_selection()->set_expression("country = 'NL'");
  *question.mutable_selection()->mutable_min_positions() = written->result().positions();
  const auto count = (*client)->Count(question);
  if (!count.ok()) {
    const auto error = korrel::ExpressionErrorOf(count.status());
    return std::cerr << (error ? error->rendered() : count.status().ToString()) << "\n", 1;
  }
  std::cout << count->count() << "\n";
}
