#include "tests/simulation/worker.h"

#include <algorithm>

#include "controller/base/rfc3339.h"

namespace jobrun::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanos kAgain = milliseconds(700);

std::string Status(const std::string& status, const std::string& version) {
  std::string body = "{";
  if (!version.empty()) body += R"("metadata":{"resourceVersion":")" + version + "\"},";
  return body + "\"status\":{" + status + "}}";
}

std::string VersionIn(const std::string& body) {
  constexpr std::string_view kField = R"("resourceVersion":")";
  const std::size_t at = body.find(kField);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + kField.size();
  return body.substr(begin, body.find('"', begin) - begin);
}

bool Fences(int status) { return status == 404 || status == 422; }

}  // namespace

Worker::Worker(World& world, Network& network, Job job, std::string name)
    : world_(world), network_(network), job_(std::move(job)), name_(std::move(name)) {}

std::string Worker::Run() const {
  return "/apis/jobrun.dev/v1/namespaces/" + job_.name_space + "/jobruns/" + job_.name;
}

bool Worker::Beats() const {
  return job_.behaviour != Behaviour::kNeverBeats && job_.behaviour != Behaviour::kNeverBeatsAtAll;
}

void Worker::Send(Method method, std::string target, std::string body, Done done) {
  const Nanos now = world_.Now();
  if (now < cut_until_) {
    world_.Hit(Fault::kWorkerHalfOpen);
    return world_.time.In(seconds(2), [done = std::move(done)] { done(Reply{.status = 0}); });
  }
  const bool patch = method == Method::kPatch;
  network_.Call({.method = method,
                 .target = std::move(target),
                 .content_type = patch ? "application/merge-patch+json" : "application/json",
                 .body = std::move(body),
                 .manager = name_},
                std::move(done));
}

void Worker::Patch(const std::string& status, Done done, const std::string& version) {
  Send(Method::kPatch, Run() + "/status", Status(status, version), std::move(done));
}

// ---- the run comes to be ----

void Worker::Create() {
  std::string metadata = R"("name":")" + job_.name + R"(","labels":{"team":"a"})";
  if (job_.finalizer) world_.Hit(Fault::kFinalizer);
  if (job_.finalizer) metadata += R"(,"finalizers":["test/hold"])";
  Send(Method::kPost, "/apis/jobrun.dev/v1/namespaces/" + job_.name_space + "/jobruns",
       "{\"metadata\":{" + metadata + "},\"spec\":" + SpecText(job_) + "}",
       [this](const Reply& reply) {
         if (reply.status != 201 && reply.status != 409) {
           return world_.time.In(kAgain, [this] { Create(); });
         }
         if (job_.behaviour != Behaviour::kUnclaimed) LookForIt(job_.claimed_after);
       });
}

void Worker::LookForIt(Nanos wait) {
  world_.time.In(wait, [this] { TryClaim(); });
}

void Worker::TryClaim() {
  if (state_ == State::kGone) return;
  Send(Method::kGet, Run(), "", [this](const Reply& reply) {
    if (reply.status == 404) {
      state_ = State::kGone;
      return;
    }
    if (reply.status != 200) return LookForIt(kAgain);
    uid_ = Unquoted(MemberText(MemberText(reply.body, "metadata"), "uid"));
    const std::string status = MemberText(reply.body, "status");
    const std::string phase = MemberText(status, "phase");
    if (phase == "\"Running\"" && MemberText(status, "claimedBy") == Quoted(name_)) return Begin();
    if (!phase.empty() && phase != "\"Pending\"") {
      state_ = State::kGone;
      return;
    }
    Claim(VersionIn(reply.body));
  });
}

void Worker::Claim(const std::string& version) {
  if (claim_time_.empty()) {
    claim_time_ = FormatMicroTime(world_.ServerNow());
    if (job_.forged_claim) {
      world_.Hit(Fault::kClaimTimeForged);
      const bool past = world_.workers.Below(2) == 0;
      claim_time_ = past ? "1999-01-01T00:00:00Z" : "2099-01-01T00:00:00Z";
    }
  }
  const std::string claim =
      R"("phase":"Running","claimedAt":")" + claim_time_ + R"(","claimedBy":")" + name_ + "\"";
  Patch(
      claim,
      [this](const Reply& reply) {
        if (reply.status == 200) return Begin();
        LookForIt(kAgain);
      },
      version);
}

