#include "cli/frame/pages.h"

#include <catch2/catch.hpp>

using namespace ote;

namespace {

struct Page {
  std::vector<int> items;
  std::optional<std::string> next;
};
using Numbers = std::vector<int>;
void Add(Page&& page, Numbers& all) { all.insert(all.end(), page.items.begin(), page.items.end()); }

}  // namespace

TEST_CASE("pages are gathered one after the other, each from where the last one ended") {
  std::vector<std::string> asked;
  const auto all = cli::GatherPages<Page, Numbers>(
      [&](const api::PageQuery& query) -> Result<Page> {
        asked.push_back(query.after);
        CHECK(query.limit == cli::kPage);
        if (query.after.empty()) return Page{{1, 2}, "b"};
        if (query.after == "b") return Page{{}, "c"};
        return Page{{3}, std::nullopt};
      },
      Add);
  REQUIRE(all);
  CHECK(*all == Numbers{1, 2, 3});
  CHECK(asked == std::vector<std::string>{"", "b", "c"});
}

TEST_CASE("an agent that knows no pages answers with everything at once") {
  const auto all = cli::GatherPages<Page, Numbers>(
      [](const api::PageQuery&) -> Result<Page> {
        return Page{{1, 2, 3}, std::nullopt};
      },
      Add);
  REQUIRE(all);
  CHECK(*all == Numbers{1, 2, 3});
}

TEST_CASE("an agent whose pages go in a circle is not asked for ever, and an error ends them") {
  const auto circle = cli::GatherPages<Page, Numbers>(
      [](const api::PageQuery&) -> Result<Page> {
        return Page{{1}, "b"};
      },
      Add);
  REQUIRE_FALSE(circle);
  CHECK(circle.error().id == ErrorId::kProtocol);
  const auto failed = cli::GatherPages<Page, Numbers>(
      [](const api::PageQuery& query) -> Result<Page> {
        if (query.after.empty()) return Page{{1}, "b"};
        return Fail(ErrorId::kUnreachable, "gone");
      },
      Add);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().id == ErrorId::kUnreachable);
}
