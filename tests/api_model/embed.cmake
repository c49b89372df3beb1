# Writes a C++ file with two YAML files as strings. Run with cmake -P; see CMakeLists.txt.
# A string literal may be limited to 64 KiB by a compiler: they are written in pieces.
function(as_literals file result)
  file(READ ${file} text)
  string(LENGTH "${text}" length)
  set(literals "")
  set(at 0)
  while(at LESS length)
    string(SUBSTRING "${text}" ${at} 8000 piece)
    string(APPEND literals "    R\"yaml(${piece})yaml\"\n")
    math(EXPR at "${at} + 8000")
  endwhile()
  set(${result} "${literals}" PARENT_SCOPE)
endfunction()

as_literals(${CRD} crd)
as_literals(${BUILTIN} builtin)
file(WRITE ${OUTPUT} "#include \"tests/api_model/resource_type.h\"

namespace jobrun::api_model {

const std::string& EmbeddedCrd() {
  static const std::string kText =
${crd}      ;
  return kText;
}

const std::string& EmbeddedBuiltinTypes() {
  static const std::string kText =
${builtin}      ;
  return kText;
}

}  // namespace jobrun::api_model
")
