// What an object must look like so that the server takes out later what is no longer in it. Pure.
#pragma once

#include "core/base/codec.h"

namespace ote::kube {

// A server keeps who set which field by server-side apply, and takes out what nobody sets any more; but not what it put
// in itself, or keeps under another name. So the values of a rolling update are set where they are not, as the server
// would, and the stringData of a Secret becomes data. What does not have the form of such an object is left to the
// server to refuse.
void FitForApply(Json& object);

}  // namespace ote::kube