void Worker::Begin() {
  if (state_ == State::kWorking) return;
  state_ = State::kWorking;
  claimed_ = true;
  ends_ = world_.Now() + job_.works_for;
  world_.trace.Line(world_.Now(), name_, "works on", Key());
  if (!Beats()) world_.Hit(Fault::kNeverBeats);
  if (job_.behaviour == Behaviour::kLosesItsPod) MakePod();
  if (job_.spammed) Spam();
  if (ByLease()) {
    world_.Hit(Fault::kWorkerLease);
    BeatBeforeLease();
  } else if (Beats()) {
    // Less than a second after the claim it would be taken for the claim's own stamp.
    world_.time.In(milliseconds(1100), [this] { Beat(); });
  }
  if (world_.workers.Below(5) == 0) AddCondition();
  world_.time.At(ends_, [this] { End(); });
}

// ---- beating ----

std::string Worker::Stamp() {
  const ServerTime now = world_.ServerNow();
  ++beats_;
  if (job_.behaviour == Behaviour::kFrozen) {
    world_.Hit(Fault::kFrozenClock);
    return "2026-11-21T12:00:00.000000Z";
  }
  switch (job_.stamps) {
    case Stamps::kRight:
      break;
    case Stamps::kAYearOff:
      world_.Hit(Fault::kOddTimestamps);
      return FormatMicroTime(now + std::chrono::hours(24 * 365));
    case Stamps::kBackwards:
      world_.Hit(Fault::kClockStepsBack);
      return FormatMicroTime(now - seconds(beats_ * 20));
    case Stamps::kYear9999: {
      world_.Hit(Fault::kOddTimestamps);
      const std::string digits = std::to_string(1'000'000 + beats_ % 1'000'000);
      return "9999-12-31T23:59:59." + digits.substr(1) + "Z";
    }
    case Stamps::kOddOffset: {
      world_.Hit(Fault::kOddTimestamps);
      std::string text = FormatMicroTime(now);
      text.pop_back();
      return text + "123+05:30";
    }
  }
  return FormatMicroTime(now);
}

void Worker::BeatLater() {
  const auto jitter =
      world_.workers.Below(static_cast<std::uint64_t>(job_.beats_every.count() / 10 + 1));
  world_.time.In(job_.beats_every - Nanos(static_cast<Nanos::rep>(jitter)), [this] {
    if (state_ != State::kWorking) return;
    if (ByLease()) return lease_made_ ? Renew() : BeatBeforeLease();
    Beat();
  });
}

void Worker::Beat() {
  if (state_ != State::kWorking) return;
  if (world_.Struck(Fault::kMassSilence, kWorkers)) return BeatLater();
  std::string status = R"("claimedBy":")" + name_ + R"(","lastHeartbeatAt":")" + Stamp() + "\"";
  const bool progresses = job_.spec.progress_timeout && job_.behaviour != Behaviour::kStalls;
  if (progresses) status += R"(,"progress":")" + std::to_string(beats_) + "\"";
  if (job_.beats_every < seconds(1)) world_.Hit(Fault::kBusyBeater);
  Patch(status, [this](const Reply& reply) { OnBeaten(reply); });
}

void Worker::OnBeaten(const Reply& reply) {
  if (state_ != State::kWorking) return;
  if (Fences(reply.status)) return Fenced();
  const bool cancelled = reply.body.find("\"cancelled\":true") != std::string::npos;
  if (reply.status == 200 && cancelled && job_.behaviour != Behaviour::kIgnoresCancel) {
    works_ = false;
    return Report(R"("phase":"Failed","reason":"Cancelled")");
  }
  BeatLater();
}

