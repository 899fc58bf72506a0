// A site's steps against the formulas of the papers, written out here in float64: a linear regression with one batch a
// pass, whose gradient is known.
#include "core/federate/site.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <set>

#include "core/federate/compress/update_reader.h"
#include "crypto/digest.h"

namespace ote::federate {
namespace {

using Vector = std::vector<double>;
constexpr std::size_t kFeatures = 2;
constexpr std::size_t kSize = kFeatures + 1;
constexpr double kRate = 0.125;

learn::Table Rows() {
  learn::Table table;
  table.rows = 4;
  table.columns = kFeatures;
  table.features = {1, 0.5F, -1, 2, 0.25F, -0.75F, 1.5F, 1};
  table.targets = {1, -2, 0.5F, 3};
  table.feature_names = {"a", "b"};
  return table;
}

// Of the mean square error, at weights [a, b, bias].
Vector Gradient(const Vector& w) {
  const learn::Table rows = Rows();
  Vector out(kSize);
  for (std::size_t r = 0; r < 4; ++r) {
    const double a = static_cast<double>(rows.features[2 * r]);
    const double b = static_cast<double>(rows.features[2 * r + 1]);
    const double error = w[0] * a + w[1] * b + w[2] - static_cast<double>(rows.targets[r]);
    out[0] += 2 * error * a / 4;
    out[1] += 2 * error * b / 4;
    out[2] += 2 * error / 4;
  }
  return out;
}

struct Setup {
  api::Task task;
  Bytes model;
};

Setup MakeTask(const std::vector<float>& given) {
  ModelFile file;
  file.spec.kind = api::ModelKind::kLinear;
  file.task = api::DataTask::kRegression;
  file.features = kFeatures;
  file.layout = (*file.Make())->GetLayout();
  Setup out;
  out.model = MakeModelFile(file, given);
  out.task.run = "run-1";
  out.task.round = 1;
  out.task.dataset = "d";
  out.task.task = file.task;
  out.task.model = file.spec;
  out.task.features = kFeatures;
  out.task.model_digest = crypto::DigestOf(out.model).ToString();
  out.task.model_size = static_cast<std::int64_t>(out.model.size());
  out.task.training.learning_rate = kRate;
  out.task.training.momentum = 0;
  out.task.training.batch_size = 4;
  out.task.training.epochs = 3;
  return out;
}

SiteAnswer Done(const Setup& setup, const SiteExtras& extras = {}) {
  auto answer = PerformTask(setup.task, setup.model, Rows(), learn::Take(Rows(), {}), {}, extras);
  REQUIRE(answer);
  INFO(answer->offer.error);
  REQUIRE_FALSE(answer->offer.failed);
  return std::move(*answer);
}

std::vector<float> Floats(const Bytes& bytes) {
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}
Bytes AsBytesOf(const std::vector<float>& values) {
  Bytes out(values.size() * sizeof(float));
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

void CheckSame(std::span<const float> got, const Vector& want) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    CHECK(static_cast<double>(got[i]) == Approx(want[i]).epsilon(1e-5).margin(1e-6));
  }
}

// Three steps from `w`, each with `more` added to the gradient; the change of the weights.
template <class More>
Vector Steps(Vector w, More more) {
  const Vector start = w;
  for (int step = 0; step < 3; ++step) {
    const Vector gradient = Gradient(w);
    const Vector extra = more(w);
    for (std::size_t i = 0; i < kSize; ++i) w[i] -= kRate * (gradient[i] + extra[i]);
  }
  for (std::size_t i = 0; i < kSize; ++i) w[i] -= start[i];
  return w;
}
Vector None(const Vector&) { return Vector(kSize); }

const std::vector<float> kGiven = {0.5F, -0.25F, 0.125F};
const Vector kGivenD = {0.5, -0.25, 0.125};

TEST_CASE("an update is what training changed, and tells its steps") {
  const SiteAnswer answer = Done(MakeTask(kGiven));
  CheckSame(Floats(answer.update), Steps(kGivenD, None));
  CHECK(answer.offer.steps == 3);
  CHECK(answer.offer.examples == 4);
  CHECK(answer.memory.control.empty());
  CHECK(answer.memory.personal.empty());
}

TEST_CASE("fedprox pulls each step towards the model that was given") {
  Setup setup = MakeTask(kGiven);
  setup.task.local.proximal = 0.75;
  const Vector want = Steps(kGivenD, [](const Vector& w) {
    Vector out(kSize);
    for (std::size_t i = 0; i < kSize; ++i) out[i] = 0.75 * (w[i] - kGivenD[i]);
    return out;
  });
  CheckSame(Floats(Done(setup).update), want);
}

TEST_CASE("fednova divides an update by its steps, which momentum makes longer") {
  Setup setup = MakeTask(kGiven);
  setup.task.local.normalize = true;
  Vector want = Steps(kGivenD, None);
  for (double& value : want) value /= 3;
  CheckSame(Floats(Done(setup).update), want);

  // With rho = 0.5 the three steps count 1 + (1 + 0.5) + (1 + 0.5 + 0.25).
  setup.task.training.momentum = 0.5;
  CHECK(Done(setup).offer.steps == Approx(4.25));
}

TEST_CASE("scaffold corrects each step by the common direction less the site's own, and tells how its own changed") {
  Setup setup = MakeTask(kGiven);
  const std::vector<float> common = {0.5F, -1.0F, 0.25F};
  const std::vector<float> own = {-0.25F, 0.5F, 1.0F};
  const Bytes control = AsBytesOf(common);
  setup.task.local.control = true;
  setup.task.local.control_digest = crypto::DigestOf(control).ToString();
  setup.task.local.control_size = static_cast<std::int64_t>(control.size());
  SiteExtras extras;
  extras.control = control;
  extras.memory.control = AsBytesOf(own);
  const SiteAnswer answer = Done(setup, extras);
  const Vector moved = Steps(kGivenD, [&](const Vector&) {
    Vector out(kSize);
    for (std::size_t i = 0; i < kSize; ++i) out[i] = static_cast<double>(common[i]) - static_cast<double>(own[i]);
    return out;
  });
  const auto update = Floats(answer.update);
  REQUIRE(update.size() == 2 * kSize);
  CheckSame(std::span(update).first(kSize), moved);
  // Option II: c_i+ = c_i - c + (given - trained) / (K * rate).
  Vector change(kSize);
  Vector next(kSize);
  for (std::size_t i = 0; i < kSize; ++i) {
    change[i] = -moved[i] / (3 * kRate) - static_cast<double>(common[i]);
    next[i] = static_cast<double>(own[i]) + change[i];
  }
  CheckSame(std::span(update).last(kSize), change);
  CheckSame(Floats(answer.memory.control), next);
}

// What the root reads of a compressed answer to `task`.
std::vector<float> Read(const api::Task& task, const Bytes& update) {
  const std::size_t vectors = task.local.control ? 2 : 1;
  const auto reader = UpdateReader::Open(update, {*task.compression, vectors * kSize, vectors});
  REQUIRE(reader);
  return reader->Values();
}

TEST_CASE("a quantized update is near what training changed, and drawn from the seed of the task") {
  Setup setup = MakeTask(kGiven);
  const auto plain = Floats(Done(setup).update);
  const float largest = std::max({std::fabs(plain[0]), std::fabs(plain[1]), std::fabs(plain[2])});
  setup.task.compression = {api::CompressionKind::kQuantize, 4, 0.01};
  std::set<Bytes> drawn;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    setup.task.seed.value = seed;
    const SiteAnswer answer = Done(setup);
    CHECK(answer.offer.size == static_cast<std::int64_t>(answer.update.size()));
    CHECK(answer.offer.digest == crypto::DigestOf(answer.update).ToString());
    CHECK(answer.memory.residual.empty());
    CHECK(Done(setup).update == answer.update);
    drawn.insert(answer.update);
    const auto read = Read(setup.task, answer.update);
    for (std::size_t i = 0; i < kSize; ++i) CHECK(std::fabs(read[i] - plain[i]) < largest / 7);
  }
  CHECK(drawn.size() > 1);
}

