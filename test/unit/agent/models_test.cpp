#include <catch2/catch.hpp>

#include "core/federate/model_file.h"
#include "core/site/model_registry.h"
#include "test/fake/run_tree.h"

using namespace ote;
using namespace std::chrono_literals;
using test::Must;
using test::RunTree;

namespace {

// A model file of two features and two classes, all of whose values are `value`.
Bytes ModelFileOf(float value) {
  federate::ModelFile file;
  file.features = 2;
  file.classes = {"no", "yes"};
  file.layout = Must(file.Make())->GetLayout();
  file.values.assign(6, value);
  return federate::MakeModelFile(file, file.values);
}

class Registry : public RunTree {
 public:
  Result<api::ArtifactChunk> Put(const api::ArtifactPut& put, ByteView piece) {
    auto client = Operator("hq");
    OTE_TRY(const auto answer,
            client.Call(api::verb::kArtifactPut, ToJson(put), 5s, wire::Blob(Bytes(piece.begin(), piece.end()))));
    return FromWire<api::ArtifactChunk>(answer.body);
  }
  Result<api::ModelEntry> Import(const std::string& name, ByteView file, const std::vector<std::string>& tags = {}) {
    const auto digest = crypto::DigestOf(file).ToString();
    OTE_CHECK(Put({digest, static_cast<std::int64_t>(file.size()), 0}, file));
    clock.Advance(1s);
    return Ask<api::ModelEntry>("hq", api::verb::kModelImport, api::ModelImportRequest{name, digest, tags});
  }
  Result<api::ModelEntry> Find(const std::string& reference) {
    return Ask<api::ModelEntry>("hq", api::verb::kModelShow, api::NameRequest{reference});
  }
  Result<api::ModelEntry> Tag(const std::string& reference, const std::string& tag, bool remove = false) {
    return Ask<api::ModelEntry>("hq", api::verb::kModelTag, api::ModelTagRequest{reference, tag, remove});
  }
  Result<api::ModelEntry> Remove(const std::string& reference, bool force = false) {
    return Ask<api::ModelEntry>("hq", api::verb::kModelRemove, api::ModelRemoveRequest{reference, force});
  }
  std::vector<std::string> Listed(bool all) {
    std::vector<std::string> keys;
    for (const auto& model :
         Must(Ask<api::ModelList>("hq", api::verb::kModelList, api::ModelListRequest{all, {}})).items) {
      keys.push_back(model.Key());
    }
    return keys;
  }
  bool HasFile(const std::string& digest) {
    // Looked for on the disk: what was sent a moment ago may be sent again from memory.
    const auto hex = Must(crypto::Digest::Parse(digest)).Hex();
    return std::filesystem::exists(Folder("hq").ArtifactFolder() / hex.substr(0, 2) / hex.substr(2));
  }
};

}  // namespace

TEST_CASE("the model of a run says where it came from") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  auto spec = RunTree::Spec(2);
  spec.model_name = "points-model";
  Must(tree.StartRun(spec));
  const auto run = tree.Finish();
  REQUIRE(run.status == api::RunStatus::kFinished);
  const auto entry = Must(tree.Ask<api::ModelEntry>("hq", api::verb::kModelShow, api::NameRequest{"points-model"}));
  CHECK(entry.version == 1);
  CHECK(entry.source == api::ModelSource::kRun);
  CHECK(entry.run == run.id);
  CHECK(entry.round == 2);
  CHECK(entry.participants == std::vector<std::string>{"clinic-a", "clinic-b"});
  CHECK(entry.spec_digest == crypto::DigestOf(AsBytes(DumpJson(ToJson(run.spec)))).ToString());
  CHECK_FALSE(entry.ote_version.empty());
  // A second run of the name makes the next version.
  spec.name = "again";
  Must(tree.StartRun(spec));
  REQUIRE(tree.Finish("again").status == api::RunStatus::kFinished);
  CHECK(Must(tree.Ask<api::ModelEntry>("hq", api::verb::kModelShow, api::NameRequest{"points-model"})).version == 2);
}

TEST_CASE("a reference is a name, a version, a tag, or a digest that only one has") {
  Registry tree;
  const auto first = Must(tree.Import("digits", ModelFileOf(1), {"production"}));
  const auto second = Must(tree.Import("digits", ModelFileOf(2)));
  CHECK(Must(tree.Find("digits")).version == 2);
  CHECK(Must(tree.Find("digits@1")).digest == first.digest);
  CHECK(Must(tree.Find("digits@production")).version == 1);
  CHECK(Must(tree.Find(second.digest)).version == 2);
  CHECK(Must(tree.Find(second.digest.substr(8, 12))).version == 2);
  for (const auto* wrong : {"digits@3", "digits@staging", "digits@", "@1", "", "other", "other@1"}) {
    INFO(wrong);
    CHECK(tree.Find(wrong).error().id == ErrorId::kModelUnknown);
  }
  CHECK(tree.Listed(false) == std::vector<std::string>{"digits@2"});
  CHECK(tree.Listed(true) == std::vector<std::string>{"digits@1", "digits@2"});
}

