# How every target of ote is compiled: language, warnings, sanitizers, and the helper that defines libraries.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

# All code goes into programs, none into shared libraries: one code model, so that one precompiled header fits all.
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
add_compile_options(-fPIE)
add_link_options(-pie -Wl,-z,relro,-z,now)

# Dev keeps assertions and line numbers and builds quickly; the kernels of core/learn are optimised in it too. -Og takes
# no longer than -O0 with GCC and makes programs of half the size. What sanitizers put into code that is not optimised at
# all makes whole runs three times as slow.
set(CMAKE_CXX_FLAGS_DEV "-g1 -Og")
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Dev CACHE STRING "Build type" FORCE)
endif()
# What a program does not use is left out of it. Sanitizers keep tables of their own that this would cut.
if(NOT OTE_SANITIZE)
  add_compile_options(-ffunction-sections -fdata-sections)
  add_link_options(-Wl,--gc-sections)
  # Templates leave many functions that are the same: gold keeps one of each, a fifth of a program that is not optimised.
  find_program(OTE_GOLD ld.gold)
  if(OTE_GOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_link_options(-fuse-ld=gold -Wl,--icf=safe)
  endif()
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
  add_link_options(-Wl,-s)
endif()

add_library(ote_flags INTERFACE)
target_compile_options(ote_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
                       -Wnon-virtual-dtor -Wold-style-cast -Werror -fno-strict-aliasing -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports false positives of these in the standard library's own inlined code at -O1 and above.
  target_compile_options(ote_flags INTERFACE -Wno-restrict -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-array-bounds
                         -Wno-stringop-overread -Wno-dangling-pointer)
endif()
target_include_directories(ote_flags INTERFACE ${CMAKE_SOURCE_DIR})
if(OTE_SANITIZE)
  add_compile_options(-fsanitize=${OTE_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${OTE_SANITIZE})
  if(OTE_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()
if(OTE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(tl-expected REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(PkgConfig REQUIRED)
include(OtePrecompile)

# ote_library(NAME [LINK targets...] [PRIVATE_LINK targets...] [EXCLUDE regexes...]): a static library of all sources in
# the calling folder and below it.
function(ote_library name)
  cmake_parse_arguments(ARG "" "" "LINK;PRIVATE_LINK;EXCLUDE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  foreach(pattern ${ARG_EXCLUDE})
    list(FILTER sources EXCLUDE REGEX ${pattern})
  endforeach()
  if(NOT sources)
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ote_flags ${ARG_LINK})
    return()
  endif()
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC ote_flags fmt::fmt tl::expected nlohmann_json::nlohmann_json ${ARG_LINK}
                        PRIVATE ${ARG_PRIVATE_LINK})
  ote_precompile(${name} ote_pch)
endfunction()
