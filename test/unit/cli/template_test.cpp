#include "cli/app/template.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "cli/app/templates.h"
#include "core/base/files.h"
#include "test/unit/cli/harness.h"

namespace ote::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSmall = R"(about: one for tests
values:
  - name: name
    type: name
    required: true
    description: a name
  - name: words
    description: any words
  - name: port
    type: port
    default: "80"
    description: a port
  - name: memory
    type: quantity
    default: 64MiB
    description: memory
  - name: token
    type: secret
    description: a secret
---
name: "{{name}}-x"
words: {{words}}
port: {{port}}
memory: {{memory}}
{{#has_token}}
token: {{token}}
{{/has_token}}
)";

Template Small() { return ReadTemplate(kSmall, "small", "small.yaml").value(); }
Json Filled(const TemplateInput& input) { return ParseYaml(FillTemplate(Small(), input).value(), "", nullptr).value(); }

Command Root() {
  Command root("ote", "");
  Command app("app", "");
  app.Add(AppInitCommand());
  app.Add(AppTemplatesCommand());
  root.Add(std::move(app));
  return root;
}

// Of every template that is installed, what it must be told.
TemplateInput Enough(const Template& with) {
  TemplateInput input;
  for (const auto& value : with.values) {
    if (value.required) input[value.name] = value.type == TemplateType::kName ? "clinic-a" : "a \"value\": with\n- all";
  }
  return input;
}

std::vector<Json> Documents(const std::string& text) {
  std::vector<Json> out;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find("\n---\n", begin), text.size());
    out.push_back(ParseYaml(text.substr(begin, end - begin), "", nullptr).value());
    begin = end + 5;
  }
  return out;
}

}  // namespace

TEST_CASE("whatever a value holds, it stays one value") {
  const std::vector<std::string> values{"plain",
                                        "",
                                        "a: b",
                                        "\"quoted\" and 'so'",
                                        "two\nlines\n---\nkind: Secret",
                                        "# no comment",
                                        "{{name}} {{{port}}}",
                                        "*alias &anchor !tag | > %",
                                        "\\ \x01 \x1b \x7f\t",
                                        "tr\xc3\xa9ma \xc2\x85 \xe2\x80\xa8 \xe2\x80\xa9 \xf0\x9f\x99\x82",
                                        " spaces ",
                                        "null",
                                        "yes",
                                        "0123"};
  for (const auto& value : values) {
    INFO(value);
    const Json json = Filled({{"name", "web"}, {"words", value}});
    REQUIRE(json.size() == 4);
    REQUIRE(json["words"].is_string());
    CHECK(json["words"] == value);
    CHECK(json["name"] == "web-x");
    CHECK(json["port"] == 80);
    CHECK(json["memory"] == "64MiB");
  }
}

TEST_CASE("a value that is missing, unknown or of another type is named") {
  const auto refused = [](const TemplateInput& input, const std::string& words) {
    const auto filled = FillTemplate(Small(), input);
    REQUIRE_FALSE(filled);
    CHECK(filled.error().id == ErrorId::kTemplateInvalid);
    CHECK_THAT(filled.error().message, Catch::Contains(words));
  };
  refused({}, "value name: missing");
  refused({{"name", ""}}, "value name: missing");
  refused({{"name", "web"}, {"prot", "80"}},
          "value prot: the template small has none of that name; did you mean port?");
  refused({{"name", "a: b"}}, "value name: a: b is not a name");
  for (const char* port : {"0", "65536", "80\nx: 1", "http", "-1", "8 0"})
    refused({{"name", "w"}, {"port", port}}, "value port");
  for (const char* memory : {"64 MiB", "MiB", "1.2.3", "64XB", "-1", "1.", "\"", "64MiB\nx: 1"})
    refused({{"name", "w"}, {"memory", memory}}, "value memory");
  refused({{"name", "w"}, {"words", "\xff"}}, "value words");
}

TEST_CASE("a wrong secret is not shown") {
  const auto filled = FillTemplate(Small(), {{"name", "w"}, {"token", "geheim\xff"}});
  REQUIRE_FALSE(filled);
  CHECK_THAT(filled.error().message, !Catch::Contains("geheim"));
}

