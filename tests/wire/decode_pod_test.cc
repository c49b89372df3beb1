#include <gtest/gtest.h>

#include <string>

#include "controller/wire/event_decoder.h"
#include "tests/engine/pod_text.h"
#include "tests/wire/lines.h"

namespace jobrun {
namespace {

struct PodCase {
  const char* what;
  PodText pod;
  bool finished;
  PodCause cause;
};

class DecodePodTest : public testing::TestWithParam<PodCase> {};

TEST_P(DecodePodTest, TellsWhetherItsWorkCanGoOnAndWhyNot) {
  const PodCase& each = GetParam();
  EventDecoder decoder;
  const PaddedText line(each.pod.Line("MODIFIED"));
  const Event event = decoder.DecodeLine(line.View(), Watched::kPods);
  ASSERT_EQ(event.type, EventType::kModified) << each.what << ": " << event.message;
  EXPECT_EQ(event.pod.finished, each.finished) << each.what;
  EXPECT_EQ(event.pod.cause, each.cause) << each.what;
}

INSTANTIATE_TEST_SUITE_P(
    Pods, DecodePodTest,
    testing::Values(
        PodCase{"running", PodText("p"), false, PodCause::kNone},
        PodCase{"pending", PodText("p").Ended("Pending", "Completed", 0), false, PodCause::kNone},
        PodCase{"failed", PodText("p").Ended("Failed", "Error", 1), true, PodCause::kPodFailed},
        PodCase{"succeeded", PodText("p").Ended("Succeeded", "Completed", 0), true,
                PodCause::kPodSucceeded},
        PodCase{"out of memory", PodText("p").Ended("Failed", "OOMKilled", 137), true,
                PodCause::kOomKilled},
        PodCase{"out of memory, to be restarted", PodText("p").Ended("Running", "OOMKilled", 137),
                false, PodCause::kOomKilled},
        PodCase{"crashed, to be restarted", PodText("p").Ended("Running", "Error", 1), false,
                PodCause::kNone},
        PodCase{"evicted by the kubelet",
                PodText("p").Ended("Failed", "OOMKilled", 137).Reason("Evicted"), true,
                PodCause::kEvicted},
        PodCase{"by the eviction API", PodText("p").Disrupted("EvictionByEvictionAPI"), false,
                PodCause::kEvicted},
        PodCase{"preempted", PodText("p").Disrupted("PreemptionByScheduler"), false,
                PodCause::kEvicted},
        PodCase{"ended by its kubelet",
                PodText("p").Ended("Failed", "Error", 143).Disrupted("TerminationByKubelet"), true,
                PodCause::kEvicted},
        PodCase{"tainted node", PodText("p").Disrupted("DeletionByTaintManager"), false,
                PodCause::kNodeLost},
        PodCase{"node removed",
                PodText("p").Ended("Failed", "Error", 1).Disrupted("DeletionByPodGC"), true,
                PodCause::kNodeLost},
        PodCase{"node lost, as old servers say it", PodText("p").Reason("NodeLost"), false,
                PodCause::kNodeLost},
        PodCase{"an unknown disruption", PodText("p").Disrupted("Aliens"), false,
                PodCause::kNone}));

Event Decode(EventDecoder& decoder, const std::string& object, Watched watched) {
  return decoder.DecodeObject(object, watched);
}

TEST(DecodePodTest, NamesTheContainerThatTells) {
  EventDecoder decoder;
  const std::string text = PodText("p").Ended("Failed", "Error", 1).Json();
  const std::string list = R"("containerStatuses":[)";
  std::string more = text;
  more.insert(more.find(list) + list.size(),
              R"({"name":"sidecar","state":{"terminated":{"exitCode":0,"reason":"Completed"}}},)"
              R"({"name":"hog","state":{"terminated":{"reason":"OOMKilled","exitCode":137}}},)");
  const Event one = Decode(decoder, text, Watched::kPods);
  EXPECT_EQ(one.pod.container, "main");
  EXPECT_EQ(one.pod.exit_code, 1);
  const Event two = Decode(decoder, more, Watched::kPods);
  EXPECT_EQ(two.pod.cause, PodCause::kOomKilled);
  EXPECT_EQ(two.pod.container, "hog");
  EXPECT_EQ(two.pod.exit_code, 137);
}

TEST(DecodePodTest, WhatAContainerDiedOfBeforeItsRestartIsNotItsState) {
  EventDecoder decoder;
  std::string text = PodText("p").Json();
  const std::string state = R"("state":{)";
  text.insert(text.find(state),
              R"("lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled"}},)");
  const Event event = Decode(decoder, text, Watched::kPods);
  EXPECT_EQ(event.pod.cause, PodCause::kNone);
  EXPECT_EQ(event.pod.container, "");
}

TEST(DecodePodTest, ACondtionThatIsNotTrueSaysNothing) {
  EventDecoder decoder;
  std::string text = PodText("p").Disrupted("DeletionByTaintManager").Json();
  const std::string status = R"("type":"DisruptionTarget","status":"True")";
  text.replace(text.find(status), status.size(), R"("type":"DisruptionTarget","status":"False")");
  EXPECT_EQ(Decode(decoder, text, Watched::kPods).pod.cause, PodCause::kNone);
}

TEST(DecodePodTest, ItsNamesAndItsDeletion) {
  EventDecoder decoder;
  const Event event =
      Decode(decoder, PodText("p").Deleting("2026-11-22T12:00:30Z").Json(), Watched::kPods);
  EXPECT_EQ(event.run.name, "p");
  EXPECT_EQ(event.run.name_space, "ns");
  EXPECT_EQ(event.run.uid, (Uid{2, 7}));
  EXPECT_EQ(event.run.resource_version, 50U);
  EXPECT_EQ(event.pod.deletion_timestamp, "2026-11-22T12:00:30Z");
}

TEST(DecodePodTest, APhaseThatIsNoTextIsInvalid) {
  EventDecoder decoder;
  std::string text = PodText("p").Json();
  text.replace(text.find(R"("phase":"Running")"), 17, R"("phase":7)");
  const Event event = Decode(decoder, text, Watched::kPods);
  EXPECT_EQ(event.type, EventType::kInvalid);
  EXPECT_EQ(event.message, "status.phase of a pod: expected a string");
}

TEST(DecodeLeaseTest, ReadsWhenItWasRenewed) {
  EventDecoder decoder;
  const std::string text =
      R"({"kind":"Lease","metadata":{"name":"w","namespace":"ns","uid":"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",)"
      R"("resourceVersion":"9","creationTimestamp":"2026-11-22T11:59:59Z"},)"
      R"("spec":{"holderIdentity":"w","leaseDurationSeconds":15,"renewTime":"2026-11-22T12:00:00.000001Z"}})";
  const Event event = Decode(decoder, text, Watched::kLeases);
  ASSERT_EQ(event.type, EventType::kModified) << event.message;
  EXPECT_EQ(event.renew_time, "2026-11-22T12:00:00.000001Z");
  EXPECT_EQ(event.run.name, "w");
}

}  // namespace
}  // namespace jobrun
