#include "controller/kube/chunk_reader.h"

#include <gtest/gtest.h>

#include <string>

#include "controller/base/random.h"

namespace jobrun {
namespace {

std::string Strip(ChunkReader& reader, std::string bytes) {
  bytes.resize(reader.Strip(bytes.data(), bytes.size()));
  return bytes;
}

// Feeds `bytes` in pieces of `piece`.
std::string StripInPieces(ChunkReader& reader, const std::string& bytes, std::size_t piece) {
  std::string body;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    body += Strip(reader, bytes.substr(at, piece));
  }
  return body;
}

constexpr char kBody[] =
    "5\r\nhello\r\n1;name=\"value\"\r\n,\r\nA\r\n wide worl\r\n001 \r\nd\r\n"
    "0\r\nTrailer: one\r\nOther: two\r\n\r\n";

TEST(ChunkReaderTest, TakesTheFramingOff) {
  ChunkReader reader;
  EXPECT_EQ(Strip(reader, kBody), "hello, wide world");
  EXPECT_TRUE(reader.Done());
  EXPECT_FALSE(reader.Bad());
}

TEST(ChunkReaderTest, AnyCutGivesTheSame) {
  for (std::size_t piece = 1; piece < sizeof kBody; ++piece) {
    ChunkReader reader;
    EXPECT_EQ(StripInPieces(reader, kBody, piece), "hello, wide world") << piece;
    EXPECT_TRUE(reader.Done()) << piece;
  }
}

TEST(ChunkReaderTest, IsNotDoneBeforeTheLastByte) {
  const std::string body = kBody;
  ChunkReader reader;
  EXPECT_EQ(Strip(reader, body.substr(0, body.size() - 1)), "hello, wide world");
  EXPECT_FALSE(reader.Done());
  EXPECT_EQ(Strip(reader, "\n"), "");
  EXPECT_TRUE(reader.Done());
  EXPECT_EQ(Strip(reader, "HTTP/1.1 200 OK"), "") << "what follows is no body";
}

TEST(ChunkReaderTest, RefusesWhatIsNoFraming) {
  const std::string long_extension = "5;" + std::string(20000, 'x');
  const std::string endless_trailers = "0\r\n" + std::string(20000, 'x');
  const std::string texts[] = {"hello\r\n",
                               "\r\nhello",
                               "-1\r\n",
                               ";x\r\n",
                               "5\nhello\r\n",
                               "5\rhello",
                               "5\r\nhello\n",
                               "5\r\nhellox\r\n",
                               "0x5\r\nhello",
                               "5\r\nhello\r5",
                               "fffffffffffffffff\r\n",
                               long_extension,
                               endless_trailers};
  for (const std::string& text : texts) {
    ChunkReader reader;
    (void)Strip(reader, text);
    EXPECT_TRUE(reader.Bad()) << text.substr(0, 20);
    EXPECT_EQ(Strip(reader, "5\r\nhello\r\n"), "") << "stays refused";
  }
}

// Random bodies cut at random, against the bodies they were made of.
TEST(ChunkReaderTest, RandomChunksComeOutWhole) {
  Random random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string framed;
    std::string body;
    for (std::uint64_t left = random.Below(6); left > 0; --left) {
      const std::string part(1 + random.Below(100), static_cast<char>('a' + random.Below(26)));
      char size[20];
      std::snprintf(size, sizeof size, random.Below(2) == 0 ? "%zx\r\n" : "%04zX\r\n", part.size());
      framed += size + part + "\r\n";
      body += part;
    }
    framed += "0\r\n\r\n";
    ChunkReader reader;
    EXPECT_EQ(StripInPieces(reader, framed, 1 + random.Below(40)), body);
    EXPECT_TRUE(reader.Done());
  }
}

// Arbitrary bytes: never more out than in, and the same whatever the cuts.
TEST(ChunkReaderTest, RandomBytesNeverUpsetIt) {
  constexpr char kAlphabet[] = "0123456789abcdefABCDEF;\r\n\r\n\r\n xyz";
  Random random(2);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes;
    for (std::uint64_t left = random.Below(60); left > 0; --left) {
      bytes += kAlphabet[random.Below(sizeof kAlphabet - 1)];
    }
    ChunkReader whole;
    ChunkReader pieces;
    const std::string once = Strip(whole, bytes);
    EXPECT_LE(once.size(), bytes.size());
    EXPECT_EQ(StripInPieces(pieces, bytes, 1), once);
    EXPECT_EQ(pieces.Bad(), whole.Bad());
    EXPECT_EQ(pieces.Done(), whole.Done());
  }
}

}  // namespace
}  // namespace jobrun
