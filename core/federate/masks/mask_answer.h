// A site's answer to a task of a masked round, made of what the site keeps and, where it trains, of its update.
#pragma once

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/federate/masks/site_masks.h"
#include "core/federate/site.h"

namespace ote::federate {

// A step that needs no rows: fills in the answer's `masks`, and what the site is to keep. `kept` is SiteMemory::masks.
Result<void> AnswerMasks(const api::Task& task, const MaskIdentity& identity, ByteView kept, SiteAnswer& answer);

// Step train or evaluate: the answer's update, raw float32 or none, becomes whole numbers under masks where it stands,
// and its measures go into them, behind the update (MaskSideWords() more): the offer tells none of them any more. After
// an error the update is of no use. Digest and size of the offer are the caller's.
Result<void> MaskAnswer(const api::Task& task, std::int64_t examples, ByteView kept, SiteAnswer& answer);

}  // namespace ote::federate
