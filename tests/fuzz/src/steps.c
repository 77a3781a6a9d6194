/* How many edges the instrumented code has gone along. In C, because it must not be instrumented itself. The fuzzer has a
   callback of this name that only warns; the linker is told to call this one. */
static unsigned long steps;

void __wrap___sanitizer_cov_trace_pc(void) { steps += 1; }

unsigned long fuzz_steps(void) { return steps; }
