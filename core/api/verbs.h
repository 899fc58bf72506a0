// The verbs that travel. ote-protocol(7) is the prose of this file; their bodies are in requests.h and the headers that
// it includes.
//
// Who may call what: `token` is a link opened with a join token; `member` a certified cluster, towards its parent;
// `parent` the parent, towards its child; `operator` a command line with the control key of the state folder.
#pragma once

#include <string_view>

namespace ote::api {

inline constexpr int kProtocolVersion = 2;

namespace verb {
// token
inline constexpr std::string_view kEnrolHello = "enrol.hello";      // Empty -> EnrolHello
inline constexpr std::string_view kEnrolRequest = "enrol.request";  // EnrolRequest -> EnrolReply
// member
inline constexpr std::string_view kMemberHello = "member.hello";          // MemberHello -> MemberWelcome
inline constexpr std::string_view kMemberHeartbeat = "member.heartbeat";  // TrustHeld -> TrustNews
inline constexpr std::string_view kMemberRenew = "member.renew";          // RenewRequest -> RenewReply
inline constexpr std::string_view kMemberRotate = "member.rotate";        // RotateRequest -> RenewReply
inline constexpr std::string_view kMemberDatasets = "member.datasets";    // DatasetList -> Empty
inline constexpr std::string_view kFlOffer = "fl.offer";  // UpdateOffer -> Empty, or the refusal as an error
// member and parent and operator
inline constexpr std::string_view kArtifactGet = "artifact.get";  // ArtifactRange -> ArtifactChunk + blob
inline constexpr std::string_view kTreeRoutes = "tree.routes";    // RouteChange -> Empty: who is below the child
inline constexpr std::string_view kTreeEnrol = "tree.enrol";      // CarriedEnrol -> EnrolReply: of one that joins below
inline constexpr std::string_view kTreeToken = "tree.token";      // CarriedToken -> TokenReply: a relay wants a token
inline constexpr std::string_view kTreeTrust = "tree.trust";      // TrustHeld -> TrustNews: asked of the root itself
inline constexpr std::string_view kTreeCertificate = "tree.certificate";  // CertificateNews -> Empty: of a child
inline constexpr std::string_view kStateReport = "state.report";          // StateReport -> StateAck
inline constexpr std::string_view kCommandOutcome = "command.outcome";    // CommandOutcome -> Empty: kept by its issuer
// parent
inline constexpr std::string_view kTreePlace = "tree.place";  // TreePlace -> Empty: the way up, and where else to go
inline constexpr std::string_view kTreeParentKey = "tree.parent-key";  // down: ParentKey -> Empty
inline constexpr std::string_view kTreeAskParent = "tree.ask-parent";  // Empty -> ParentKey: asked of the root itself
inline constexpr std::string_view kCommandRun = "command.run";         // Command -> CommandOutcome: taken and on disk
inline constexpr std::string_view kFlTask = "fl.task";                 // Task -> Empty: taken and on disk
inline constexpr std::string_view kFlClose = "fl.close";  // RoundRef -> Empty: the round is over; forget its update
inline constexpr std::string_view kFlFold = "fl.fold";    // FoldRequest -> FoldReply (fold.h)
inline constexpr std::string_view kDataSummary = "data.summary";  // NameRequest -> DataStatistics
inline constexpr std::string_view kTrustNews = "trust.news";      // TrustNews -> TrustHeld
// parent and operator
inline constexpr std::string_view kFlOutput =
    "fl.output";  // OutputRequest -> OutputTail: what a site's trainer printed
// operator
inline constexpr std::string_view kAgentStatus = "agent.status";        // Empty -> AgentStatus
inline constexpr std::string_view kAgentStop = "agent.stop";            // Empty -> Empty
inline constexpr std::string_view kClusterList = "cluster.list";        // Empty -> ClusterList
inline constexpr std::string_view kClusterLabel = "cluster.label";      // LabelRequest -> Cluster
inline constexpr std::string_view kClusterRemove = "cluster.remove";    // NameRequest -> Cluster
inline constexpr std::string_view kClusterApprove = "cluster.approve";  // ApproveRequest -> ApproveReply (by_hand.h)
inline constexpr std::string_view kTokenCreate = "token.create";        // TokenRequest -> TokenReply
inline constexpr std::string_view kTokenList = "token.list";            // Empty -> TokenList
inline constexpr std::string_view kTokenRevoke = "token.revoke";        // NameRequest -> Token
inline constexpr std::string_view kKeyList = "key.list";                // Empty -> KeyList
inline constexpr std::string_view kKeyRotate = "key.rotate";            // KeyRotateRequest -> KeyRotated
inline constexpr std::string_view kKeyTransport = "key.transport";      // TransportRotateRequest -> TransportRotated
inline constexpr std::string_view kDataAdd = "data.add";                // DataAddRequest -> Dataset
inline constexpr std::string_view kDataList = "data.list";              // Empty -> DataList
inline constexpr std::string_view kDataRemove = "data.remove";          // NameRequest -> Dataset
inline constexpr std::string_view kDataStats = "data.stats";            // StatsRequest -> Stats
inline constexpr std::string_view kTrainerAdd = "trainer.add";          // TrainerAddRequest -> Trainer
inline constexpr std::string_view kTrainerList = "trainer.list";        // Empty -> TrainerList
inline constexpr std::string_view kTrainerRemove = "trainer.remove";    // NameRequest -> Trainer
inline constexpr std::string_view kFlStart = "fl.start";                // StartRequest -> Run
inline constexpr std::string_view kFlList = "fl.list";                  // Empty -> RunList (rounds left out)
inline constexpr std::string_view kFlShow = "fl.show";                  // NameRequest -> Run
inline constexpr std::string_view kFlCancel = "fl.cancel";              // NameRequest -> Run
inline constexpr std::string_view kFlResume = "fl.resume";              // NameRequest -> Run
inline constexpr std::string_view kFlWatch = "fl.watch";    // WatchRequest -> a stream of RunEvent, then Run (last)
inline constexpr std::string_view kFlRecord = "fl.record";  // RecordRequest -> RecordPiece + blob
inline constexpr std::string_view kFlExport = "fl.export";  // ExportRequest -> ExportReply (by_hand.h)
inline constexpr std::string_view kFlImport = "fl.import";  // ImportRequest -> ImportReply (by_hand.h)
inline constexpr std::string_view kFlRemove = "fl.remove";  // RunRemoveRequest -> RunRemoved (run_remove.h)
inline constexpr std::string_view kArtifactPut = "artifact.put";      // ArtifactPut + blob -> ArtifactChunk
inline constexpr std::string_view kModelList = "model.list";          // ModelListRequest -> ModelList, not all fields
inline constexpr std::string_view kModelShow = "model.show";          // NameRequest (a reference) -> ModelEntry
inline constexpr std::string_view kModelTag = "model.tag";            // ModelTagRequest -> ModelEntry
inline constexpr std::string_view kModelRemove = "model.remove";      // ModelRemoveRequest -> ModelEntry
inline constexpr std::string_view kClusterTree = "cluster.tree";      // Empty -> TreeView
inline constexpr std::string_view kClusterShow = "cluster.show";      // NameRequest -> ClusterView
inline constexpr std::string_view kClusterCordon = "cluster.cordon";  // CordonRequest -> Cluster
inline constexpr std::string_view kClusterCommands = "cluster.commands";  // CommandQuery -> CommandList
inline constexpr std::string_view kClusterAudit = "cluster.audit";        // AuditQuery -> AuditList
inline constexpr std::string_view kOperatorCreate = "operator.create";    // OperatorRequest -> Operator
inline constexpr std::string_view kOperatorRemove = "operator.remove";    // NameRequest -> Operator
inline constexpr std::string_view kOperatorList = "operator.list";        // Empty -> OperatorList
inline constexpr std::string_view kAppDeploy = "app.deploy";              // DeployRequest -> AppView
inline constexpr std::string_view kAppList = "app.list";                  // Empty -> AppList
inline constexpr std::string_view kAppShow = "app.show";                  // NameRequest -> AppView
inline constexpr std::string_view kAppPlan = "app.plan";                  // DeployRequest -> AppPlan
inline constexpr std::string_view kAppRollback = "app.rollback";          // RollbackRequest -> AppView
inline constexpr std::string_view kAppRestart = "app.restart";            // AppTarget -> AppView
inline constexpr std::string_view kAppRemove = "app.remove";              // AppTarget -> AppView
inline constexpr std::string_view kAppDiff = "app.diff";                  // DeployRequest -> AppDiff
inline constexpr std::string_view kAppWatch = "app.watch";                // NameRequest -> a stream of AppView
inline constexpr std::string_view kAppLogs = "app.logs";                  // AppLogsRequest -> a stream of AppLogLine
inline constexpr std::string_view kAppExport = "app.export";      // AppExportRequest -> AppExportReply (app_carried.h)
inline constexpr std::string_view kAppImport = "app.import";      // AppImportRequest -> AppImportReply (app_carried.h)
inline constexpr std::string_view kDoctorCheck = "doctor.check";  // Empty -> Findings
inline constexpr std::string_view kModelImport = "model.import";  // ModelImportRequest -> ModelEntry
}  // namespace verb

}  // namespace ote::api
