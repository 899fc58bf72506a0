#include "cli/cluster/commands.h"

namespace ote::cli {

Command ClusterCommand() {
  Command noun("cluster", "make a tree of clusters: its root, its members, their agents");
  noun.About(
      "A root is made with init. It gives out tokens, and a token lets one more cluster join. Each cluster is one "
      "state folder with one agent; start, stop and status are about that agent, the other verbs about the tree.");
  noun.Example("ote cluster init hq --listen tcp://0.0.0.0:7440", "become a root");
  noun.Example("ote cluster list", "who is there");
  noun.Add(InitCommand());
  noun.Add(JoinCommand());
  noun.Add(ApproveCommand());
  noun.Add(ListClustersCommand());
  noun.Add(ShowClusterCommand());
  noun.Add(TreeCommand());
  noun.Add(ListCommandsCommand());
  noun.Add(LabelCommand());
  noun.Add(RemoveClusterCommand());
  noun.Add(CordonCommand());
  noun.Add(UncordonCommand());
  noun.Add(DrainCommand());
  noun.Add(TokenCommand());
  noun.Add(AuditCommand());
  noun.Add(StartCommand());
  noun.Add(StopCommand());
  noun.Add(StatusCommand());
  return noun;
}

}  // namespace ote::cli
