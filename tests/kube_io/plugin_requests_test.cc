// Credentials of a plugin on all three ways out.
#include <gtest/gtest.h>

#include <mutex>
#include <string>

#include "tests/kube_io/plugin.h"
#include "tests/kube_io/tls_server.h"
#include "tests/kube_io/ways.h"

namespace jobrun {
namespace {

using testing::AlwaysAnswer;
using testing::CertificateStatus;
using testing::Client;
using testing::Eventually;
using testing::Identity;
using testing::SeenRequest;
using testing::ServerConnection;
using testing::TestCa;
using testing::TestPlugin;
using testing::TlsServer;
using testing::TokenStatus;

class PluginRequestsTest : public testing::EachWay {
 protected:
  TestCa ca_;
  TestPlugin plugin_;
  std::string old_serial_;  // of the first certificate
};

FOR_EACH_WAY(PluginRequestsTest);

TEST_P(PluginRequestsTest, CarryItsToken) {
  TlsServer server({.identity = ca_.Issue()}, AlwaysAnswer());
  EXPECT_EQ(Ask(plugin_.For(server.Url(), ca_.pem())).status, 200);
  EXPECT_EQ(server.Requests().at(0).Header("Authorization"), "Bearer first");
}

TEST_P(PluginRequestsTest, RefusedWithItsTokenMakeItGiveAnother) {
  TlsServer server({.identity = ca_.Issue()}, [](TlsServer&, ServerConnection& connection) {
    SeenRequest request;
    while (connection.ReadRequest(request)) {
      connection.Answer(request.Header("Authorization") == "Bearer second" ? 200 : 401, "{}");
    }
  });
  Client client(plugin_.For(server.Url(), ca_.pem()));
  plugin_.Give(TokenStatus("second"));
  const testing::Came refused = Ask(client);
  EXPECT_EQ(refused.status, 401);
  EXPECT_NE(refused.detail.find("the credential plugin"), std::string::npos) << refused.detail;
  Eventually([&] { return Ask(client).status == 200; });
  EXPECT_EQ(plugin_.Runs(), 2);
}

// Kept-alive connections still show the old certificate.
TEST_P(PluginRequestsTest, WithANewCertificateGoOverNewConnections) {
  std::mutex mutex;
  std::string serial;
  std::string refused;
  const auto seen = [&] {
    const std::lock_guard lock(mutex);
    return serial;
  };
  TlsServer server({.identity = ca_.Issue(), .client_ca = ca_.pem()},
                   [&](TlsServer&, ServerConnection& connection) {
                     SeenRequest request;
                     while (connection.ReadRequest(request)) {
                       const std::lock_guard lock(mutex);
                       serial = connection.ClientCertificate();
                       connection.Answer(serial == refused ? 401 : 200, "{}");
                     }
                   });
  plugin_.Give(CertificateStatus(ca_.Issue()));
  Client client(plugin_.For(server.Url(), ca_.pem()));
  EXPECT_EQ(Ask(client).status, 200);
  {
    const std::lock_guard lock(mutex);
    refused = serial;
  }
  EXPECT_FALSE(refused.empty());
  plugin_.Give(CertificateStatus(ca_.Issue()));
  EXPECT_EQ(Ask(client).status, 401);
  Eventually([&] { return Ask(client).status == 200; });
  EXPECT_NE(seen(), refused);
}

class RequestsDuringRenewalTest : public PluginRequestsTest {};

INSTANTIATE_TEST_SUITE_P(Ways, RequestsDuringRenewalTest,
                         ::testing::Values(testing::Way::kData, testing::Way::kControl),
                         testing::WayName);

TEST_P(RequestsDuringRenewalTest, AreAnsweredOverTheConnectionTheyBeganOn) {
  TlsServer server({.identity = ca_.Issue(), .client_ca = ca_.pem()},
                   [&](TlsServer& self, ServerConnection& connection) {
                     SeenRequest request;
                     while (connection.ReadRequest(request)) {
                       self.Note(request);
                       if (request.target == "/slow") self.Await(1);
                       const bool first = connection.ClientCertificate() == old_serial_;
                       connection.Answer(first && request.target != "/slow" ? 401 : 200, "{}");
                     }
                   });
  const Identity old = ca_.Issue();
  old_serial_ = testing::SerialOf(old);
  plugin_.Give(CertificateStatus(old));
  Client client(plugin_.For(server.Url(), ca_.pem()));
  const RequestClass klass =
      GetParam() == testing::Way::kData ? RequestClass::kData : RequestClass::kControl;
  client.Send({.id = 1, .klass = klass, .target = "/slow", .deadline = std::chrono::minutes(1)});
  while (server.Requests().empty()) client.RunFor(std::chrono::milliseconds(5));
  plugin_.Give(CertificateStatus(ca_.Issue()));
  EXPECT_EQ(Ask(client).status, 401);
  Eventually([&] { return Ask(client).status == 200; });
  EXPECT_TRUE(client.responses.empty()) << "the slow one waits still";
  server.Release(1);
  client.RunUntil([&] { return !client.responses.empty(); });
  EXPECT_EQ(client.responses[0].status, 200);
}

}  // namespace
}  // namespace jobrun
