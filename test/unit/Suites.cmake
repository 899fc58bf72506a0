# One main for all suites, and one precompiled Catch2.
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/test_main.cpp
     CONTENT "#define CATCH_CONFIG_MAIN\n#include <catch2/catch.hpp>\n")
add_library(ote_test_main STATIC ${CMAKE_BINARY_DIR}/test_main.cpp)
target_link_libraries(ote_test_main PUBLIC Catch2::Catch2)
target_compile_definitions(ote_test_main PUBLIC CATCH_CONFIG_ENABLE_OPTIONAL_STRINGMAKER)
ote_precompiled(ote_test_pch LINK Catch2::Catch2 HEADERS ${ote_common_headers} <catch2/catch.hpp>)
if(TARGET ote_test_pch)
  target_compile_definitions(ote_test_pch PRIVATE CATCH_CONFIG_ENABLE_OPTIONAL_STRINGMAKER)
endif()

# OTE_SOURCE_DIR, for tests that read files of the repository. In a header and not on the command line, so that in another
# clone ccache misses only the sources that use it.
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/test_source_dir.h CONTENT "#define OTE_SOURCE_DIR \"${CMAKE_SOURCE_DIR}\"\n")

# Of libraries that were built without it ThreadSanitizer sees what they write, and not how they hand it over.
set(tsan_options "suppressions=${CMAKE_SOURCE_DIR}/test/tsan.supp ignore_noninstrumented_modules=1")

# ote_suite(ROOM libraries...): the suite of test/unit/ROOM, one program and one ctest entry.
function(ote_suite room)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${room}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(test_${room} ${sources})
  target_link_libraries(test_${room} PRIVATE ${ARGN} ote_test_main ote_flags)
  target_compile_options(test_${room} PRIVATE "SHELL:-include ${CMAKE_BINARY_DIR}/test_source_dir.h")
  ote_precompile(test_${room} ote_test_pch)
  add_test(NAME ${ote_test_prefix}unit.${room} COMMAND test_${room})
  set_tests_properties(${ote_test_prefix}unit.${room} PROPERTIES TIMEOUT 600 LABELS unit
                       ENVIRONMENT "UBSAN_OPTIONS=print_stacktrace=1;TSAN_OPTIONS=${tsan_options}")
endfunction()

ote_suite(base ote_base)
ote_suite(crypto ote_crypto)
ote_suite(api ote_api)
ote_suite(tree ote_tree)
ote_suite(parcel ote_parcel)
ote_suite(wire ote_wire)
ote_suite(store ote_store)
ote_suite(bundle ote_bundle)
ote_suite(learn ote_learn)
ote_suite(federate ote_federate)
ote_suite(record ote_record)
ote_suite(simulate ote_simulate)
ote_suite(site ote_site)
ote_suite(agent ote_agent_lib)
# The supervisors of the process shim are the agent's own program.
if(TARGET test_agent AND TARGET ote-agent)
  add_dependencies(test_agent ote-agent)
endif()
ote_suite(cli ote_cli)
