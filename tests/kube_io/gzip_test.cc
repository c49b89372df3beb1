#include "controller/kube/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

#include "tests/kube_io/client.h"
#include "tests/kube_io/tls_server.h"

namespace jobrun {
namespace {

using testing::Client;
using testing::SeenRequest;
using testing::ServerConnection;
using testing::TlsServer;

constexpr std::size_t kMax = 1000;

std::string Packed(std::string text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
            Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

Response Unpacked(std::string body, std::string_view encoding = "gzip", std::size_t max = kMax) {
  Response response{.status = 200, .body = std::move(body)};
  Unpack(response, encoding, max, "https://api");
  return response;
}

TEST(GzipTest, WhatIsNotPackedStaysAsItIs) {
  EXPECT_EQ(Unpacked("plain", "").body, "plain");
  EXPECT_EQ(Unpacked("plain", "identity").body, "plain");
}

TEST(GzipTest, UnpacksWhateverLength) {
  for (const std::size_t size : {0, 1, 999, 1000}) {
    const Response response = Unpacked(Packed(std::string(size, 'x')));
    EXPECT_EQ(response.status, 200) << size;
    EXPECT_EQ(response.body, std::string(size, 'x'));
  }
  std::string long_text;
  for (int i = 0; i < 300'000; ++i) long_text += std::to_string(i);
  EXPECT_EQ(Unpacked(Packed(long_text), "gzip", long_text.size()).body, long_text);
}

TEST(GzipTest, NoMoreIsUnpackedThanIsAccepted) {
  for (const std::size_t size : {1001UL, 10'000'000UL}) {
    const Response response = Unpacked(Packed(std::string(size, 'x')));
    EXPECT_EQ(response.status, 0) << size;
    EXPECT_TRUE(response.too_large);
    EXPECT_EQ(response.detail, "https://api: the answer is larger than 1000 bytes");
    EXPECT_EQ(response.body, "");
  }
}

TEST(GzipTest, WhatIsBrokenIsToldAndNotHandedOn) {
  const std::string packed = Packed(std::string(500, 'x'));
  std::string changed = packed;
  changed[changed.size() - 5] ^= 1;  // of its checksum
  for (const std::string& bad : {std::string("plain"), std::string(),
                                 packed.substr(0, packed.size() - 1), packed + "more", changed}) {
    const Response response = Unpacked(bad);
    EXPECT_EQ(response.status, 0);
    EXPECT_FALSE(response.too_large);
    EXPECT_EQ(response.detail, "https://api: the answer is packed, and can't be unpacked");
    EXPECT_EQ(response.body, "");
  }
}

TEST(GzipTest, AnotherPackingIsToldByItsName) {
  EXPECT_EQ(Unpacked("?", "br").detail,
            "https://api: the answer is packed by 'br', which nobody asked for; is a proxy in "
            "between?");
}

class PackedAnswersTest : public ::testing::TestWithParam<RequestClass> {};
INSTANTIATE_TEST_SUITE_P(Classes, PackedAnswersTest,
                         ::testing::Values(RequestClass::kData, RequestClass::kControl),
                         [](const auto& tested) {
                           return tested.param == RequestClass::kData ? "Data" : "Control";
                         });

TEST_P(PackedAnswersTest, AreAskedForWhereTheRequestSaysSo) {
  TlsServer server({}, [](TlsServer& self, ServerConnection& connection) {
    for (SeenRequest request; connection.ReadRequest(request);) {
      self.Note(request);
      const bool packs = request.Header("Accept-Encoding") == "gzip";
      connection.Answer(200, packs ? Packed("a list") : "as it is",
                        packs ? "Content-Encoding: gzip\r\n" : "");
    }
  });
  Client client(testing::Trusting(server.Url(), ""));
  Request request{.klass = GetParam(), .method = Method::kGet, .target = "/list"};
  EXPECT_EQ(client.Call(request).body, "as it is");
  EXPECT_EQ(server.Requests().at(0).Header("Accept-Encoding"), "");
  request.accepts_gzip = true;
  EXPECT_EQ(client.Call(request).body, "a list");
}

}  // namespace
}  // namespace jobrun
