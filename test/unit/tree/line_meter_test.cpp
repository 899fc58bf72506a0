#include "core/tree/line_meter.h"

#include <catch2/catch.hpp>

using ote::tree::LineMeter;
using std::chrono::milliseconds;

TEST_CASE("a line takes what its shortest round trip of late took") {
  LineMeter meter;
  CHECK(meter.Take(milliseconds(90)) == milliseconds(90));
  CHECK(meter.Take(milliseconds(20)) == milliseconds(20));
  // What comes later is somebody who was busy, as long as the short one is one of the last few.
  for (std::size_t i = 1; i < LineMeter::kWindow; ++i) {
    CHECK_FALSE(meter.Take(milliseconds(500 + static_cast<int>(i))));
  }
  // Then it is the shortest of those, and not the last of them.
  CHECK(meter.Take(milliseconds(900)) == milliseconds(501));
}

TEST_CASE("a line that trembles tells nothing, and another line begins anew") {
  LineMeter meter;
  CHECK(meter.Take(milliseconds(0)) == milliseconds(0));
  for (const int ms : {1, 1, 0, 1}) CHECK_FALSE(meter.Take(milliseconds(ms)));
  meter.Reset();
  CHECK(meter.Take(milliseconds(100)) == milliseconds(100));
  CHECK_FALSE(meter.Take(milliseconds(75)));
  CHECK(meter.Take(milliseconds(74)) == milliseconds(74));
}
