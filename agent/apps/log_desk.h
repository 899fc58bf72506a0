// Serves app.logs: to a parent in pieces, to an operator as a stream.
//
// A parent gets what there is, at most kMostLines at a time, with the name of a reader to ask with for more; a question
// that finds nothing is held until lines come, at most kHold. What nobody fetches is bounded: the oldest is dropped and
// counted.
//
// Nothing stays behind of those who go away. Who says so, or whose connection is lost, is told of to those further down
// at once (call.cancel while a question is under way, else app.logs with `close`); whether the others are still there a
// stream finds out every kProbe; and a reader that nobody asks for kIdle is closed by itself. One thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/apps/app_desk.h"
#include "agent/context.h"
#include "agent/members.h"
#include "agent/shim/shim.h"

namespace ote::agent {

class LogDesk {
 public:
  static constexpr std::size_t kMostLines = 200;
  static constexpr std::size_t kMostBytes = 128 << 10;  // of a piece
  static constexpr std::size_t kMostHeld = 2'000;       // lines of a reader
  static constexpr std::size_t kMostReaders = 32;
  static constexpr std::size_t kMostSources = 64;  // clusters of one stream
  static constexpr std::int64_t kMostTail = 2'000;
  static constexpr std::chrono::milliseconds kBreath{50};
  static constexpr std::chrono::milliseconds kHold{20'000};
  static constexpr std::chrono::milliseconds kIdle{30'000};
  static constexpr std::chrono::milliseconds kProbe{5'000};
  static constexpr std::chrono::milliseconds kPatience{30'000};
  static constexpr std::chrono::milliseconds kPause{250};  // after a queue was full
  static constexpr std::chrono::milliseconds kGiveUp{10'000};

  using Answer = std::function<void(Result<api::AppLogChunk>)>;

  // `shim` is nullptr where there is none; `desk` says where an app is. All must outlive it.
  LogDesk(Context& context, Members& members, AppDesk& desk, Shim* shim)
      : context_(context), members_(members), desk_(desk), shim_(shim) {}
  ~LogDesk();
  void Start();
  std::size_t Readers() const noexcept { return readers_.size(); }

 private:
  struct Reader {
    std::function<void()> cancel;
    std::string app;
    std::deque<api::AppLogLine> lines;
    std::int64_t dropped = 0;
    bool over = false;
    std::string failure;
    Answer waits;
    Timers::Id timer = 0;  // of the question that is held, or of its idleness
  };
  struct Source {
    AppDesk::Place place;
    std::string reader;
    std::uint64_t call = 0;  // the question that is under way; 0 for none
    bool over = false;
  };
  struct Stream {
    Request request;
    api::AppLogsRequest asked;
    std::vector<Source> sources;
    std::size_t open = 0;
    bool ended = false;
    Timers::Id probe = 0;
  };
  using StreamPtr = std::shared_ptr<Stream>;

  void Serve(Request request);
  // Gives the id of the reader, "" for none.
  std::string Poll(const api::AppLogsRequest& asked, Answer answer);
  void Give(const std::string& id);
  void Close(const std::string& id);
  void Arm(const std::string& id, std::chrono::milliseconds after);

  void Begin(Request request, const api::AppLogsRequest& asked);
  void AskFor(const StreamPtr& stream, std::size_t source);
  void Arrived(const StreamPtr& stream, std::size_t source, Result<api::AppLogChunk> chunk);
  void Pass(const StreamPtr& stream, std::size_t source, std::shared_ptr<api::AppLogChunk> chunk, std::size_t from,
            std::chrono::milliseconds stuck);
  void SourceOver(const StreamPtr& stream, std::size_t source);
  void Probe(const StreamPtr& stream);
  // The only way in which a stream ends: with an answer (nullptr) or a refusal. What is read for it is closed.
  void End(const StreamPtr& stream, const Error* error);
  void CloseAt(const Stream& stream, const Source& source);

  Context& context_;
  Members& members_;
  AppDesk& desk_;
  Shim* shim_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::map<std::string, Reader> readers_;
};

}  // namespace ote::agent
