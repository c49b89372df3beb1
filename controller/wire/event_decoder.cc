#include "controller/wire/event_decoder.h"

#include <array>
#include <optional>
#include <utility>

#include "controller/wire/json_cursor.h"
#include "controller/wire/object_reader.h"
#include "controller/wire/scratch.h"
#include "controller/wire/spec_reader.h"

namespace jobrun {
namespace {

namespace ondemand = json::ondemand;

constexpr std::string_view kBrokenLine = "expected a line of well-formed JSON";
constexpr std::string_view kBrokenObject = "expected an object in well-formed JSON";
constexpr std::string_view kUnknownType =
    "type: expected ADDED, MODIFIED, DELETED, BOOKMARK or ERROR";

constexpr std::array<std::pair<std::string_view, EventType>, 5> kTypes = {{
    {"MODIFIED", EventType::kModified},
    {"ADDED", EventType::kAdded},
    {"DELETED", EventType::kDeleted},
    {"BOOKMARK", EventType::kBookmark},
    {"ERROR", EventType::kError},
}};

// kInvalid for an unknown name.
EventType ParseType(std::string_view name) {
  for (const auto& [text, type] : kTypes) {
    if (text == name) return type;
  }
  return EventType::kInvalid;
}

// One watch line: {"type": …, "object": …} in either order.
class LineReader {
 public:
  LineReader(Scratch& scratch, Watched watched) : scratch_(scratch), watched_(watched) {}

  Event Read(ondemand::parser& parser, std::string_view line) {
    ondemand::document document;
    ondemand::object root;
    const bool sound =
        json::OpenObject(parser, line, document, root) &&
        json::EachField(root, [this](std::string_view key,
                                     ondemand::value& value) { return ReadField(key, value); }) &&
        json::AtEnd(document);
    if (!object_) object_.emplace(scratch_, watched_, false);
    return sound ? Judge() : object_->InvalidEvent(kBrokenLine);
  }

 private:
  bool ReadField(std::string_view key, ondemand::value& value) {
    if (key == "type") {
      type_ = ParseType(json::Text(value, scratch_).value_or(std::string_view()));
    } else if (key == "object") {
      const bool may_be_bookmark = !type_ || *type_ == EventType::kBookmark;
      object_.emplace(scratch_, watched_, may_be_bookmark);
      return object_->Read(value);
    }
    return true;
  }

  [[nodiscard]] Event Judge() const {
    switch (type_.value_or(EventType::kInvalid)) {
      case EventType::kAdded:
      case EventType::kModified:
      case EventType::kDeleted:
        return object_->RunEvent(*type_);
      case EventType::kBookmark:
        return object_->BookmarkEvent();
      case EventType::kError:
        return object_->ErrorEvent();
      case EventType::kInvalid:
        break;
    }
    return object_->InvalidEvent(kUnknownType);
  }

  Scratch& scratch_;
  Watched watched_;
  std::optional<EventType> type_{};
  std::optional<json::ObjectReader> object_{};
};

// A list: {"metadata": …, "items": […]} in either order.
class PageReader {
 public:
  PageReader(Scratch& scratch, Watched watched, const std::function<void(const Event&)>& each)
      : scratch_(scratch), watched_(watched), each_(each) {}

  Result<EventDecoder::Page> Read(std::string_view padded) {
    // Of this call only: `each` may use the decoder, and a page's parser is too large to keep.
    ondemand::parser parser;
    ondemand::document document;
    ondemand::object root;
    const bool sound =
        json::OpenObject(parser, padded, document, root) &&
        json::EachField(root, [this](std::string_view key,
                                     ondemand::value& value) { return ReadField(key, value); }) &&
        json::AtEnd(document);
    if (!sound) return Fail("expected an object in well-formed JSON");
    if (!has_items_) return Fail("items: expected a list");
    if (bad_metadata_ || page_.resource_version.empty()) {
      return Fail("metadata: expected resourceVersion and continue as strings");
    }
    return std::move(page_);
  }

 private:
  static Error Fail(std::string detail) {
    return {Code::kTransient, "decode a page of a list", std::move(detail)};
  }

  bool ReadField(std::string_view key, ondemand::value& value) {
    if (key == "metadata" && json::IsObject(value)) return ReadMetadata(value);
    if (key != "items") return true;
    has_items_ = json::IsArray(value) || json::IsNull(value);
    if (!json::IsArray(value)) return true;
    return json::EachElement(value, [this](ondemand::value& item) { return ReadItem(item); });
  }