void Worker::Fenced() {
  world_.trace.Line(world_.Now(), name_, "is fenced");
  if (job_.behaviour == Behaviour::kZombie) world_.Hit(Fault::kZombie);
  state_ = State::kGone;
}

// ---- the end ----

void Worker::End() {
  ended_ = true;
  if (state_ != State::kWorking || !works_) return;
  const std::string exit_time = R"(,"exitTime":")" + FormatMicroTime(world_.ServerNow()) + "\"";
  const std::string done = R"(,"completionTime":")" + FormatMicroTime(world_.ServerNow()) + "\"";
  switch (job_.behaviour) {
    case Behaviour::kFinishes:
    case Behaviour::kBeatsByLease:
      return Report(R"("phase":"Succeeded")" + done);
    case Behaviour::kFails:
      return Report(R"("phase":"Failed","reason":"OutOfDisk")" + done);
    case Behaviour::kHandsBack:
      world_.Hit(Fault::kHandBack);
      return Report(R"("phase":"Failed","reason":"HandedBack")" + done);
    case Behaviour::kExits:
    case Behaviour::kMissesAGate:
      works_ = false;
      return Report("\"exitCode\":0" + exit_time);
    case Behaviour::kExitsBadly:
      works_ = false;
      return Report("\"exitCode\":7" + exit_time);
    case Behaviour::kZombie:
      works_ = false;
      state_ = State::kGone;
      return world_.time.In(*job_.spec.heartbeat_timeout * 3, [this] {
        state_ = State::kWorking;
        works_ = true;
        Beat();
      });
    case Behaviour::kLosesItsPod:
      state_ = State::kGone;
      return LosePod();
    case Behaviour::kIgnoresCancel:
      return Cancel();
    case Behaviour::kDies:
    case Behaviour::kDiesByLease:
      world_.trace.Line(world_.Now(), name_, "dies");
      state_ = State::kGone;
      return;
    default:
      return;
  }
}

// Sends it until it is known to have arrived.
void Worker::Report(const std::string& status) {
  works_ = false;
  Patch(status, [this, status](const Reply& reply) {
    if (reply.status == 200 || Fences(reply.status)) {
      world_.trace.Line(world_.Now(), name_, "has reported", reply.status);
      state_ = State::kGone;
      return;
    }
    world_.time.In(kAgain, [this, status] { Report(status); });
  });
}

// ---- a Lease ----

std::string Worker::LeaseTarget() const {
  return "/apis/coordination.k8s.io/v1/namespaces/" + job_.name_space + "/leases";
}

void Worker::BeatBeforeLease() {
  if (state_ != State::kWorking) return;
  lease_made_ = false;
  if (world_.Struck(Fault::kMassSilence, kWorkers)) return BeatLater();
  Patch(R"("claimedBy":")" + name_ + R"(","lastHeartbeatAt":")" + Stamp() + "\"",
        [this](const Reply& reply) {
          if (Fences(reply.status)) return Fenced();
          if (reply.status != 200) return BeatLater();
          beaten_ = world_.Now();
          MakeLease();
        });
}

void Worker::MakeLease() {
  if (state_ != State::kWorking) return;
  if (world_.Now() - beaten_ > *job_.spec.heartbeat_interval) return BeatBeforeLease();
  Send(Method::kPost, LeaseTarget(),
       R"({"metadata":{"name":")" + name_ + R"("},"spec":{"holderIdentity":")" + name_ +
           R"(","renewTime":")" + FormatMicroTime(world_.ServerNow()) + "\"}}",
       [this](const Reply& reply) {
         lease_made_ = reply.status == 201 || reply.status == 409;
         BeatLater();
       });
}

void Worker::Renew() {
  if (state_ != State::kWorking) return;
  if (world_.Struck(Fault::kMassSilence, kWorkers)) return BeatLater();
  Send(Method::kPatch, LeaseTarget() + "/" + name_,
       R"({"spec":{"renewTime":")" + FormatMicroTime(world_.ServerNow()) + "\"}}",
       [this](const Reply& reply) {
         if (reply.status == 404) return BeatBeforeLease();
         BeatLater();
       });
}

}  // namespace jobrun::simulation
