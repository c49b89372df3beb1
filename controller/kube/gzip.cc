#include "controller/kube/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <string>
#include <utility>

#include "controller/kube/http_reply.h"

namespace jobrun {
namespace {

constexpr int kGzipWindow = 16 + MAX_WBITS;  // zlib's way to ask for the gzip format
// Lists of runs shrink to a fifteenth.
constexpr std::size_t kUsualRatio = 16;
constexpr std::size_t kGrowMin = std::size_t{64} * 1024;

enum class Unpacked { kWhole, kTooLarge, kBroken };

class Inflater {
 public:
  Inflater() : ready_(inflateInit2(&stream_, kGzipWindow) == Z_OK) {}
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // One packed text, and nothing behind it.
  Unpacked Run(std::string& packed, std::size_t bytes_max, std::string& out) {
    if (!ready_) return Unpacked::kBroken;
    stream_.next_in = reinterpret_cast<Bytef*>(packed.data());
    stream_.avail_in = static_cast<uInt>(packed.size());
    std::size_t size = 0;
    for (;;) {
      const std::size_t more = std::max(kGrowMin, size == 0 ? packed.size() * kUsualRatio : size);
      out.resize(std::min(size + more, bytes_max + 1));
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + size);
      stream_.avail_out = static_cast<uInt>(out.size() - size);
      const int result = inflate(&stream_, Z_NO_FLUSH);
      size = out.size() - stream_.avail_out;
      if (size > bytes_max) return Unpacked::kTooLarge;
      if (result == Z_STREAM_END) break;
      // Without room left it goes on; without input left the end is missing.
      if (result != Z_OK || stream_.avail_out > 0) return Unpacked::kBroken;
    }
    out.resize(size);
    return stream_.avail_in == 0 ? Unpacked::kWhole : Unpacked::kBroken;
  }

 private:
  z_stream stream_{};
  bool ready_;
};

}  // namespace

void Unpack(Response& response, std::string_view encoding, std::size_t body_bytes_max,
            std::string_view peer) {
  if (encoding.empty() || encoding == "identity") return;
  const auto refuse = [&](const std::string& why) {
    response.status = 0;
    response.body.clear();
    response.detail = std::string(peer) + ": " + why;
  };
  if (encoding != "gzip") {
    return refuse("the answer is packed by '" + std::string(encoding) +
                  "', which nobody asked for; is a proxy in between?");
  }
  std::string text;
  switch (Inflater().Run(response.body, body_bytes_max, text)) {
    case Unpacked::kWhole:
      response.body = std::move(text);
      return;
    case Unpacked::kTooLarge:
      response.too_large = true;
      return refuse(TooLargeText(body_bytes_max));
    case Unpacked::kBroken:
      return refuse("the answer is packed, and can't be unpacked");
  }
}

}  // namespace jobrun
