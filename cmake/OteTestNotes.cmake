# ote_test_note(FILE KEY OUT): the words after `KEY:` in one of the first five lines of FILE, as a list; empty when no
# line says so. Test sources tell the build there what they need, beside the code that needs it.
function(ote_test_note file key out)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(STRINGS ${file} lines LIMIT_COUNT 5)
  set(words "")
  foreach(line IN LISTS lines)
    if(line MATCHES "^(//|#) *${key}: *(.*)$")
      separate_arguments(words UNIX_COMMAND "${CMAKE_MATCH_2}")
      break()
    endif()
  endforeach()
  set(${out} "${words}" PARENT_SCOPE)
endfunction()