TEST_CASE("a template that uses what it does not describe is refused") {
  CHECK_FALSE(ReadTemplate("about: x\nvalues: []\n---\nname: {{name}}\n", "t", "t.yaml"));
  CHECK_FALSE(ReadTemplate("about: x\nvalues: []\n", "t", "t.yaml"));
  CHECK_FALSE(ReadTemplate("about: x\nvalus: []\n---\n", "t", "t.yaml"));
}

TEST_CASE("each template that is installed can be listed, described and filled in") {
  Harness harness;
  harness.env["OTE_SHARE"] = std::string(OTE_SOURCE_DIR) + "/templates";
  const Outcome listed = harness.Run(Root(), {"app", "templates", "-q"});
  REQUIRE(listed.status == 0);
  CHECK(listed.out == "federated-site\ninference\nlog-shipper\nnode-exporter\n");
  std::istringstream names(listed.out);
  for (std::string name; std::getline(names, name);) {
    INFO(name);
    CHECK(harness.Run(Root(), {"app", "init", "--template", name, "--help-values"}).status == 0);
    const auto text = ReadTextFile(fs::path(OTE_SOURCE_DIR) / "templates/apps" / (name + ".yaml")).value();
    const Template with = ReadTemplate(text, name, name).value();
    const auto filled = FillTemplate(with, Enough(with));
    INFO((filled ? std::string() : filled.error().message));
    REQUIRE(filled);
    for (const Json& document : Documents(*filled)) CHECK(document.is_object());
  }
}

TEST_CASE("a federated site is a secret, a script and a stateful set that uses both") {
  const auto text = ReadTextFile(fs::path(OTE_SOURCE_DIR) / "templates/apps/federated-site.yaml").value();
  const Template with = ReadTemplate(text, "federated-site", "f").value();
  auto input = Enough(with);
  input["token"] = "ote1.x: \"y\"\n---\n";
  const auto documents = Documents(FillTemplate(with, input).value());
  REQUIRE(documents.size() == 4);
  CHECK(documents[0]["kind"] == "App");
  CHECK(documents[1]["kind"] == "Secret");
  CHECK(documents[1]["stringData"]["token"] == input["token"]);
  CHECK(documents[2]["kind"] == "ConfigMap");
  CHECK(documents[3]["kind"] == "StatefulSet");
  CHECK(documents[3]["spec"]["volumeClaimTemplates"].size() == 1);
  CHECK(documents[3]["spec"]["template"]["spec"]["volumes"][2]["secret"]["secretName"] ==
        documents[1]["metadata"]["name"]);
}

TEST_CASE("ote app init writes the file, says when it is there, and keeps one with a secret private") {
  Harness harness;
  harness.env["OTE_SHARE"] = std::string(OTE_SOURCE_DIR) + "/templates";
  const std::vector<std::string> args{"app",   "init",      "--template", "node-exporter",
                                      "--set", "port=9200", "--set",      "selector=region=eu,tier!=lab",
                                      "-o",    "app.yaml"};
  REQUIRE(harness.Run(Root(), args).status == 0);
  const Json json = ParseYaml(ReadTextFile(harness.folder() / "app.yaml").value(), "", nullptr).value();
  CHECK(json["ports"][0]["port"] == 9200);
  CHECK(json["placement"]["selector"] == "region=eu,tier!=lab");
  CHECK_THAT(harness.Run(Root(), args).err, Catch::Contains("there already"));
  auto other = args;
  other[4 + 1] = "port=9201";
  CHECK(harness.Run(Root(), other).status == 6);
  CHECK(harness.Run(Root(), {"app", "init", "--template", "node-exportr"}).status == 7);
  CHECK(harness.Run(Root(), {"app", "init", "--template", "inference"}).status == 2);
  std::vector<std::string> site{"app", "init", "--template", "federated-site", "-o", "site.yaml"};
  for (const char* set : {"name=clinic-a", "token=ote1.x", "image=ote:1", "data_claim=d", "dataset=digits",
                          "data_file=digits.csv", "label_column=digit"}) {
    site.insert(site.end(), {"--set", set});
  }
  const Outcome done = harness.Run(Root(), site);
  REQUIRE(done.status == 0);
  CHECK_THAT(done.err, Catch::Contains("--set-file token=FILE"));
  CHECK((fs::status(harness.folder() / "site.yaml").permissions() & fs::perms::all) ==
        (fs::perms::owner_read | fs::perms::owner_write));
}

}  // namespace ote::cli
