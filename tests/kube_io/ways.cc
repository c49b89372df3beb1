#include "tests/kube_io/ways.h"

namespace jobrun::testing {

Came EachWay::Ask(Client& client) {
  if (GetParam() == Way::kWatch) {
    client.transport().Open({.id = 1, .target = "/watch"});
    client.RunUntil([&] { return !client.streams[1].closed.empty(); });
    const StreamClosed closed = client.streams[1].closed.at(0);
    client.streams.clear();
    return {closed.status, closed.detail};
  }
  const Response response =
      client.Call({.klass = GetParam() == Way::kData ? RequestClass::kData : RequestClass::kControl,
                   .target = "/"});
  return {response.status, response.detail};
}

std::string WayName(const ::testing::TestParamInfo<Way>& tested) {
  return tested.param == Way::kData ? "Data" : tested.param == Way::kControl ? "Control" : "Watch";
}

}  // namespace jobrun::testing
