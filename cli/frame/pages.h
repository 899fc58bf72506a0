// Long answers, which an agent gives in pages.
#pragma once

#include <fmt/format.h>

#include <utility>

#include "core/api/page.h"
#include "core/base/result.h"

namespace ote::cli {

inline constexpr std::int64_t kPage = api::kMostInPage;

// Asks with `ask(PageQuery)` for one page after the other and adds each to what is returned with `add(Page&&, All&)`.
// An agent that knows no pages answers with everything at once. kProtocol for one that goes in a circle.
template <class Page, class All, class Ask, class Add>
Result<All> GatherPages(Ask ask, Add add) {
  All all;
  api::PageQuery query{{}, kPage};
  while (true) {
    OTE_TRY(Page page, ask(std::as_const(query)));
    const auto next = page.next;
    add(std::move(page), all);
    if (!next) return all;
    if (*next <= query.after)
      return Fail(ErrorId::kProtocol, fmt::format("the page after {} begins at {}", query.after, *next));
    query.after = *next;
  }
}

}  // namespace ote::cli
