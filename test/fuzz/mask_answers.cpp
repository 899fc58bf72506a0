// fuzz-link: ote_federate
// What sites answer to the steps of a masked round, at the root; what a root asks for, at a site; and what a site kept.
#include <map>

#include "core/federate/masks/root_masks.h"
#include "core/federate/masks/side.h"
#include "core/federate/masks/site_masks.h"
#include "test/fake/mask_cohort.h"

namespace {

using namespace ote;

struct World {
  fake::MaskCohort cohort{4, 1};
  World() {
    cohort.Keys(cohort.All());
    cohort.Shares(cohort.All());
    cohort.Train(cohort.All());
    cohort.Consents(cohort.All());
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const World world;
  if (size < 1) return 0;
  const ByteView input(data + 1, size - 1);
  auto root = *world.cohort.root;
  fake::MaskSite site = world.cohort.sites.at("site-0001");
  switch (data[0] % 8) {
    case 0:
      (void)federate::RootMasks::CheckKeys(world.cohort.which, "site-0001", input, world.cohort.authority.Check());
      break;
    case 1:
      if (root.TakeDeal("site-0001", input)) root.Train(root.Dealt());
      break;
    case 2:
      (void)root.TakeConsent("site-0001", input);
      break;
    case 3:
      (void)root.TakeShares("site-0001", input);
      break;
    case 4:
      if (auto masks = FromCbor<federate::SiteMasks>(input)) {
        (void)federate::AnswerMaskStep(world.cohort.Task(api::TaskKind::kMaskConsent, root.ForConsent()), site.identity,
                                       *masks);
        std::vector<std::uint32_t> words(3);
        (void)federate::MaskWords(world.cohort.Task(api::TaskKind::kTrain, root.ForTraining("site-0001", 0)), *masks,
                                  words);
      }
      break;
    case 5:
      if (auto sum = federate::MaskedSum::Restore(input)) {
        if (sum->Save() != Bytes(input.begin(), input.end())) __builtin_trap();
      }
      break;
    default:
      if (const auto asked = FromCbor<api::MaskTask>(input)) {
        constexpr api::TaskKind kKinds[] = {api::TaskKind::kMaskShares, api::TaskKind::kMaskConsent,
                                            api::TaskKind::kMaskUnmask, api::TaskKind::kTrain};
        for (const api::TaskKind kind : kKinds) {
          federate::SiteMasks kept = site.kept;
          std::vector<std::uint32_t> words(3);
          const api::Task task = world.cohort.Task(kind, *asked);
          if (kind == api::TaskKind::kTrain) {
            (void)federate::MaskWords(task, kept, words);
          } else {
            (void)federate::AnswerMaskStep(task, site.identity, kept);
          }
        }
      }
  }
  return 0;
}
