// jobrun-controller: command line in, exit code out; app/program.h has the rest.
#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <string>
#include <variant>

#include "controller/app/flags.h"
#include "controller/app/metric_table.h"
#include "controller/app/program.h"

namespace {

void Print(std::FILE* to, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), to);
  std::fflush(to);
}

int Main(int argc, const char* const* argv) {
  const auto parsed = jobrun::ParseFlags(argc, argv);
  if (const auto* exit = std::get_if<jobrun::EarlyExit>(&parsed)) {
    Print(exit->code == jobrun::kExitStopped ? stdout : stderr, exit->text);
    return exit->code;
  }
  const auto& flags = std::get<jobrun::Flags>(parsed);
  if (flags.print_metrics_doc) {
    Print(stdout, jobrun::MetricsDocument());
    return jobrun::kExitStopped;
  }
  return jobrun::RunController(flags);
}

}  // namespace

int main(int argc, char** argv) {
  // One heap for all threads. With one each, pages of a list that cpprestsdk's threads read and
  // this one frees leave tens of megabytes behind; nobody here allocates so often as to wait for
  // another.
  mallopt(M_ARENA_MAX, 1);
  int code = jobrun::kExitInternal;
  try {
    code = Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "jobrun-controller: %s\n", error.what());
  }
  // Not exit(): cpprestsdk's static destructors join threads and have crashed.
  _exit(code);
}
