#include "controller/watch/reflector.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "controller/wire/http_status.h"

namespace jobrun {
namespace {

// A server that says "later" is believed, but not for longer than this.
constexpr std::chrono::seconds kRetryAfterMax{30};
constexpr int kPageObjectsMin = 1;

std::uint64_t VersionOf(const Event& event) {
  return event.type == EventType::kBookmark ? event.resource_version : event.run.resource_version;
}

// The same request may well succeed later.
bool MayPass(int status) {
  return status == 0 || status == kHttpTooManyRequests || status >= kHttpServerError;
}

std::string RefusalText(const Response& response) {
  if (!response.detail.empty()) return response.detail;
  std::string text = DecodeStatus(response.body).message;
  if (text.empty()) text = "the API server answered with HTTP " + std::to_string(response.status);
  return text;
}

std::uint64_t ReadVersion(std::string_view text) {
  std::uint64_t version = 0;
  const char* end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, version);
  return error == std::errc() && read == end ? version : 0;
}

// Whether something may be done without waiting, which it may once in a while; then it counts as
// done.
bool AtOnce(std::optional<Mono>& last, Nanos every, Mono now) {
  if (last && now - *last < every) return false;
  last = now;
  return true;
}

}  // namespace

Reflector::Reflector(ReflectorHost& host, const ReflectorOptions& options, std::uint64_t seed)
    : host_(host), options_(options), random_(seed), page_objects_(options.page_objects) {}

void Reflector::Start(Mono now) { BeginSync(now); }

void Reflector::BeginSync(Mono now) {
  if (watch_list_refused_ || prefer_pages_) {
    BeginPages();
    return;
  }
  host_.OnListing();
  state_ = State::kInitialEvents;
  const std::chrono::seconds timeout = DrawTimeout();
  opened_ = false;
  stream_ = host_.Open({.target = host_.WatchTarget({.initial_events = true, .timeout = timeout}),
                        .idle_deadline = options_.stream_idle,
                        .total_deadline = timeout + options_.watch_slack});
  initial_events_until_ = now + options_.initial_events_total;
  wake_ = InitialEventsWake(now);
}

void Reflector::BeginPages() {
  host_.OnListing();
  state_ = State::kPages;
  wake_.reset();
  failures_ = 0;
  continue_token_.clear();
  list_version_.clear();
  RequestPage();
}

void Reflector::RequestPage() {
  list_request_ = host_.Send(
      {.klass = RequestClass::kControl,
       .method = Method::kGet,
       .target = host_.ListTarget({.limit = page_objects_, .continue_token = continue_token_}),
       .deadline = options_.list_deadline});
}

void Reflector::BeginWatch() {
  state_ = State::kWatching;
  ExpectRelist();
  const std::chrono::seconds timeout = DrawTimeout();
  const std::string from = last_event_ == 0 ? version_ : std::to_string(last_event_);
  opened_ = false;
  stream_ = host_.Open({.target = host_.WatchTarget({.resource_version = from, .timeout = timeout}),
                        .idle_deadline = options_.stream_idle,
                        .total_deadline = timeout + options_.watch_slack});
}

void Reflector::FinishSync(std::string version, Mono now) {
  version_ = std::move(version);
  listed_version_ = ReadVersion(version_);
  last_event_ = 0;
  synced_ = true;
  prefer_pages_ = false;
  watch_lists_failed_ = 0;
  failures_ = 0;
  page_objects_ = options_.page_objects;
  host_.OnReplaced();
  host_.OnListEnded(ListOutcome::kComplete);
  list_again_ = TimeOfNextList(now);
  Healthy();
}

void Reflector::Wait(Then then, std::optional<std::chrono::seconds> retry_after, Mono now) {
  Nanos wait = backoff_.Next(now, backoff_cap_, random_);
  if (retry_after) wait = std::max(wait, Nanos(std::min(*retry_after, kRetryAfterMax)));
  state_ = State::kWaiting;
  then_ = then;
  wake_ = now + wait;
}

void Reflector::Resync(Mono now) {
  if (state_ == State::kWaiting) then_ = Then::kList;
  if (state_ == State::kInitialEvents || state_ == State::kPages) again_ = true;
  if (state_ != State::kWatching) return;
  host_.Close(std::exchange(stream_, 0));
  host_.OnStreamEnded(StreamEnd::kTransport);
  BeginSync(now);
}

void Reflector::OnWake(Mono now) {
  if (!wake_ || now < *wake_) return;
  wake_.reset();
  if (state_ == State::kInitialEvents) {
    AbandonInitialEvents();
  } else if (state_ == State::kWaiting) {
    Continue(now);
  } else if (state_ == State::kWatching) {
    again_ = false;
    Resync(now);
  }
}

