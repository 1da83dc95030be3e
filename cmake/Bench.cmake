# The programs of ./dev bench: a backend that answers from memory, the load that goes through a pooler to it, and
# what times one client. They stand on the rooms base, wire and net, so they speak the protocol and TLS as pgweir does.

foreach(program fake_backend load added)
  add_executable(bench_${program} ${CMAKE_SOURCE_DIR}/bench/${program}.c)
  target_include_directories(bench_${program} PRIVATE ${CMAKE_SOURCE_DIR}/include)
  target_link_libraries(bench_${program} PRIVATE strict pgweir_net pgweir_wire pgweir_base
    PkgConfig::libevent Threads::Threads)
  set_target_properties(bench_${program} PROPERTIES
    OUTPUT_NAME ${program} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
endforeach()
target_sources(bench_load PRIVATE ${CMAKE_SOURCE_DIR}/bench/usage.c ${CMAKE_SOURCE_DIR}/bench/latency.c)

# All that a benchmark needs, without the tests.
add_custom_target(bench DEPENDS pgweir bench_fake_backend bench_load bench_added)
