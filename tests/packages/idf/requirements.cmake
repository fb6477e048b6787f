# Stand-in for ESP-IDF's first pass: in script mode every component says what it requires, and nothing after that is run.
set(CMAKE_BUILD_EARLY_EXPANSION 1)
macro(idf_component_register)
  set(registered ON)
  return()
endmacro()

function(first_pass)
  include("${FOLDER}/CMakeLists.txt")
  if(NOT registered)
    message(FATAL_ERROR "the component did not register")
  endif()
endfunction()

first_pass()
