// Watch lines for tests: one sound event, and variations of it.
#pragma once

#include <cassert>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace jobrun {

inline constexpr std::string_view kUid = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
inline constexpr std::string_view kMetadata =
    R"({"creationTimestamp":"2026-11-22T01:00:00Z","generation":3,)"
    R"("managedFields":[{"manager":"m","fieldsV1":{"f:status":{"f:phase":{}}}}],)"
    R"("name":"nightly","namespace":"etl","resourceVersion":"221",)"
    R"("uid":"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"})";
inline constexpr std::string_view kModified =
    R"({"type":"MODIFIED","object":{"apiVersion":"jobrun.dev/v1","kind":"JobRun","metadata":)"
    R"({"creationTimestamp":"2026-11-22T01:00:00Z","generation":3,)"
    R"("managedFields":[{"manager":"m","fieldsV1":{"f:status":{"f:phase":{}}}}],)"
    R"("name":"nightly","namespace":"etl","resourceVersion":"221",)"
    R"("uid":"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"},)"
    R"("spec":{"deadlineSeconds":60,"lane":"batch","payload":{"lane":"x"}},)"
    R"("status":{"claimedAt":"2026-11-22T01:02:03.000004Z","claimedBy":"w",)"
    R"("lastHeartbeatAt":"2026-11-22T01:03:33.5Z","phase":"Running","reason":"Why",)"
    R"("startTime":"2026-11-22T01:02:04.000000Z","verdictID":"v-1"}}})";

// kModified with one part changed, which must be there.
inline std::string Replaced(std::string_view part, std::string_view by) {
  std::string text(kModified);
  const std::size_t at = text.find(part);
  assert(at != std::string::npos);
  return text.replace(at, part.size(), by);
}

// A text with exactly the padding behind it that the decoder is promised, so that AddressSanitizer
// sees a read beyond. The padding holds what does most harm when it is taken for JSON.
class PaddedText {
 public:
  explicit PaddedText(std::string_view text)
      : size_(text.size()), bytes_(std::make_unique<char[]>(text.size() + kPadding)) {
    std::memset(bytes_.get() + size_, '}', kPadding);
    if (size_ > 0) std::memcpy(bytes_.get(), text.data(), size_);
  }
  [[nodiscard]] std::string_view View() const { return {bytes_.get(), size_}; }

 private:
  static constexpr std::size_t kPadding = 64;
  std::size_t size_;
  std::unique_ptr<char[]> bytes_;
};

}  // namespace jobrun
