// What a plain scalar of YAML is: the core schema of YAML 1.2.2, section 10.3.2. Used by the reader and the writer.
#pragma once

#include <string_view>

#include "core/base/codec.h"

namespace ote::codec {

// null, a boolean, a number, or else the text itself. kInputSyntax for a whole number beyond 64 bits and for a floating
// point number that is not finite, which JSON cannot spell.
Result<Json> ResolvePlain(std::string_view text);

}  // namespace ote::codec