void Reflector::Continue(Mono now) {
  switch (then_) {
    case Then::kList:
      return BeginSync(now);
    case Then::kPage:
      state_ = State::kPages;
      return RequestPage();
    case Then::kWatch:
      return BeginWatch();
  }
}

// The WatchList has stalled or goes on for ever.
void Reflector::AbandonInitialEvents() {
  host_.Close(std::exchange(stream_, 0));
  prefer_pages_ = true;
  host_.OnStreamEnded(StreamEnd::kTransport);
  host_.OnListEnded(ListOutcome::kFailed);
  BeginPages();
}

// ---- watches ----

void Reflector::OnOpened(const StreamOpened& opened, Mono now) {
  if (!Owns(opened.id)) return;
  opened_ = true;
  opened_at_ = now;
  if (state_ == State::kInitialEvents) wake_ = InitialEventsWake(now);
  if (state_ == State::kWatching) Healthy();
}

void Reflector::OnEvents(const StreamEvents& events, Mono now) {
  if (!Owns(events.id)) return;
  for (const Event& event : events.events) {
    Apply(event, now);
    if (!Owns(events.id)) return;
  }
  if (state_ == State::kInitialEvents) wake_ = InitialEventsWake(now);
}

void Reflector::Apply(const Event& event, Mono now) {
  if (event.type == EventType::kError) {
    OnStreamError(event, now);
    return;
  }
  const bool initial = state_ == State::kInitialEvents;
  if (event.type != EventType::kBookmark) host_.OnEvent(event, initial);
  const std::uint64_t version = VersionOf(event);
  if (event.type == EventType::kInvalid || version == 0) return;
  failures_ = 0;
  if (!initial) {
    last_event_ = version;
    return;
  }
  if (event.type == EventType::kBookmark && event.initial_events_end) {
    state_ = State::kWatching;
    FinishSync(std::to_string(version), now);
    ExpectRelist();
  }
}

// The server ended the watch from within. Only for a version it has forgotten is there nothing to
// resume.
void Reflector::OnStreamError(const Event& event, Mono now) {
  const StreamId stream = std::exchange(stream_, 0);
  host_.Close(stream);
  const bool expired = event.status_code == kHttpGone;
  StreamClosed closed{
      .id = stream, .status = event.status_code, .detail = std::string(event.message)};
  const StreamEnd end = expired ? StreamEnd::kExpired : StreamEnd::kError;
  if (state_ == State::kInitialEvents) {
    OnInitialEventsEnded(end, closed, now);
  } else {
    OnWatchEnded(end, closed, now);
  }
}

void Reflector::OnClosed(const StreamClosed& closed, Mono now) {
  if (!Owns(closed.id)) return;
  stream_ = 0;
  StreamEnd end = StreamEnd::kRefused;
  if (closed.status == 0) end = StreamEnd::kTransport;
  if (closed.status == kHttpOk) end = StreamEnd::kServer;
  if (closed.status == kHttpGone) end = StreamEnd::kExpired;
  if (state_ == State::kInitialEvents) {
    OnInitialEventsEnded(end, closed, now);
  } else {
    OnWatchEnded(end, closed, now);
  }
}

void Reflector::OnInitialEventsEnded(StreamEnd end, const StreamClosed& closed, Mono now) {
  host_.OnStreamEnded(end);
  host_.OnListEnded(end == StreamEnd::kExpired ? ListOutcome::kExpired : ListOutcome::kFailed);
  if (closed.status == kHttpBadRequest || closed.status == kHttpUnprocessable) {
    watch_list_refused_ = true;
    BeginPages();
    return;
  }
  prefer_pages_ = opened_ || ++watch_lists_failed_ >= options_.watch_lists_before_pages;
  Troubled("can't watch", closed.detail, closed.status);
  Wait(Then::kList, closed.retry_after, now);
}