TEST_CASE("top-k adds what was left out before, and keeps what it leaves out now") {
  Setup setup = MakeTask(kGiven);
  const auto plain = Floats(Done(setup).update);
  setup.task.compression = {api::CompressionKind::kTopK, 8, 0.3};
  SiteExtras extras;
  const std::vector<float> before = {10, -20, 5};
  extras.memory.residual = AsBytesOf(before);
  const SiteAnswer answer = Done(setup, extras);
  CHECK(Read(setup.task, answer.update) == std::vector<float>{0, before[1] + plain[1], 0});
  CHECK(Floats(answer.memory.residual) == std::vector<float>{before[0] + plain[0], 0, before[2] + plain[2]});
  // A residual of a model of another size is of no use.
  extras.memory.residual = AsBytesOf({1, 2});
  CHECK(Floats(Done(setup, extras).memory.residual) == Floats(Done(setup).memory.residual));
}

TEST_CASE("a site's own control variate moves as the root's does, whatever compression made of the change") {
  for (const auto kind : {api::CompressionKind::kQuantize, api::CompressionKind::kTopK}) {
    Setup setup = MakeTask(kGiven);
    setup.task.local.control = true;
    setup.task.compression = {kind, 4, 0.3};
    const std::vector<float> own = {-0.25F, 0.5F, 1.0F};
    SiteExtras extras;
    extras.memory.control = AsBytesOf(own);
    const SiteAnswer answer = Done(setup, extras);
    const auto read = Read(setup.task, answer.update);
    const auto next = Floats(answer.memory.control);
    for (std::size_t i = 0; i < kSize; ++i) CHECK(next[i] == own[i] + read[kSize + i]);
  }
}

