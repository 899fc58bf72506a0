// A member whose agent is not ours: says hello, is given tasks, and answers what the test wants.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/parcel/parcel.h"
#include "core/record/statement.h"
#include "test/fake/run_tree.h"

namespace ote::test {

class Puppet {
 public:
  static constexpr std::chrono::seconds kPatience{5};

  Puppet(RunTree& tree, const std::string& name)
      : tree_(tree),
        name_(name),
        own_(Must(tree.Folder(name).LoadMembership())),
        sign_(Must(tree.Folder(name).SignKey())),
        transport_(Must(tree.Folder(name).TransportKey())),
        client_(Connect()) {
    api::MemberHello hello;
    hello.now = tree.clock.WallNow();
    hello.datasets = tree.Shown(name).datasets;
    Must(client_.Ask<api::MemberWelcome>(api::verb::kMemberHello, hello, kPatience));
    tree.Settle();
  }

  // As an agent would answer: to the task that it was given, if it was.
  parcel::Parcel Pack(api::UpdateOffer offer, const api::SealedCopy& update = {}, bool sign = true) {
    const auto task = tasks_.find({offer.run, offer.round});
    const auto digest = task == tasks_.end() ? std::string() : api::TaskDigest(task->second.task);
    if (sign) record::Countersign(offer, digest, name_, sign_, own_.certificate);
    const auto named =
        task == tasks_.end() ? parcel::TaskName{} : parcel::NameOfTask(digest, task->second.seals.answer_key);
    const auto key = crypto::LoadTransportKey(tree_.Folder("hq").RunKeyFile(offer.run));
    const auto to = key ? key->Public() : crypto::TransportKey::Generate().Public();
    return Must(parcel::Pack({offer, update, {}}, named, {name_, sign_, own_.certificate}, "hq", to));
  }
  // What it is refused with, or ErrorId{}.
  ErrorId Send(const parcel::Parcel& parcel) {
    const auto answer = client_.Ask<api::Empty>(api::verb::kFlOffer, parcel, kPatience);
    return answer ? ErrorId{} : answer.error().id;
  }
  // Answers artifact.get for these bytes from now on.
  api::SealedCopy Serve(Bytes bytes) {
    const api::SealedCopy copy{crypto::DigestOf(bytes).ToString(), std::ssize(bytes)};
    served_[copy.digest] = std::make_shared<const Bytes>(std::move(bytes));
    return copy;
  }
  // Lets it be asked.
  void Pump() { (void)client_.Ask<api::Empty>(api::verb::kMemberHeartbeat, api::Empty{}, kPatience); }
  bool Has(const std::string& run, std::int64_t round) const { return tasks_.contains({run, round}); }
  const parcel::SealedTask& Task(const std::string& run, std::int64_t round) const { return tasks_.at({run, round}); }
  ErrorId Offer(const api::UpdateOffer& offer, const api::SealedCopy& update = {}, bool sign = true) {
    return Send(Pack(offer, update, sign));
  }

 private:
  wire::Client Connect() {
    auto pumped =
        std::make_unique<PumpedTransport>(tree_.network.MakeTransport(nullptr, nullptr), [this] { tree_.Settle(1); });
    auto tapped = std::make_unique<TappedTransport>(std::move(pumped), [this](wire::Event& event) { Look(event); });
    wire_ = tapped.get();
    const wire::Target root{Tree::kRootEndpoint, Must(tree_.Folder("hq").TransportKey()).Public()};
    return Must(wire::Client::Open(std::move(tapped), root, transport_, std::chrono::seconds(2)));
  }
  void Look(const wire::Event& event) {
    if (event.kind == wire::EventKind::kLinkMessage && event.envelope.verb == api::verb::kArtifactGet) Give(event);
    if (event.envelope.verb != api::verb::kFlTask) return;
    parcel::Expected expected;
    expected.authority = own_.AuthorityKey();
    expected.receiver = name_;
    auto opened = Must(parcel::OpenTask(Must(FromWire<parcel::Parcel>(event.envelope.body)), expected, transport_));
    tasks_.insert_or_assign({opened.head.run, opened.head.round}, std::move(opened.content));
  }
  void Give(const wire::Event& event) {
    const auto range = Must(FromWire<api::ArtifactRange>(event.envelope.body));
    const auto it = served_.find(range.digest);
    if (it == served_.end()) return;
    const auto& bytes = it->second;
    const auto piece =
        ByteView(*bytes).subspan(static_cast<std::size_t>(range.offset), static_cast<std::size_t>(range.length));
    const api::ArtifactChunk chunk{range.digest, range.offset, std::ssize(*bytes)};
    Must(wire_->Send(event.link, wire::MakeReply(event.envelope, ToJson(chunk), wire::Blob(piece, bytes))));
  }

  RunTree& tree_;
  std::string name_;
  store::Membership own_;
  crypto::SigningKey sign_;
  crypto::TransportKey transport_;
  std::map<std::pair<std::string, std::int64_t>, parcel::SealedTask> tasks_;
  std::map<std::string, std::shared_ptr<const Bytes>> served_;
  TappedTransport* wire_ = nullptr;  // the client's
  wire::Client client_;
};

}  // namespace ote::test