void Reflector::OnWatchEnded(StreamEnd end, const StreamClosed& closed, Mono now) {
  host_.OnStreamEnded(end);
  if (end == StreamEnd::kExpired) {
    if (AtOnce(relisted_at_once_, options_.relist_at_once_every, now)) {
      BeginSync(now);
    } else {
      Wait(Then::kList, closed.retry_after, now);
    }
    return;
  }
  // An end after some life is how watches end, also by silence: a server sends no bookmarks while
  // nothing happens. One that ends at once, or can't be opened, counts as a failure.
  const bool lived = end == StreamEnd::kServer || (end == StreamEnd::kTransport && opened_ &&
                                                   now - opened_at_ >= options_.stream_idle);
  if (lived && failures_ == 0 && AtOnce(reopened_at_once_, options_.reopen_at_once_every, now)) {
    if (end == StreamEnd::kServer) failures_ = 1;
    BeginWatch();
    return;
  }
  ++failures_;
  if (end != StreamEnd::kServer)
    Troubled(opened_ ? "lost the watch of" : "can't watch", closed.detail, closed.status);
  const bool distrust = failures_ >= options_.failures_before_relist;
  if (distrust) failures_ = 0;
  Wait(distrust ? Then::kList : Then::kWatch, closed.retry_after, now);
}

// ---- paged lists ----

void Reflector::OnResponse(const Response& response, Mono now) {
  if (!OwnsRequest(response.id)) return;
  list_request_ = 0;
  if (response.status == kHttpOk) {
    OnPage(response, now);
  } else {
    OnListRefused(response, now);
  }
}

void Reflector::OnPage(const Response& response, Mono now) {
  Result<EventDecoder::Page> page = host_.ReadPage(response.body);
  if (!page) {
    host_.OnListEnded(ListOutcome::kFailed);
    Troubled("can't read the list of", page.error().detail);
    Wait(Then::kList, std::nullopt, now);
    return;
  }
  failures_ = 0;
  list_version_ = std::move(page->resource_version);
  const std::string page_before = std::exchange(continue_token_, std::move(page->continue_token));
  if (!continue_token_.empty() && continue_token_ == page_before) {
    continue_token_.clear();
    host_.OnListEnded(ListOutcome::kFailed);
    Troubled("can't list", "the server repeats a page; is a cache in between?");
    Wait(Then::kList, std::nullopt, now);
    return;
  }
  if (!continue_token_.empty()) {
    RequestPage();
    return;
  }
  FinishSync(list_version_, now);
  BeginWatch();
}

void Reflector::OnListRefused(const Response& response, Mono now) {
  if (response.status == kHttpGone) {
    host_.OnListEnded(ListOutcome::kExpired);
    Wait(Then::kList, std::nullopt, now);
    return;
  }
  if (response.status == kHttpBadRequest && continue_token_.empty() && host_.AskOtherwise()) {
    host_.OnListEnded(ListOutcome::kFailed);
    watch_list_refused_ = false;  // it may have been refused for the same
    return BeginSync(now);
  }
  if (response.too_large) page_objects_ = std::max(kPageObjectsMin, page_objects_ / 4);
  Troubled("can't list", RefusalText(response), response.status);
  // The server keeps the place in the list for some minutes: a long list need not start from its
  // first page whenever one of them fails.
  const bool same_page = !continue_token_.empty() && MayPass(response.status) &&
                         ++failures_ < options_.failures_before_relist;
  if (!same_page) host_.OnListEnded(ListOutcome::kFailed);
  Wait(same_page ? Then::kPage : Then::kList, response.retry_after, now);
}

// ---- times and health ----

std::chrono::seconds Reflector::DrawTimeout() {
  const auto spread = static_cast<std::uint64_t>(options_.watch_timeout.count()) + 1;
  return options_.watch_timeout + std::chrono::seconds(random_.Below(spread));
}

// Replicas that began together do not list together.
Mono Reflector::TimeOfNextList(Mono now) {
  const std::optional<Nanos> after = host_.ListAgainAfter();
  if (!after) return Mono::max();
  return now + *after + Nanos(random_.Below(static_cast<std::uint64_t>(after->count()) / 4 + 1));
}

// Call when it begins to watch: what wakes it is the next list.
void Reflector::ExpectRelist() {
  wake_.reset();
  if (list_again_ != Mono::max()) wake_ = list_again_;
  if (again_) wake_ = Mono::min();
}

Mono Reflector::InitialEventsWake(Mono now) const {
  return std::min<Mono>(now + options_.initial_events_idle, initial_events_until_);
}

void Reflector::Troubled(std::string_view doing, const std::string& detail, int status) {
  troubled_ = true;
  std::string problem(doing);
  problem.append(" ").append(options_.what).append(": ").append(detail);
  std::string_view advice;
  if (status == kHttpNotFound) advice = options_.if_missing;
  if (status == kHttpForbidden) advice = options_.if_forbidden;
  if (!advice.empty()) problem.append("; ").append(advice);
  host_.OnProblem(problem);
}

void Reflector::Healthy() {
  if (!std::exchange(troubled_, false)) return;
  host_.OnProblem({});
}

}  // namespace jobrun