  bool ReadMetadata(ondemand::value& value) {
    return json::EachField(value, [this](std::string_view key, ondemand::value& field) {
      if (key == "resourceVersion") Take(field, page_.resource_version);
      if (key == "continue") Take(field, page_.continue_token);
      return true;
    });
  }

  void Take(ondemand::value& value, std::string& into) {
    const std::optional<std::string_view> text = json::Text(value, scratch_);
    if (!text) bad_metadata_ = true;
    into = text.value_or(std::string_view());
  }

  bool ReadItem(ondemand::value& item) {
    json::ObjectReader object(scratch_, watched_, false);
    if (!object.Read(item)) return false;
    each_(object.RunEvent(EventType::kAdded));
    return true;
  }

  Scratch& scratch_;
  Watched watched_;
  const std::function<void(const Event&)>& each_;
  EventDecoder::Page page_{};
  bool has_items_{false};
  bool bad_metadata_{false};
};

}  // namespace

// Lines, objects and specs have a parser each, so that a spec can be decoded while a page is read.
struct EventDecoder::Impl {
  ondemand::parser line_parser;
  Scratch line_scratch;
  std::string text;  // padded copy of an object or a page
  Scratch text_scratch;
  std::string spec;  // padded copy
  ondemand::parser spec_parser;
};

EventDecoder::EventDecoder() : impl_(std::make_unique<Impl>()) {}
EventDecoder::~EventDecoder() = default;
EventDecoder::EventDecoder(EventDecoder&&) noexcept = default;
EventDecoder& EventDecoder::operator=(EventDecoder&&) noexcept = default;

Event EventDecoder::DecodeLine(std::string_view line, Watched watched) {
  return LineReader(impl_->line_scratch, watched).Read(impl_->line_parser, line);
}

void EventDecoder::Reset() {
  impl_->line_scratch.Reset();
  json::Shrink(impl_->line_parser);
}

Event EventDecoder::DecodeObject(std::string_view text, Watched watched) {
  impl_->text_scratch.Reset();
  json::Shrink(impl_->line_parser);
  ondemand::document document;
  ondemand::object root;
  json::ObjectReader object(impl_->text_scratch, watched, false);
  const bool sound =
      json::OpenObject(impl_->line_parser, json::CopyPadded(impl_->text, text), document, root) &&
      object.ReadFields(root) && json::AtEnd(document);
  return sound ? object.RunEvent(EventType::kModified) : object.InvalidEvent(kBrokenObject);
}

Result<EventDecoder::Page> EventDecoder::DecodePage(std::string_view text,
                                                    const std::function<void(const Event&)>& each,
                                                    std::size_t readable, Watched watched) {
  impl_->text_scratch.Reset();
  const bool in_place = readable >= text.size() + simdjson::SIMDJSON_PADDING;
  const std::string_view padded = in_place ? text : json::CopyPadded(impl_->text, text);
  return PageReader(impl_->text_scratch, watched, each).Read(padded);
}

Result<Thresholds> EventDecoder::DecodeThresholds(std::string_view spec_json) {
  if (spec_json.empty()) return Thresholds{};
  json::Shrink(impl_->spec_parser);
  return json::ReadThresholds(impl_->spec_parser, json::CopyPadded(impl_->spec, spec_json));
}

ApiStatus DecodeStatus(std::string_view text) {
  std::string buffer;
  Scratch scratch;
  ondemand::parser parser;
  ondemand::document document;
  ondemand::object root;
  ApiStatus status;
  std::string_view kind;
  const auto take_detail = [&](std::string_view key, ondemand::value& value) {
    if (key == "kind") status.kind = json::Text(value, scratch).value_or(std::string_view());
    return true;
  };
  const auto take = [&](std::string_view key, ondemand::value& value) {
    if (key == "kind") kind = json::Text(value, scratch).value_or(std::string_view());
    if (key == "reason") status.reason = json::Text(value, scratch).value_or(std::string_view());
    if (key == "message") status.message = json::Text(value, scratch).value_or(std::string_view());
    if (key == "code") status.code = json::StatusCode(value);
    if (key == "details" && json::IsObject(value)) return json::EachField(value, take_detail);
    return true;
  };
  const bool sound = json::OpenObject(parser, json::CopyPadded(buffer, text), document, root) &&
                     json::EachField(root, take) && json::AtEnd(document);
  return sound && kind == "Status" ? status : ApiStatus{};
}

}  // namespace jobrun
