#include "controller/wire/election_lease.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "controller/wire/targets.h"

namespace jobrun {
namespace {

// As a kube-apiserver sends it after client-go has written it.
constexpr const char* kLease =
    R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"jobrun",)"
    R"("namespace":"ns","uid":"0b5b2f9a-0000-4000-8000-000000000001","resourceVersion":"221",)"
    R"("creationTimestamp":"2026-11-22T11:00:00Z","managedFields":[{"manager":"elector"}]},)"
    R"("spec":{"holderIdentity":"pod-1","leaseDurationSeconds":15,)"
    R"("acquireTime":"2026-11-22T11:00:00.000001Z","renewTime":"2026-11-22T12:00:00.000002Z",)"
    R"("leaseTransitions":4}})";

std::string WithSpec(const std::string& spec) {
  return R"({"metadata":{"resourceVersion":"7"},"spec":)" + spec + "}";
}

ElectionLease Read(const std::string& json) {
  Result<ElectionLease> lease = ReadElectionLease(json);
  EXPECT_TRUE(lease.ok()) << json;
  return lease ? std::move(lease).value() : ElectionLease{};
}

TEST(ElectionLeaseTest, IsReadAsClientGoWritesIt) {
  const ElectionLease lease = Read(kLease);
  EXPECT_EQ(lease.uid, *ParseUid("0b5b2f9a-0000-4000-8000-000000000001"));
  EXPECT_EQ(lease.resource_version, "221");
  EXPECT_EQ(lease.holder, "pod-1");
  EXPECT_EQ(lease.duration_seconds, 15);
  EXPECT_EQ(lease.acquire_time, "2026-11-22T11:00:00.000001Z");
  EXPECT_EQ(lease.renew_time, "2026-11-22T12:00:00.000002Z");
  EXPECT_EQ(lease.transitions, 4);
}

TEST(ElectionLeaseTest, WithoutASpecNobodyHasIt) {
  for (const char* spec : {"{}", "null", "[]", "7"}) {
    const ElectionLease lease = Read(WithSpec(spec));
    EXPECT_EQ(lease.resource_version, "7");
    EXPECT_EQ(lease.holder, "");
    EXPECT_EQ(lease.duration_seconds, 0);
    EXPECT_EQ(lease.renew_time, "");
    EXPECT_EQ(lease.transitions, 0);
  }
}

TEST(ElectionLeaseTest, AFieldOfAWrongTypeCountsAsAbsentAndSpoilsNoOther) {
  const ElectionLease lease =
      Read(WithSpec(R"({"holderIdentity":{"a":[1]},"leaseDurationSeconds":"15","acquireTime":7,)"
                    R"("renewTime":["x"],"leaseTransitions":3})"));
  EXPECT_EQ(lease.holder, "");
  EXPECT_EQ(lease.duration_seconds, 0);
  EXPECT_EQ(lease.acquire_time, "");
  EXPECT_EQ(lease.renew_time, "");
  EXPECT_EQ(lease.transitions, 3);
}

TEST(ElectionLeaseTest, NumbersAreReadAsTheyStandAndAsFarAsTheyFit) {
  const auto duration = [](const std::string& text) {
    return Read(WithSpec(R"({"leaseDurationSeconds":)" + text + "}")).duration_seconds;
  };
  EXPECT_EQ(duration("-1"), -1);
  EXPECT_EQ(duration("2147483648"), 2147483648);
  EXPECT_EQ(duration("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(duration("9223372036854775808"), INT64_MAX);
  EXPECT_EQ(duration("-9223372036854775809"), INT64_MIN);
  EXPECT_EQ(duration("15.5"), 0);
  EXPECT_EQ(duration("1e3"), 0);
  EXPECT_EQ(duration("null"), 0);
  EXPECT_EQ(duration("true"), 0);
}

TEST(ElectionLeaseTest, AnIdentityWithEscapesIsResolved) {
  EXPECT_EQ(Read(WithSpec(R"({"holderIdentity":"a\"b\u00e9"})")).holder, "a\"b\u00e9");
}

TEST(ElectionLeaseTest, WithoutAVersionToGuardItIsNone) {
  for (const char* json : {R"({"spec":{}})", R"({"metadata":{"resourceVersion":7}})",
                           R"({"metadata":{"resourceVersion":""}})", R"({"metadata":[]})"}) {
    EXPECT_FALSE(ReadElectionLease(json).ok()) << json;
  }
}

TEST(ElectionLeaseTest, WhatIsNoObjectOrBrokenIsNone) {
  const std::string whole = kLease;
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    EXPECT_FALSE(ReadElectionLease(whole.substr(0, cut)).ok()) << cut;
  }
  EXPECT_FALSE(ReadElectionLease("[]").ok());
  EXPECT_FALSE(ReadElectionLease("<html>").ok());
  EXPECT_FALSE(ReadElectionLease(whole + "x").ok());
}

TEST(ElectionLeaseTest, TheRecordIsTheSameWhateverItsVersion) {
  const ElectionLease lease = Read(kLease);
  ElectionLease other = lease;
  other.resource_version = "222";
  EXPECT_TRUE(IsSameRecord(lease, other));
}

TEST(ElectionLeaseTest, EveryOtherChangeIsAnotherRecord) {
  const ElectionLease lease = Read(kLease);
  const auto differs = [&lease](auto member, auto value) {
    ElectionLease other = lease;
    other.*member = value;
    return !IsSameRecord(lease, other);
  };
  EXPECT_TRUE(differs(&ElectionLease::uid, Uid{1, 1}));
  EXPECT_TRUE(differs(&ElectionLease::holder, "pod-2"));
  EXPECT_TRUE(differs(&ElectionLease::duration_seconds, 16));
  EXPECT_TRUE(differs(&ElectionLease::acquire_time, ""));
  EXPECT_TRUE(differs(&ElectionLease::renew_time, "2026-11-22T12:00:00.000003Z"));
  EXPECT_TRUE(differs(&ElectionLease::transitions, 5));
}

TEST(ElectionLeaseTest, IsCreatedWithTheFiveFieldsOfClientGo) {
  EXPECT_EQ(WriteElectionLease("ns", "jobrun", Read(kLease)),
            R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease",)"
            R"("metadata":{"namespace":"ns","name":"jobrun"},)"
            R"("spec":{"holderIdentity":"pod-1","leaseDurationSeconds":15,)"
            R"("acquireTime":"2026-11-22T11:00:00.000001Z",)"
            R"("renewTime":"2026-11-22T12:00:00.000002Z","leaseTransitions":4}})");
}

TEST(ElectionLeaseTest, IsPatchedInTheVersionThatWasRead) {
  EXPECT_EQ(WriteElectionPatch(Read(kLease)),
            R"({"metadata":{"resourceVersion":"221"},)"
            R"("spec":{"holderIdentity":"pod-1","leaseDurationSeconds":15,)"
            R"("acquireTime":"2026-11-22T11:00:00.000001Z",)"
            R"("renewTime":"2026-11-22T12:00:00.000002Z","leaseTransitions":4}})");
}

TEST(LeasesTargetTest, IsWhereALeaseIsCreated) {
  EXPECT_EQ(LeasesTarget("ns"), "/apis/coordination.k8s.io/v1/namespaces/ns/leases");
  EXPECT_EQ(LeaseTarget("ns", "jobrun"), LeasesTarget("ns") + "/jobrun");
}

}  // namespace
}  // namespace jobrun
