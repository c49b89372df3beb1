// The rest of the server: discovery, OpenAPI, tables, reviews, refusals of what makes no sense.
#include <gmock/gmock.h>

#include "tests/api_model/model_client.h"
#include "tests/api_model/protobuf.h"
#include "tests/api_model/table.h"

namespace jobrun::api_model {
namespace {

using testing::HasSubstr;

TEST(DiscoveryTest, NamesTheResourceInBothForms) {
  ModelClient api;
  const auto legacy = api.Get("/apis/jobrun.dev/v1");
  EXPECT_EQ(legacy.body.at("resources")[0].at("shortNames"), Json::array({"jr"}));
  EXPECT_EQ(legacy.body.at("resources")[1].at("name"), "jobruns/status");
  EXPECT_EQ(api.Get("/apis").body.at("kind"), "APIGroupList");
  const auto aggregated =
      api.Get("/apis", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
  EXPECT_EQ(aggregated.body.at("kind"), "APIGroupDiscoveryList");
  EXPECT_THAT(aggregated.reply.content_type, HasSubstr("as=APIGroupDiscoveryList"));
  EXPECT_THAT(aggregated.body.dump(), HasSubstr("\"resource\":\"jobruns\""));
}

TEST(DiscoveryTest, OpenApiDocumentOfTheGroupDescribesFieldsAndTellsOfValidation) {
  ModelClient api;
  const auto index = api.Get("/openapi/v3");
  const std::string url = index.body.at("paths").at("apis/jobrun.dev/v1").at("serverRelativeURL");
  const auto document = api.Get(url);
  const Json& schema = document.body.at("components").at("schemas").at("dev.jobrun.v1.JobRun");
  EXPECT_EQ(schema.at("properties").at("spec").at("properties").at("lane").at("type"), "string");
  EXPECT_THAT(document.body.dump(), HasSubstr("fieldValidation"));
  EXPECT_EQ(api.Get("/openapi/v3/apis/nothing/v1").code, 404);
  EXPECT_EQ(api.Get("/openapi/v2").code, 404);
}

TEST(ServerTest, IsHealthyAndTellsItsVersion) {
  ModelClient api({.git_version = "v1.36.0+test"});
  for (const char* path : {"/readyz", "/livez", "/healthz"})
    EXPECT_EQ(api.Get(path).reply.body, "ok");
  const auto version = api.Get("/version");
  EXPECT_EQ(version.body.at("gitVersion"), "v1.36.0+test");
  EXPECT_EQ(version.body.at("minor"), "36");
}

TEST(ServerTest, ReviewsAllowEverything) {
  ModelClient api;
  const auto review = api.Post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                               {{"spec", {{"resourceAttributes", {{"verb", "get"}}}}}});
  EXPECT_EQ(review.code, 201);
  EXPECT_EQ(review.body.at("status").at("allowed"), true);
  EXPECT_EQ(api.Get("/apis/authorization.k8s.io/v1/subjectaccessreviews").code, 405);
}

TEST(ServerTest, ServesItsOwnCustomResourceDefinitionAsEstablished) {
  ModelClient api;
  const auto crd =
      api.Get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/jobruns.jobrun.dev");
  EXPECT_EQ(crd.code, 200);
  EXPECT_THAT(crd.body.at("status").dump(), HasSubstr("Established"));
}

TEST(RefusalTest, UnknownPathsMethodsAndMediaTypes) {
  ModelClient api;
  api.Create("a");
  EXPECT_EQ(api.Get("/nothing").code, 404);
  EXPECT_EQ(api.Get("/apis/jobrun.dev/v2/jobruns").code, 404);
  EXPECT_EQ(api.Get("/apis/jobrun.dev/v1/jobruns/a").code, 404) << "a run needs its namespace";
  EXPECT_EQ(api.Get(ModelClient::Run("a") + "/scale").code, 404);
  EXPECT_EQ(api.Post("/version", Json::object()).code, 405);
  EXPECT_EQ(api.Post(ModelClient::Status("a"), Json::object()).code, 405);
  EXPECT_EQ(api.Delete(ModelClient::Status("a")).code, 405);
  EXPECT_EQ(api.Get(ModelClient::kRuns, "text/html").code, 406);
  EXPECT_EQ(api.Get(ModelClient::kRuns, "text/html, */*").code, 200);
  EXPECT_EQ(
      api.Send({.method = "POST", .target = ModelClient::kRuns, .content_type = "text/plain"}).code,
      415);
  EXPECT_EQ(api.Send({.method = "BREW", .target = ModelClient::kRuns}).code, 405);
}

TEST(RefusalTest, OddBodiesGetAnAnswerWhateverTheyAre) {
  ModelClient api;
  api.Create("a");
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  const std::vector<std::string> bodies = {
      "",
      "{",
      "[]",
      "null",
      "1",
      "\"x\"",
      "{}",
      "{\"metadata\":1}",
      "{\"metadata\":[]}",
      deep,
      "{\"a\":" + deep + "}",
      "{\"spec\":{\"payload\":{\"x\":1e999}}}",
      std::string("\0\0", 2),
      "{\"metadata\":{\"name\":\"\\ud800\"}}",
      "\xff\xfe",
      "{\"spec\":null,\"spec\":{}}",
      "{\"kind\":1,\"apiVersion\":[],\"metadata\":{\"labels\":{\"a\":null}}}",
      "{\"metadata\":{\"resourceVersion\":5}}",
      "{\"metadata\":{\"finalizers\":[1]}}",
      "{\"status\":{\"conditions\":[1,{},{\"type\":1}]}}",
      "{\"spec\":{\"retry\":{\"on\":{}}}}"};
  for (const std::string& body : bodies) {
    for (const char* method : {"POST", "PUT", "PATCH", "DELETE"}) {
      for (const char* kind :
           {"application/json", ModelClient::kMerge, "application/json-patch+json",
            "application/apply-patch+yaml", "application/yaml"}) {
        for (const std::string& target :
             {std::string(ModelClient::kRuns), ModelClient::Run("a"), ModelClient::Status("a"),
              std::string(ModelClient::kLeases)}) {
          if (std::string(method) == "DELETE" && target == ModelClient::kRuns) continue;
          const auto answer = api.Send({.method = method,
                                        .target = target + "?dryRun=All&fieldManager=m",
                                        .content_type = kind,
                                        .body = body});
          EXPECT_NE(answer.code, 500) << method << ' ' << target << ' ' << kind << ' '
                                      << body.substr(0, 80) << ' ' << answer.message();
        }
      }
    }
  }
}

TEST(RefusalTest, RandomTargetsGetAnAnswer) {
  ModelClient api;
  Random random(7);
  const std::vector<std::string> pieces = {
      "/",        "apis",          "api",    "v1",  "jobrun.dev", "namespaces",
      "default",  "jobruns",       "status", "?",   "&",          "=",
      "watch",    "true",          "%",      "%zz", "limit",      "-1",
      "continue", "labelSelector", "(",      ",",   "in",         "!"};
  for (int i = 0; i < 5000; ++i) {
    std::string target = "/";
    for (std::uint64_t n = random.Below(14); n > 0; --n)
      target += pieces[random.Below(pieces.size())];
    const auto answer = api.Get(target);
    EXPECT_GE(answer.code, 200) << target;
    EXPECT_NE(answer.code, 500) << target << answer.message();
    if (answer.reply.watch) api.model->Close(*answer.reply.watch);
  }
}

TEST(RefusalTest, ObjectBeyondEtcdsLimitIsRefused) {
  ModelClient api;
  const auto create = [&](std::size_t bytes) {
    return api.Create("a", {{"payload", {{"x", std::string(bytes, 'x')}}}}).code;
  };
  EXPECT_EQ(create(kObjectBytesMax), 500);
  EXPECT_EQ(create(kObjectBytesMax - 2000), 201);
}

TEST(TableTest, DurationsAsKubectlShowsThem) {
  using std::chrono::seconds;
  const std::pair<int, const char*> cases[] = {
      {-2, "<invalid>"}, {-1, "0s"},       {0, "0s"},          {119, "119s"},    {120, "2m"},
      {121, "2m1s"},     {599, "9m59s"},   {600, "10m"},       {10799, "179m"},  {10800, "3h"},
      {11000, "3h3m"},   {28799, "7h59m"}, {28800, "8h"},      {172799, "47h"},  {172800, "2d"},
      {180000, "2d2h"},  {691200, "8d"},   {63071999, "729d"}, {63072000, "2y"}, {63158400, "2y1d"},
      {252288000, "8y"}};
  for (const auto& [age, text] : cases) EXPECT_EQ(HumanDuration(seconds(age)), text) << age;
}

TEST(ProtobufTest, ReadsANamespaceAndNothingElse) {
  using namespace std::string_literals;
  const auto field = [](char number, const std::string& bytes) {
    return std::string(1, static_cast<char>(number << 3 | 2)) + static_cast<char>(bytes.size()) +
           bytes;
  };
  const auto envelope = [&](const std::string& kind, const std::string& raw) {
    return "k8s\0"s + field(1, field(1, "v1") + field(2, kind)) + field(2, raw) + field(3, "");
  };
  const std::string label = field(11, field(1, "k") + field(2, "v"));
  const std::string bytes = envelope("Namespace", field(1, field(1, "t") + label) + field(2, ""));
  const auto object = NamespaceFromProtobuf(bytes);
  ASSERT_TRUE(object.has_value());
  EXPECT_EQ(object->at("metadata"), Json::parse(R"({"name": "t", "labels": {"k": "v"}})"));
  EXPECT_FALSE(NamespaceFromProtobuf(envelope("Pod", "")).has_value());
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    (void)NamespaceFromProtobuf(
        std::string_view(bytes).substr(0, cut));  // must not read beyond its end
  }
  ModelClient api;
  const auto created = api.Send({.method = "POST",
                                 .target = "/api/v1/namespaces",
                                 .content_type = "application/vnd.kubernetes.protobuf",
                                 .body = bytes});
  EXPECT_EQ(created.code, 201);
}

TEST(RequestTest, SameInputsGiveTheSameBytes) {
  const auto run = [] {
    ModelClient api({.seed = 9});
    std::string bytes;
    for (const char* name : {"a", "b"}) bytes += api.Create(name).reply.body;
    bytes += api.PatchStatus("a", ModelClient::Claim()).reply.body;
    return bytes + api.Get(ModelClient::kRuns).reply.body;
  };
  EXPECT_EQ(run(), run());
}

}  // namespace
}  // namespace jobrun::api_model