TEST_CASE("layers that stay at a site are not in its compressed update either") {
  for (const auto kind : {api::CompressionKind::kQuantize, api::CompressionKind::kTopK}) {
    Setup setup = MakeTask(kGiven);
    setup.task.compression = {kind, 4, 0.5};
    setup.task.local.personal.kind = api::PersonalKind::kLocalLayers;
    setup.task.local.personal.layers = {"layers.0.bias"};
    const SiteAnswer answer = Done(setup);
    CHECK(Read(setup.task, answer.update)[2] == 0);
    if (kind == api::CompressionKind::kTopK) CHECK(Floats(answer.memory.residual)[2] == 0);
  }
}

TEST_CASE("a control variate that is not the one of the task is not used") {
  Setup setup = MakeTask(kGiven);
  const Bytes control = AsBytesOf({1, 2, 3});
  setup.task.local.control = true;
  setup.task.local.control_digest = crypto::DigestOf(AsBytesOf({1, 2, 4})).ToString();
  SiteExtras extras;
  extras.control = control;
  const auto answer = PerformTask(setup.task, setup.model, Rows(), learn::Take(Rows(), {}), {}, extras);
  REQUIRE(answer);
  CHECK(answer->offer.failed);
  CHECK(answer->offer.phase == "train");
  CHECK(answer->offer.error_code == static_cast<std::int64_t>(ErrorId::kArtifactCorrupt));
}

TEST_CASE(
    "ditto trains the site's own model near the given one, from where it was, and the update is not touched by it") {
  Setup setup = MakeTask(kGiven);
  const Bytes plain = Done(setup).update;
  setup.task.local.personal.kind = api::PersonalKind::kDitto;
  setup.task.local.personal.lambda = 0.5;
  setup.task.local.personal.epochs = 3;
  const SiteAnswer first = Done(setup);
  CHECK(first.update == plain);
  const auto pulled = [](const Vector& w) {
    Vector out(kSize);
    for (std::size_t i = 0; i < kSize; ++i) out[i] = 0.5 * (w[i] - kGivenD[i]);
    return out;
  };
  const auto own = ReadModelFile(first.memory.personal);
  REQUIRE(own);
  Vector at = Steps(kGivenD, pulled);
  for (std::size_t i = 0; i < kSize; ++i) at[i] += kGivenD[i];
  CheckSame(own->values, at);

  SiteExtras extras;
  extras.memory.personal = first.memory.personal;
  const auto later = ReadModelFile(Done(setup, extras).memory.personal);
  REQUIRE(later);
  Vector further = Steps(at, pulled);
  for (std::size_t i = 0; i < kSize; ++i) further[i] += at[i];
  CheckSame(later->values, further);
}

TEST_CASE("layers that stay at the site are trained there, and are zero in the update") {
  Setup setup = MakeTask(kGiven);
  setup.task.local.personal.kind = api::PersonalKind::kLocalLayers;
  setup.task.local.personal.layers = {"layers.0.bias"};
  const SiteAnswer first = Done(setup);
  const Vector moved = Steps(kGivenD, None);
  CheckSame(Floats(first.update), {moved[0], moved[1], 0});
  const auto own = ReadModelFile(first.memory.personal);
  REQUIRE(own);
  CheckSame(own->values, {kGivenD[0] + moved[0], kGivenD[1] + moved[1], kGivenD[2] + moved[2]});

  // The next round begins with the common weights and the site's own bias.
  SiteExtras extras;
  extras.memory.personal = first.memory.personal;
  const Vector start = {kGivenD[0], kGivenD[1], kGivenD[2] + moved[2]};
  const Vector again = Steps(start, None);
  CheckSame(Floats(Done(setup, extras).update), {again[0], again[1], 0});
}

