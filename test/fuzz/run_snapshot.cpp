// fuzz-link: ote_federate
//
// The first two bytes are the length of the state, the rest is what every artifact of it reads as. A state that is
// taken must carry on: every event is handled, and what the machine then says of itself can be restored again.
#include <algorithm>
#include <cstdlib>

#include "core/federate/run_machine.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ote;
  using namespace ote::federate;
  if (size < 2) return 0;
  const std::size_t length = std::min<std::size_t>(size - 2, static_cast<std::size_t>(data[0] | data[1] << 8));
  const ByteView state(data + 2, length);
  const ByteView artifact(data + 2 + length, size - 2 - length);
  const Artifacts read = {
      [artifact](const std::string&) -> Result<Bytes> { return Bytes(artifact.begin(), artifact.end()); },
      [artifact](const std::string&, std::int64_t offset, std::span<std::uint8_t> out) -> Result<void> {
        if (static_cast<std::size_t>(offset) + out.size() > artifact.size()) {
          return Fail(ErrorId::kArtifactCorrupt, "short");
        }
        std::copy_n(artifact.begin() + offset, out.size(), out.begin());
        return {};
      }};
  Site site;
  site.name = "a";
  site.reachable = true;
  site.dataset = api::DatasetSummary{.name = "digits",
                                     .train_rows = 30,
                                     .test_rows = 8,
                                     .features = 4,
                                     .classes = 3,
                                     .class_names = {"a", "b", "c"},
                                     .schema = "columns"};
  Now now{1'700'000'000'000, std::chrono::milliseconds(1000)};
  Outcome outcome;
  auto machine = RunMachine::Restore(state, {site}, {}, read, now, &outcome);
  if (!machine) return 0;
  for (int i = 0; i < 4; ++i) {
    for (const Action& action : Outcome(outcome).actions) {
      if (const auto* send = std::get_if<SendTask>(&action)) {
        api::UpdateOffer offer;
        offer.run = send->task.run;
        offer.round = send->task.round;
        offer.kind = send->task.kind;
        offer.failed = i == 1;
        outcome = machine->Handle(Offered{send->site, offer}, now);
      }
    }
    now.steady += std::chrono::hours(24 * 366);
    outcome = machine->Handle(TimePassed{}, now);
  }
  outcome = machine->Handle(SiteRemoved{"a"}, now);
  outcome = machine->Handle(Cancelled{}, now);
  if (!machine->View().Over()) std::abort();
  Outcome again;
  if (!RunMachine::Restore(machine->Snapshot(), {site}, {}, read, now, &again)) std::abort();
  return 0;
}