TEST_CASE("a tag stands for one version at a time") {
  Registry tree;
  Must(tree.Import("digits", ModelFileOf(1)));
  Must(tree.Import("digits", ModelFileOf(2)));
  Must(tree.Import("other", ModelFileOf(1), {"production"}));
  Must(tree.Tag("digits@1", "production"));
  Must(tree.Tag("digits@2", "production"));
  CHECK(Must(tree.Find("digits@1")).tags.empty());
  CHECK(Must(tree.Find("digits@production")).version == 2);
  CHECK(Must(tree.Find("other@production")).version == 1);
  CHECK(tree.Tag("digits", "12").error().id == ErrorId::kUsage);
  CHECK(tree.Tag("digits@1", "production", true).error().id == ErrorId::kModelUnknown);
  Must(tree.Tag("digits", "production", true));
  CHECK(tree.Find("digits@production").error().id == ErrorId::kModelUnknown);
}

TEST_CASE("a removed version takes its file along when nothing else needs it, and its number is not given again") {
  Registry tree;
  const auto first = Must(tree.Import("digits", ModelFileOf(1), {"production"}));
  Must(tree.Import("copy", ModelFileOf(1)));
  CHECK(tree.Remove("digits").error().id == ErrorId::kConflict);
  Must(tree.Remove("digits", true));
  CHECK(tree.HasFile(first.digest));
  Must(tree.Remove("copy"));
  CHECK_FALSE(tree.HasFile(first.digest));
  CHECK(Must(tree.Import("digits", ModelFileOf(1))).version == 2);
}

TEST_CASE("the same import twice is one version") {
  Registry tree;
  CHECK(Must(tree.Import("digits", ModelFileOf(1))).version == 1);
  CHECK(Must(tree.Import("digits", ModelFileOf(1))).version == 1);
  CHECK(Must(tree.Import("digits", ModelFileOf(2))).version == 2);
  CHECK(Must(tree.Import("digits", ModelFileOf(1))).version == 3);
}

TEST_CASE("an import is refused when it is not a model, or was never put") {
  Registry tree;
  auto file = ModelFileOf(1);
  file.pop_back();
  CHECK(tree.Import("digits", file).error().id == ErrorId::kModelInvalid);
  const auto digest = crypto::DigestOf(ModelFileOf(3)).ToString();
  CHECK(tree.Ask<api::ModelEntry>("hq", api::verb::kModelImport, api::ModelImportRequest{"digits", digest, {}})
            .error()
            .id == ErrorId::kArtifactMissing);
  CHECK(tree.Import("Not A Name", ModelFileOf(1)).error().id == ErrorId::kMalformed);
  CHECK(tree.Listed(true).empty());
}

TEST_CASE("an upload goes on where it was, also after a crash, and is whole only with its digest") {
  Registry tree;
  const auto file = ModelFileOf(1);
  const auto size = static_cast<std::int64_t>(file.size());
  const auto digest = crypto::DigestOf(file).ToString();
  const ByteView view(file);
  CHECK(Must(tree.Put({digest, size, 0}, view.first(100))).offset == 100);
  CHECK(Must(tree.Put({digest, size, 0}, view.first(100))).offset == 100);  // sent twice
  CHECK(Must(tree.Put({digest, size, 300}, view.first(100))).offset == 100);
  CHECK_FALSE(tree.HasFile(digest));
  CHECK(tree.Put({digest, size, 100}, file).error().id == ErrorId::kMalformed);
  CHECK(Must(tree.Put({digest, size, 100}, view.subspan(100))).offset == size);
  CHECK(tree.HasFile(digest));

  auto other = ModelFileOf(2);
  const auto named = crypto::DigestOf(other).ToString();
  other.back() ^= 1U;
  CHECK(tree.Put({named, size, 0}, other).error().id == ErrorId::kArtifactCorrupt);
  CHECK_FALSE(tree.HasFile(named));
  CHECK(Must(tree.Put({named, size, 0}, ModelFileOf(2))).offset == size);
  CHECK(tree.Put({"blake2b:12", size, 0}, file).error().id == ErrorId::kMalformed);
  CHECK(tree.Put({digest, -1, 0}, file).error().id == ErrorId::kMalformed);
}

TEST_CASE("models that an ote without versions registered become first versions") {
  auto store = Must(store::Store::OpenInMemory());
  api::ModelEntry old;
  old.name = "digits";
  old.digest = "blake2b:00";
  Json json = ToJson(old);
  json.erase("version");
  Must(store.PutDoc("model", "digits", DumpCbor(json)));
  site::ModelRegistry registry(store);
  Must(registry.Migrate());
  Must(registry.Migrate());
  const auto models = Must(registry.List());
  REQUIRE(models.size() == 1);
  CHECK(models.front().Key() == "digits@1");
  CHECK_FALSE(Must(store.GetDoc("model", "digits")).has_value());
  old.digest = "blake2b:01";
  CHECK(Must(registry.Register(old)).version == 2);
}
