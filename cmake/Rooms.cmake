# The rooms of the house, left to right, each a static library `pgweir_<room>` that links the rooms to its
# left and nothing to its right: a call in the wrong direction does not link (see cmake/Tests.cmake), and
# tests/check_rooms.sh says the same about #include. A room without a source file is not built.

set(PGWEIR_ROOMS base wire config net pool session control admin process)

# pgweir_room(NAME MAY_USE room... NEEDS library...)
function(pgweir_room name)
  cmake_parse_arguments(PARSE_ARGV 1 room "" "" "MAY_USE;NEEDS")
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.c)
  list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/src/process/main.c)
  if(NOT sources)
    return()
  endif()
  add_library(pgweir_${name} STATIC ${sources})
  target_include_directories(pgweir_${name} PUBLIC ${CMAKE_SOURCE_DIR}/include)
  target_link_libraries(pgweir_${name} PUBLIC strict PRIVATE ${room_NEEDS})
  foreach(left IN LISTS room_MAY_USE)
    if(TARGET pgweir_${left})
      target_link_libraries(pgweir_${name} PUBLIC pgweir_${left})
    endif()
  endforeach()
endfunction()

pgweir_room(base
  NEEDS OpenSSL::Crypto Threads::Threads)
pgweir_room(wire
  MAY_USE base
  NEEDS OpenSSL::Crypto)
pgweir_room(config
  MAY_USE wire base
  NEEDS PkgConfig::inih)
pgweir_room(net
  MAY_USE wire base
  NEEDS OpenSSL::SSL PkgConfig::libevent Threads::Threads)
pgweir_room(pool
  MAY_USE net config wire base)
pgweir_room(session
  MAY_USE pool net config wire base
  NEEDS OpenSSL::Crypto)
pgweir_room(control
  MAY_USE session pool net config wire base
  NEEDS PkgConfig::libpq PkgConfig::libevent Threads::Threads ${pam})
pgweir_room(admin
  MAY_USE control session pool net config wire base
  NEEDS PkgConfig::libevent)
pgweir_room(process
  MAY_USE admin control session pool net config wire base
  NEEDS PkgConfig::libevent OpenSSL::SSL Threads::Threads)

file(GLOB main CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/process/main.c)
if(main)
  add_executable(pgweir ${main})
  target_include_directories(pgweir PRIVATE ${CMAKE_SOURCE_DIR}/include)
  target_link_libraries(pgweir PRIVATE strict PkgConfig::libevent Threads::Threads)
  foreach(room process admin control session pool net config wire base)
    if(TARGET pgweir_${room})
      target_link_libraries(pgweir PRIVATE pgweir_${room})
    endif()
  endforeach()
  set_target_properties(pgweir PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  install(TARGETS pgweir RUNTIME DESTINATION bin)
endif()
