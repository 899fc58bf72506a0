// Who shares secrets with whom in a masked round, and how many shares it takes.
//
// n sites gave keys. Of them c = floor(colluding·n) may tell the root all they know, and d = floor(leaving·n) may leave
// at any step. Each site shares its secrets among its group, itself and its neighbours, g sites, so that t give them
// back. A cohort of fewer than 64 is one group: g = n. A large one is a ring in random order, each site with its (g -
// 1)/2 nearest on either side (Bell, Bonawitz, Gascón, Lepoint and Raykova 2020), where g is the least odd number, at
// most n/2, for which a t exists with
//
//   n·P[X >= t]         <= 2^-60   X: colluding among the g - 1 neighbours, hypergeometric: they alone have no secret
//   n·P[Y >= g - t]     <= 2^-16   Y: leaving among them: the round is lost otherwise, and tried anew
//   n²/2·((c+d)/n)^(g-1) <= 2^-60   the ring of honest survivors falls apart
//
// and t is the greatest such. The list of survivors counts when q = floor((n + c)/2) + 1 sites signed it: two lists
// cannot both have as many, since honest sites sign one (the active adversary of Bonawitz et al. 2017). In one group t
// = q.
#pragma once

#include <cstdint>
#include <vector>

#include "core/api/masks.h"
#include "core/base/result.h"
#include "crypto/digest.h"

namespace ote::federate {

inline constexpr std::int64_t kFewestMasked = 3;
inline constexpr std::int64_t kMostMasked = 8000;  // of more, the roster is larger than a message

struct MaskPlan {
  std::size_t sites = 0;   // n
  std::size_t group = 0;   // g, at most 255
  std::size_t needed = 0;  // t
  std::size_t quorum = 0;  // q
  bool Complete() const noexcept { return group == sites; }
};

// The same on every machine: IEEE basic operations alone. kMaskTooFew, with what would do.
Result<MaskPlan> PlanMasks(std::int64_t sites, const api::MasksSpec& spec);

// How many of `signatures`, drawn at random by who is shown them, have to be looked at to know that q of them are good:
// the least number k for which q - 1 good ones pass with probability
//
//   C(q - 1, k) / C(signatures, k) <= 2^-60 / n
//
// and never more than q, which is sure. Of 1,000 sites q is 551: 77 when all have signed, 172 when 300 have left.
std::size_t SignaturesToCheck(const MaskPlan& plan, std::size_t signatures);

class MaskGraph {
 public:
  // `seed` is the digest of all keys, so that nobody chooses who is whose neighbour.
  MaskGraph(const MaskPlan& plan, const crypto::Digest& seed);
  // The places of the group of `site`, itself among them, ascending.
  std::vector<std::size_t> Group(std::size_t site) const;

 private:
  std::size_t sites_;
  std::size_t reach_;                // neighbours on either side; 0 when all are in one group
  std::vector<std::size_t> order_;   // the ring
  std::vector<std::size_t> placed_;  // where a site stands in it
};

}  // namespace ote::federate
