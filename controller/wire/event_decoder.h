// Watch lines and list pages, from JSON text to Event (simdjson On-Demand, one pass, nothing
// allocated in steady state).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "controller/base/result.h"
#include "controller/model/thresholds.h"
#include "controller/wire/exchange.h"

namespace jobrun {

// Not thread-safe; one per stream or per caller. Results are views into the text handed in and into
// the decoder's own memory: those of lines until Reset, those of an object or a page until the next
// object or page. What a rare giant text made it grow to is given back; the rest is reused.
class EventDecoder {
 public:
  EventDecoder();
  ~EventDecoder();
  EventDecoder(EventDecoder&&) noexcept;
  EventDecoder& operator=(EventDecoder&&) noexcept;

  // One line of a watch. Never fails: what can't be decoded comes back as kInvalid with the reason
  // in `message` (static text) and what could be read of the object in `run`, its names first of
  // all. `line` must be followed by 64 readable bytes (LineSplitter sees to that). Strings with
  // escapes are unescaped into scratch memory that lives until Reset, so that a batch of events can
  // be handed on together. Of parts that are skipped or passed on as they are (payload,
  // managedFields) only UTF-8, string ends and the number of brackets are checked.
  [[nodiscard]] Event DecodeLine(std::string_view line, Watched watched = Watched::kJobRuns);
  void Reset();

  // An object as a GET or PATCH answers it: an Event of type kModified, or kInvalid.
  [[nodiscard]] Event DecodeObject(std::string_view text, Watched watched = Watched::kJobRuns);

  struct Page {
    std::string resource_version;  // opaque: goes back as it came
    std::string continue_token;    // empty on the last page
  };
  // A page of a list: calls `each` for every item in its order (kAdded or kInvalid), then returns
  // where the next page is. kTransient when the text is no list or breaks off: the items told by
  // then are no page. One bad item does not hide the others. `each` may call DecodeThresholds,
  // nothing else of this decoder. `readable`: bytes that may be read from text.data() on, where the
  // caller knows (the capacity of a std::string); with 64 more than the text has it is read in
  // place, otherwise copied.
  [[nodiscard]] Result<Page> DecodePage(std::string_view text,
                                        const std::function<void(const Event&)>& each,
                                        std::size_t readable = 0,
                                        Watched watched = Watched::kJobRuns);

  // The spec of an object (ObservedRun::spec_json); an empty text says nothing. kInvalid names the
  // field and what was expected.
  [[nodiscard]] Result<Thresholds> DecodeThresholds(std::string_view spec_json);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A Kubernetes Status object, as errors carry it. Empty fields where the text is none.
struct ApiStatus {
  int code{0};
  std::string reason{};
  std::string message{};
};
[[nodiscard]] ApiStatus DecodeStatus(std::string_view text);

}  // namespace jobrun
