#include "controller/kube/http_reply.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "controller/base/rfc3339.h"

namespace jobrun {
namespace {

using State = HttpReply::State;

State Feed(HttpReply& reply, const std::string& bytes, std::size_t piece = 1 << 20) {
  State state = State::kMore;
  for (std::size_t at = 0; at < bytes.size() && state == State::kMore; at += piece) {
    const std::string part = bytes.substr(at, piece);
    std::memcpy(reply.Prepare(part.size()), part.data(), part.size());
    state = reply.Commit(part.size());
  }
  return state;
}

constexpr char kPlain[] =
    "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 01:02:03 GMT\r\nContent-Length: 5\r\n\r\nhello";
constexpr char kChunked[] =
    "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n0\r\n\r\n";

TEST(HttpReplyTest, ReadsAnAnswerWhateverTheCuts) {
  for (std::size_t piece = 1; piece < sizeof kChunked; ++piece) {
    HttpReply reply(100);
    ASSERT_EQ(Feed(reply, kPlain, piece), State::kWhole) << piece;
    EXPECT_EQ(reply.status(), 200);
    EXPECT_EQ(reply.date(), ParseRfc3339("2026-11-22T01:02:03Z"));
    EXPECT_EQ(reply.retry_after(), std::nullopt);
    EXPECT_TRUE(reply.keep_alive());
    EXPECT_EQ(reply.TakeBody(), "hello");

    reply.Reset(false);
    ASSERT_EQ(Feed(reply, kChunked, piece), State::kWhole) << piece;
    EXPECT_EQ(reply.status(), 429);
    EXPECT_EQ(reply.retry_after(), std::chrono::seconds(7));
    EXPECT_EQ(reply.TakeBody(), "hello");
    EXPECT_TRUE(reply.Rest().empty());
  }
}

TEST(HttpReplyTest, StopsAtTheHeadWhenAsked) {
  HttpReply reply(100);
  reply.Reset(true);
  ASSERT_EQ(Feed(reply, kChunked), State::kHead);
  EXPECT_EQ(reply.status(), 429);
  EXPECT_TRUE(reply.chunked());
  EXPECT_EQ(reply.Rest(), "5\r\nhello\r\n0\r\n\r\n");
  ASSERT_EQ(reply.Continue(), State::kWhole);
  EXPECT_EQ(reply.TakeBody(), "hello");
}

TEST(HttpReplyTest, PassesInterimAnswersOver) {
  HttpReply reply(100);
  ASSERT_EQ(Feed(reply, std::string("HTTP/1.1 100 Continue\r\n\r\n") + kPlain), State::kWhole);
  EXPECT_EQ(reply.status(), 200);
  EXPECT_EQ(reply.TakeBody(), "hello");
  reply.Reset(true);
  ASSERT_EQ(Feed(reply, std::string("HTTP/1.1 103 Early Hints\r\n\r\n") + kPlain, 3), State::kHead);
  EXPECT_EQ(reply.status(), 200);
}

TEST(HttpReplyTest, ABodyMayEndWithTheConnection) {
  HttpReply reply(100);
  ASSERT_EQ(Feed(reply, "HTTP/1.1 200 OK\r\n\r\nhello"), State::kMore);
  ASSERT_EQ(reply.End(), State::kWhole);
  EXPECT_FALSE(reply.keep_alive());
  EXPECT_EQ(reply.TakeBody(), "hello");
}

TEST(HttpReplyTest, TellsWhereAConnectionEndedTooEarly) {
  HttpReply reply(100);
  EXPECT_TRUE(reply.Untouched());
  EXPECT_EQ(reply.End(), State::kBad);
  EXPECT_EQ(reply.error(), "the connection was closed before an answer came");
  for (std::size_t size = 1; size + 1 < sizeof kPlain; ++size) {
    reply.Reset(false);
    ASSERT_EQ(Feed(reply, std::string(kPlain, size)), State::kMore) << size;
    EXPECT_FALSE(reply.Untouched());
    ASSERT_EQ(reply.End(), State::kBad) << size;
  }
}

TEST(HttpReplyTest, RefusesWhatIsTooLarge) {
  HttpReply reply(4);
  EXPECT_EQ(Feed(reply, kPlain), State::kBad);
  EXPECT_EQ(reply.error(), "the answer is larger than 4 bytes");
  reply.Reset(false);
  EXPECT_EQ(Feed(reply, kChunked), State::kBad);
  reply.Reset(false);
  const std::string head = "HTTP/1.1 200 OK\r\nX: " + std::string(40000, 'x') + "\r\n\r\n";
  EXPECT_EQ(Feed(reply, head, 4096), State::kBad);
}

TEST(HttpReplyTest, RefusesWhatIsNotHttp) {
  for (const char* text : {"SSH-2.0-OpenSSH\r\n", "HTTP/2 200\r\n\r\n", "\x15\x03\x01 nonsense"}) {
    HttpReply reply(100);
    EXPECT_EQ(Feed(reply, text), State::kBad) << text;
  }
}

TEST(RetryAfterTest, IsSecondsOrNothing) {
  EXPECT_EQ(ParseRetryAfter("0"), std::chrono::seconds(0));
  EXPECT_EQ(ParseRetryAfter("99999999999999999999"), std::chrono::seconds(3600));
  for (const char* text : {"", "-1", "1.5", "soon", "Sun, 22 Nov 2026 01:02:03 GMT"}) {
    EXPECT_EQ(ParseRetryAfter(text), std::nullopt) << text;
  }
}

TEST(FormatRequestTest, WritesOneRequest) {
  EXPECT_EQ(FormatRequest({.method = "PATCH",
                           .target = "/a?b=c",
                           .authority = "[::1]:6443",
                           .user_agent = "me/1",
                           .authorization = "Bearer x",
                           .content_type = "application/json"},
                          "{}"),
            "PATCH /a?b=c HTTP/1.1\r\nHost: [::1]:6443\r\nUser-Agent: me/1\r\n"
            "Accept: application/json\r\nAuthorization: Bearer x\r\n"
            "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
}

}  // namespace
}  // namespace jobrun
