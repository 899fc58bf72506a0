// All objects of one kind, kept up to date: lists in pages, then watches from there, again and again.
//
// In the thread of the API from Start on. What is told is in order; after a break that lost changes (410) everything is
// told again between `begin` and `end`, and what was not among it is gone.
#pragma once

#include <memory>
#include <random>

#include "agent/shim/kubernetes/http.h"
#include "agent/shim/kubernetes/stream.h"

namespace ote::kube {

class Watch {
 public:
  struct Sink {
    std::function<void()> begin;
    std::function<void(const Json& object)> item;
    std::function<void()> end;
    std::function<void(const std::string& type, const Json& object)> event;  // ADDED, MODIFIED, DELETED
    std::function<void(const Error*)> health;  // nullptr: it is connected; a line that breaks
                                               // is told when it cannot be mended at once
  };

  // `path` of the kind; `query` goes with every request ("labelSelector=…", or "").
  Watch(Api& api, std::string path, std::string query, Sink sink);
  ~Watch();
  // In the thread of the API.
  void Start();

 private:
  void List(const std::string& from);
  void Listed(Result<Answer> answer, bool paged);
  void Open();
  void Ended(Result<Answer> answer);
  bool Take(std::string_view text);
  void Later(std::function<void()> fn, bool failed);
  std::string Query(const std::string& more) const;

  Api& api_;
  std::string path_;
  std::string query_;
  Sink sink_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // only to be seen to be gone
  std::mt19937 random_{std::random_device{}()};
  std::string version_;
  std::string kind_;  // of the items, which a list does not repeat
  std::unique_ptr<ObjectSplitter> splitter_;
  std::uint64_t request_ = 0;
  bool lost_ = false;  // the version is too old: list again
  bool open_ = false;  // the server took the watch
  int failures_ = 0;
  int losses_ = 0;   // lists after which the watch was lost at once, in a row
  int expired_ = 0;  // continue tokens in a row
};

}  // namespace ote::kube