TEST_CASE("a site whose updates are masked refuses a task of the run without masks") {
  Setup setup = MakeTask({0.5F, 0.25F, 0});
  setup.task.kind = GENERATE(api::TaskKind::kTrain, api::TaskKind::kEvaluate);
  SiteExtras extras;
  extras.memory.masks = {1};
  const auto answer = PerformTask(setup.task, setup.model, Rows(), Rows(), {}, extras);
  REQUIRE(answer);
  CHECK(answer->offer.failed);
  CHECK(answer->offer.error_code == static_cast<std::int64_t>(ErrorId::kMaskRefused));
  CHECK(answer->offer.metrics.rows == 0);
}

TEST_CASE("a site's own way to train takes the place of the steps") {
  const Setup setup = MakeTask(kGiven);
  SiteExtras extras;
  extras.own = [](const api::Task&, const ModelFile&, const learn::Table& rows, std::span<float> parameters,
                  const std::stop_token&) -> Result<learn::Trained> {
    CHECK(rows.rows == 4);
    parameters[1] += 2;
    return learn::Trained{0.5, 0};
  };
  const SiteAnswer answer = Done(setup, extras);
  CheckSame(Floats(answer.update), {0, 2, 0});
  CHECK(answer.offer.train_loss == 0.5);
}

TEST_CASE("a site clips, adds noise where it is its own to add, and is silent towards a root that may not know") {
  const std::vector<float> given = {0.5F, -0.25F, 1};
  Setup setup = MakeTask(given);
  const auto norm = [](const Bytes& update) {
    double square = 0;
    for (const float v : Floats(update)) square += static_cast<double>(v) * static_cast<double>(v);
    return std::sqrt(square);
  };
  const auto done = [&](const SiteExtras& extras = {}) {
    auto answer = PerformTask(setup.task, setup.model, Rows(), Rows(), {}, extras);
    REQUIRE(answer);
    REQUIRE_FALSE(answer->offer.failed);
    return std::move(*answer);
  };
  const SiteAnswer plain = done();
  REQUIRE(norm(plain.update) > 0.2);
  CHECK(plain.offer.metrics.rows == 4);
  CHECK_FALSE(plain.offer.within);

  // Clipped for the root's noise: the same direction, at most the norm.
  setup.task.privacy = {api::NoiseKind::kCentral, 1.0, 0.1, 1.2, true, 1};
  const SiteAnswer clipped = done();
  CHECK(norm(clipped.update) <= 0.1);
  CHECK(norm(clipped.update) == Approx(0.1).epsilon(1e-4));
  CHECK(Floats(clipped.update)[0] / Floats(clipped.update)[1] ==
        Approx(Floats(plain.update)[0] / Floats(plain.update)[1]).epsilon(1e-4));
  CHECK(clipped.offer.within == false);
  CHECK(clipped.offer.metrics.rows == 4);
  CHECK(done().update == clipped.update);
  setup.task.privacy.clip_norm = 100;
  CHECK(done().offer.within == true);
  CHECK(done().update == plain.update);

  // All of the noise, another one each time, and no measures.
  setup.task.privacy = {api::NoiseKind::kLocal, 10.0, 0.1, 10.0, false, 1};
  const SiteAnswer noisy = done();
  CHECK(done().update != noisy.update);
  CHECK(noisy.offer.metrics.rows == 0);
  CHECK_FALSE(noisy.offer.metrics.loss);
  CHECK(noisy.offer.train_loss == 0);
  CHECK_FALSE(noisy.offer.within);
  double square = 0;
  for (int i = 0; i < 300; ++i) square += std::pow(norm(done().update), 2);
  CHECK(std::sqrt(square / 900) == Approx(1).epsilon(0.15));

  // The site's operator may want silence where the root could know.
  setup.task.privacy = {api::NoiseKind::kCentral, 1.0, 0.1, 1.0, false, 1};
  SiteExtras extras;
  extras.silent = true;
  const SiteAnswer silent = done(extras);
  CHECK(silent.offer.metrics.rows == 0);
  CHECK(silent.offer.train_loss == 0);
  CHECK(silent.update == clipped.update);
}

}  // namespace
}  // namespace ote::federate
