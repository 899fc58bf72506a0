// Json from YAML: yaml-cpp's parser events, within the bounds of a document that a person writes.
#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <sstream>
#include <stdexcept>

#include "core/base/json_builder.h"
#include "core/base/yaml_scalar.h"

namespace ote {
namespace {

// Leaves the parser from within an event; never leaves this file.
struct Refusal : std::runtime_error {
  Refusal(const YAML::Mark& at, const std::string& why) : std::runtime_error(why), mark(at) {}
  YAML::Mark mark;
};

class Handler final : public YAML::EventHandler {
 public:
  explicit Handler(SourceMap* map) : map_(map) {}
  Json Take() { return builder_.Take(); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (started_) throw Refusal(mark, "a second document begins; one file is one document");
    started_ = true;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { Scalar(mark, "?", anchor, ""); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { throw Refusal(mark, "aliases are not supported"); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Scalar(mark, tag, anchor, value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Begin(mark, tag, anchor);
    Open(mark, false);
  }
  void OnSequenceEnd() override { End(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Begin(mark, tag, anchor);
    Open(mark, true);
  }
  void OnMapEnd() override { End(); }

 private:
  struct Level {
    bool map = false;
    bool has_key = false;
    std::size_t next = 0;          // of a sequence
    std::size_t pointer_size = 0;  // of the pointer to this container
  };

  void Check(const YAML::Mark& mark, bool ok) const {
    if (!ok) throw Refusal(mark, builder_.Why());
  }
  static void Plainly(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != 0) throw Refusal(mark, "anchors are not supported");
    if (!tag.empty() && tag != "?" && tag != "!") throw Refusal(mark, "tags are not supported");
  }
  bool AtKey() const { return !levels_.empty() && levels_.back().map && !levels_.back().has_key; }

  void Scalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) {
    Plainly(mark, tag, anchor);
    // yaml-cpp spells \N and \_ as lone bytes.
    if (!IsUtf8(value)) throw Refusal(mark, "an escape is not supported; write \\u and four hex digits");
    if (AtKey()) return Key(mark, tag, value);
    Enter(mark);
    if (tag == "?") {
      auto resolved = codec::ResolvePlain(value);
      if (!resolved) throw Refusal(mark, resolved.error().message);
      builder_.Value(std::move(*resolved));
    } else {
      builder_.Value(value);
    }
    Leave();
  }
  void Key(const YAML::Mark& mark, const std::string& tag, std::string name) {
    if (tag == "?" && name.empty()) throw Refusal(mark, "a key is missing");
    const std::string path = "/" + name;
    Check(mark, builder_.key(name));
    levels_.back().has_key = true;
    pointer_ += path;
    Note(mark);
  }
  void Begin(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    Plainly(mark, tag, anchor);
    if (AtKey()) throw Refusal(mark, "a key is not a scalar");
    Enter(mark);
  }
  void Open(const YAML::Mark& mark, bool map) {
    Check(mark, map ? builder_.start_object(0) : builder_.start_array(0));
    levels_.push_back({map, false, 0, pointer_.size()});
  }
  void End() {
    builder_.end_array();
    levels_.pop_back();
    Leave();
  }
  // A value begins: its place in a sequence becomes part of the pointer. A map's key is there already.
  void Enter(const YAML::Mark& mark) {
    if (levels_.empty() || levels_.back().map) return;
    pointer_ += fmt::format("/{}", levels_.back().next++);
    Note(mark);
  }
  // A value ends: the pointer is that of its container again.
  void Leave() {
    if (levels_.empty()) return;
    levels_.back().has_key = false;
    pointer_.resize(levels_.back().pointer_size);
  }
  void Note(const YAML::Mark& mark) {
    if (map_ != nullptr) map_->lines.emplace(pointer_, mark.line + 1);
  }

  SourceMap* map_;
  codec::JsonBuilder builder_;
  std::vector<Level> levels_;
  std::string pointer_;
  bool started_ = false;
};

std::string Place(std::string_view file, int line, int column) {
  if (file.empty()) return fmt::format("line {}, column {}", line + 1, column + 1);
  return fmt::format("{}:{}:{}", file, line + 1, column + 1);
}

// What yaml-cpp must not see: it takes 0x04 for the end of the text, and repairs bad UTF-8 in silence.
Result<void> CheckCharacters(std::string_view text, std::string_view file) {
  int line = 0;
  std::size_t line_start = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || text[i] == '\n') {
      const std::string_view whole = text.substr(line_start, i - line_start);
      if (!IsUtf8(whole)) return Fail(ErrorId::kInputSyntax, Place(file, line, 0) + ": the line is not UTF-8");
      ++line;
      line_start = i + 1;
      continue;
    }
    const auto byte = static_cast<std::uint8_t>(text[i]);
    if ((byte < 0x20 && byte != '\t' && byte != '\r') || byte == 0x7f) {
      return Fail(ErrorId::kInputSyntax, fmt::format("{}: a control character, 0x{:02x}",
                                                     Place(file, line, static_cast<int>(i - line_start)), byte));
    }
  }
  return {};
}

}  // namespace

Result<Json> ParseYaml(std::string_view text, std::string_view file, SourceMap* map) {
  if (text.size() > codec::kMaxDocument) {
    return Fail(ErrorId::kInputSyntax, fmt::format("{}: it has {} bytes, more than the {} that a document may have",
                                                   file.empty() ? "YAML" : file, text.size(), codec::kMaxDocument));
  }
  OTE_CHECK(CheckCharacters(text, file));
  if (map != nullptr) *map = SourceMap{std::string(file), {}};
  const auto refuse = [file](const YAML::Mark& mark, std::string_view why) {
    return Fail(ErrorId::kInputSyntax, fmt::format("{}: {}", Place(file, mark.line, mark.column), why));
  };
  // yaml-cpp takes the end of the text for the end of a quoted scalar; the end of the document it does not.
  std::string whole(text);
  if (!whole.empty() && whole.back() != '\n') whole.push_back('\n');
  whole += "...\n";
  Handler handler(map);
  try {
    std::istringstream stream(whole);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(handler)) {
    }
  } catch (const Refusal& refusal) {
    return refuse(refusal.mark, refusal.what());
  } catch (const YAML::Exception& error) {
    if (error.msg == YAML::ErrorMsg::DOC_IN_SCALAR) return refuse(error.mark, "a quoted scalar is not closed");
    return refuse(error.mark.is_null() ? YAML::Mark() : error.mark, codec::ForMessage(error.msg, 160));
  } catch (const std::exception& error) {
    return refuse(YAML::Mark(), codec::ForMessage(error.what(), 160));
  }
  return handler.Take();
}

}  // namespace ote
