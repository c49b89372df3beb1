// What the tests about Leases share: runs of the worker "w", which beats by its Lease.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/engine/engine_harness.h"
#include "tests/engine/verdict_harness.h"

namespace jobrun {

struct LeaseText {
  std::string name = "w";
  std::uint64_t version = 60;
  int renewed = 1;
  std::uint64_t uid = 5;

  [[nodiscard]] LeaseText Renewed(int number) const {
    LeaseText next = *this;
    next.renewed = number;
    ++next.version;
    return next;
  }
  [[nodiscard]] std::string Json() const {
    return R"({"kind":"Lease","metadata":{"name":")" + name + R"(","namespace":"ns","uid":")" +
           FormatUid(Uid{3, uid}) + R"(","resourceVersion":")" + std::to_string(version) +
           R"(","creationTimestamp":"2026-11-22T11:59:59Z"},"spec":{"holderIdentity":"w","renewTime":")" +
           FormatMicroTime(kServerStart + std::chrono::seconds(renewed)) + R"("}})";
  }
  [[nodiscard]] std::string Line(std::string_view type) const {
    return R"({"type":")" + std::string(type) + R"(","object":)" + Json() + "}";
  }
};

inline constexpr std::string_view kLeasePath =
    "/apis/coordination.k8s.io/v1/namespaces/ns/leases/w";
inline const std::string kDeleted = R"({"kind":"Status","status":"Success"})";

class LeasesTest : public testing::Test {
 protected:
  static RunText Run(const std::string& name = "a") {
    return RunText(name)
        .Spec(R"("heartbeat":{"source":"Lease","intervalSeconds":10,"timeoutSeconds":30})")
        .ClaimedBy("w");
  }
  void Start(const std::vector<RunText>& runs, const std::vector<std::string>& leases) {
    engine_.Sync(runs);
    engine_.SyncWitnesses(Watched::kLeases, leases);
  }
  void Lease(const LeaseText& lease, std::string_view type = "MODIFIED") {
    engine_.Witness(Watched::kLeases, lease.Line(type));
  }
  [[nodiscard]] bool Quiet() const { return engine_.Requests().empty(); }

  // The one request open deletes the Lease in this version.
  void ExpectDelete(const LeaseText& lease) {
    ASSERT_EQ(engine_.Requests().size(), 1U);
    const Request& request = engine_.Requests()[0];
    EXPECT_EQ(request.method, Method::kDelete);
    EXPECT_EQ(request.target, kLeasePath);
    EXPECT_NE(request.body.find(R"("resourceVersion":")" + std::to_string(lease.version) + "\""),
              std::string::npos)
        << request.body;
    EXPECT_NE(request.body.find(FormatUid(Uid{3, lease.uid})), std::string::npos);
  }

  // The one request open reads the Lease; it is gone.
  void ReadGone() {
    ASSERT_EQ(engine_.Requests().size(), 1U);
    EXPECT_EQ(engine_.Requests()[0].method, Method::kGet);
    EXPECT_EQ(engine_.Requests()[0].target, kLeasePath);
    engine_.Answer(404, "");
  }

  EngineHarness engine_;
  LeaseText lease_;
};

}  // namespace jobrun
