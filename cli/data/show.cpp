// ote data list, show and remove.
#include "cli/data/show.h"

#include <fmt/format.h>

#include "cli/by_hand/alone.h"
#include "cli/cluster/members.h"
#include "cli/data/commands.h"
#include "cli/frame/link.h"
#include "cli/frame/names.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "core/base/ids.h"

namespace ote::cli {
namespace {

struct NameOptions {
  std::string name;
};

std::string_view NoiseText(api::NoiseKind least) {
  switch (least) {
    case api::NoiseKind::kLocal:
      return "local";
    case api::NoiseKind::kDistributed:
      return "distributed or local";
    default:
      return "any";
  }
}

// "0.52 of 3"
std::string SpentText(const api::Dataset& d) {
  if (!d.privacy || (!d.privacy->budget && d.privacy->rounds == 0)) return {};
  const std::string spent = d.privacy->spent ? fmt::format("{:.3g}", *d.privacy->spent) : "without bound";
  return d.privacy->budget ? fmt::format("{} of {:g}", spent, *d.privacy->budget) : spent;
}

std::string PrivacyText(const api::Dataset& d) {
  const std::string spent = SpentText(d);
  if (spent.empty()) return {};
  const api::DatasetPrivacy& privacy = *d.privacy;
  std::string text = fmt::format("epsilon {} spent in {} rounds, delta {:g}", spent, privacy.rounds, privacy.delta);
  if (privacy.left) text += fmt::format("; {:.3g} left, for {} noise", *privacy.left, NoiseText(privacy.noise));
  if (privacy.unprotected > 0) text += fmt::format("; and {} answers without noise before", privacy.unprotected);
  return text;
}

Result<std::vector<api::Dataset>> OwnDatasets(const Context& context, AgentLink& link) {
  OTE_TRY(api::DataList list, link.Ask<api::DataList>(api::verb::kDataList, api::Empty{}, context.Patience(kQuick)));
  return std::move(list.items);
}

// Each data set of each member, one row a pair.
Result<Exit> ListMembers(Context& context, AgentLink& link) {
  OTE_TRY(auto members, FetchMembers(context));
  OTE_TRY(const auto own, OwnDatasets(context, link));
  api::Cluster self;
  self.name = link.Member().name;
  self.status = api::ClusterStatus::kReady;
  for (const api::Dataset& d : own) self.datasets.push_back(d.Summary());
  std::erase_if(members, [&](const api::Cluster& c) { return c.name == self.name; });
  members.insert(members.begin(), self);
  Table table({{"NAME"},
               {"CLUSTER"},
               {"STATUS"},
               {"TRAIN", false, true},
               {"TEST", false, true},
               {"FEATURES", false, true},
               {"CLASSES", false, true},
               {"SCHEMA", true},
               {"FOLD", true}});
  std::vector<Json> items;
  std::vector<std::string> names;
  for (const api::Cluster& cluster : members) {
    for (const api::DatasetSummary& d : cluster.datasets) {
      table.Add({d.name, cluster.name, std::string(NameOf(cluster.status)), std::to_string(d.train_rows),
                 std::to_string(d.test_rows), std::to_string(d.features), std::to_string(d.classes), Short(d.schema),
                 std::string(NameOf(d.fold))});
      Json item = ToJson(d);
      item["cluster"] = cluster.name;
      item["status"] = NameOf(cluster.status);
      items.push_back(std::move(item));
      if (std::find(names.begin(), names.end(), d.name) == names.end()) names.push_back(d.name);
    }
  }
  CacheNames(context, "dataset", names);
  PrintList(context, items, table, names);
  return Exit::kDone;
}

// The data sets of this site, by its agent or, where none runs and none is needed, from its state folder.
Result<std::vector<api::Dataset>> SiteDatasets(Context& context, std::string* name) {
  OTE_TRY(auto alone, OpenAlone(context));
  if (alone) {
    OTE_TRY(*name, alone->Name());
    return ListDatasets(*alone);
  }
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  *name = link.Member().name;
  return OwnDatasets(context, link);
}

Result<Exit> ListOwn(Context& context) {
  std::string name;
  OTE_TRY(const auto own, SiteDatasets(context, &name));
  Table table({{"NAME"},
               {"FORMAT"},
               {"TRAIN", false, true},
               {"TEST", false, true},
               {"FEATURES", false, true},
               {"CLASSES", false, true},
               {"EPSILON"},
               {"PATH"},
               {"DIGEST", true}});
  std::vector<Json> items;
  std::vector<std::string> names;
  for (const api::Dataset& d : own) {
    table.Add({d.name, std::string(NameOf(d.format)), std::to_string(d.train_rows), std::to_string(d.test_rows),
               std::to_string(d.Summary().features), std::to_string(d.classes), SpentText(d), d.path, Short(d.digest)});
    items.push_back(ToJson(d));
    names.push_back(d.name);
  }
  CacheNames(context, "dataset", names);
  PrintList(context, items, table, names);
  return Exit::kDone;
}

Result<Exit> List(Context& context) {
  bool alone = false;
  {
    OTE_TRY(const auto site, OpenAlone(context));
    alone = site.has_value();
  }
  if (!alone) {
    OTE_TRY(AgentLink link, AgentLink::Open(context));
    if (link.IsRoot()) return ListMembers(context, link);
  }
  return ListOwn(context);
}

Result<Exit> Show(Context& context, const NameOptions& options) {
  std::string at;
  OTE_TRY(const auto own, SiteDatasets(context, &at));
  std::vector<std::string_view> known;
  for (const api::Dataset& d : own) {
    if (d.name == options.name) {
      PrintOne(context, ToJson(d), DatasetText(d), d.name);
      return Exit::kDone;
    }
    known.push_back(d.name);
  }
  const std::string_view near = Nearest(options.name, known);
  return Fail(ErrorId::kDatasetUnknown,
              fmt::format("data set {}: not registered at {}{}", options.name, at,
                          near.empty() ? "" : fmt::format("; did you mean {}?", near)),
              "ote data list");
}

Result<Exit> Remove(Context& context, const NameOptions& options) {
  OTE_TRY(auto alone, OpenAlone(context));
  std::optional<AgentLink> link;
  if (!alone) {
    OTE_TRY(auto opened, AgentLink::Open(context));
    link.emplace(std::move(opened));
  }
  if (context.flags.dry_run) {
    Say(context, fmt::format("data set {}: would no longer be registered", options.name));
    return Exit::kDone;
  }
  OTE_TRY(const api::Dataset dataset,
          alone ? RemoveDataset(*alone, options.name)
                : link->Ask<api::Dataset>(api::verb::kDataRemove, api::NameRequest{options.name},
                                          context.Patience(kQuick)));
  Say(context, fmt::format("data set {}: no longer registered; {} is as it was", dataset.name, dataset.path));
  PrintOne(context, ToJson(dataset), "", dataset.name);
  return Exit::kDone;
}

std::vector<std::string> MissingSpellings(const std::vector<std::string>& given) {
  std::vector<std::string> all = {"empty"};
  for (const std::string& spelling : given) all.push_back(fmt::format("\"{}\"", spelling));
  return all;
}

}  // namespace

std::string DatasetText(const api::Dataset& d) {
  std::string text =
      FactsText({{"name", d.name},
                 {"path", d.path},
                 {"labels", d.label_path.empty() ? d.label : d.label_path},
                 {"format", std::string(NameOf(d.format))},
                 {"task", std::string(NameOf(d.task))},
                 {"rows", fmt::format("{} to train on, {} held out", d.train_rows, d.test_rows)},
                 {"features", std::to_string(d.Summary().features)},
                 {"classes", d.classes == 0 ? "" : fmt::format("{}: {}", d.classes, Join(d.class_names, ", "))},
                 {"categorical", Join(d.categorical, ", ")},
                 {"missing", d.missing ? fmt::format("may be: {}", Join(MissingSpellings(*d.missing), ", ")) : ""},
                 {"min rows", fmt::format("{} to tell statistics of", d.min_rows)},
                 {"fold", d.fold == api::FoldPolicy::kRefuse ? "refuse: only the root reads its updates" : ""},
                 {"privacy", PrivacyText(d)},
                 {"digest", d.digest}});
  constexpr std::size_t kShown = 12;
  if (d.columns.empty()) return text;
  Table table({{"FEATURE"},
               {"MEAN", false, true},
               {"STDDEV", false, true},
               {"MIN", false, true},
               {"MAX", false, true},
               {"MISSING", false, true},
               {"CATEGORIES", false, true}});
  for (std::size_t i = 0; i < std::min(kShown, d.columns.size()); ++i) {
    const api::ColumnStats& c = d.columns[i];
    const bool names = std::find(d.categorical.begin(), d.categorical.end(), c.name) != d.categorical.end();
    const auto number = [names](double value) { return names ? std::string() : fmt::format("{:.6g}", value); };
    table.Add({c.name, number(c.mean), number(c.stddev), number(c.min), number(c.max), std::to_string(c.missing),
               names ? std::to_string(c.categories) : std::string()});
  }
  text += "\n" + table.Text(true);
  if (d.columns.size() > kShown) text += fmt::format("… and {} more, see -o json\n", d.columns.size() - kShown);
  return text;
}

Command ListDataCommand() {
  Command c("list", "list the data sets");
  c.About(
      "At a site its own, with their paths. At a root those of all members, as far as it knows them: name, schema, "
      "counts.");
  c.Example("ote data list", "for people");
  c.Example("ote data list -o json", "for a program");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([](Context& context) { return List(context); });
  return c;
}

Command ShowDataCommand() {
  auto options = std::make_shared<NameOptions>();
  Command c("show", "print one data set of this site, with its statistics");
  c.About("What was found when the file was registered: rows, classes, and mean, spread and range of each feature.");
  c.Argument("NAME", options->name, "the data set").Completes(Names::kDataset);
  c.Example("ote data show digits", "for people");
  c.Example("ote data show digits -o json", "with all features");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([options](Context& context) { return Show(context, *options); });
  return c;
}

Command RemoveDataCommand() {
  auto options = std::make_shared<NameOptions>();
  Command c("remove", "forget a data set; its file stays as it is");
  c.About("Runs no longer find it at this site. Nothing is lost: the file can be registered again.");
  c.Argument("NAME", options->name, "the data set").Completes(Names::kDataset);
  c.Example("ote data remove digits", "forget it");
  c.Example("ote data remove digits --dry-run", "say what would be done");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Changes();
  c.Does([options](Context& context) { return Remove(context, *options); });
  return c;
}

}  // namespace ote::cli
