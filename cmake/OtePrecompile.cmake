# What makes a rebuild short: ccache and precompiled headers, set up so that the one does not defeat the other.
find_program(OTE_CCACHE ccache)
if(OTE_CCACHE)
  # The working folder stays out of the key, so that another clone of the same sources hits the same entries.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${OTE_CCACHE})
endif()

# Sources with flags of their own (an instruction set, say) cannot use a precompiled header: give them the property
# SKIP_PRECOMPILE_HEADERS.
if(OTE_PCH)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Without it ccache cannot see that a source depends on the precompiled header.
    target_compile_options(ote_flags INTERFACE -fpch-preprocess)
  else()
    # Or a header that was made anew with the same content would count as another one.
    target_compile_options(ote_flags INTERFACE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
endif()

# ote_precompiled(NAME [LINK targets...] HEADERS headers...): a precompiled header that other targets share.
function(ote_precompiled name)
  cmake_parse_arguments(ARG "" "" "LINK;HEADERS" ${ARGN})
  if(NOT OTE_PCH)
    return()
  endif()
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/pch/${name}.cpp CONTENT "// Holds a precompiled header.\n")
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/pch/${name}.cpp)
  target_link_libraries(${name} PUBLIC ote_flags fmt::fmt tl::expected nlohmann_json::nlohmann_json ${ARG_LINK})
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
endfunction()

# ote_precompile(TARGET HEADER): compiles TARGET with the shared precompiled HEADER.
function(ote_precompile target header)
  if(OTE_PCH)
    target_precompile_headers(${target} REUSE_FROM ${header})
  endif()
endfunction()

set(ote_common_headers <algorithm> <array> <chrono> <cstdint> <filesystem> <functional> <map> <memory> <optional> <span>
    <string> <string_view> <variant> <vector> <fmt/format.h> <nlohmann/json.hpp> <tl/expected.hpp>)
ote_precompiled(ote_pch HEADERS ${ote_common_headers})
