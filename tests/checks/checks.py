#!/usr/bin/env python3
"""Holds the tree to its structure: layering, one place for clocks, few heavy files, lengths, one type per name.

And docs/behaviours.md and the table of faults in docs/safety.md to the tests: every row names some, and each that it
names exists.

Prints one line per violation, `path:line: what`, and exits 1 when there is any.
"""
import argparse
import pathlib
import re
import subprocess
import sys

# Who may include whom; a layer may always include itself.
LAYERS = {
    'base': [],
    'model': ['base'],
    'wire': ['base', 'model'],
    'verdict': ['base', 'model'],
    'watch': ['base', 'model', 'wire'],
    'engine': ['base', 'model', 'wire', 'watch', 'verdict'],
    'kube': ['base', 'model', 'wire'],
    'app': ['base', 'model', 'wire', 'watch', 'verdict', 'engine', 'kube'],
    # The folders of worker/: never the engine.
    'session': ['base', 'model', 'wire', 'watch'],
    'process': ['base'],
    'cli': ['base', 'model', 'wire', 'verdict', 'watch', 'kube', 'session', 'process'],
}
# Where a library may be seen at all.
LIBRARIES = {
    r'boost/|cpprest/|openssl/|pplx/': ['kube', 'app'],
    r'cpprest/|pplx/': ['kube'],
    r'simdjson': ['wire'],
    r'yaml-cpp/': ['kube', 'app', 'cli'],
    r'prometheus/|spdlog/': ['app'],
    r'CLI/': ['app', 'cli'],
    r'nlohmann/': ['cli'],
    r'(thread|mutex|shared_mutex|condition_variable|atomic|future)>': ['kube', 'app'],
    r'(sys/|netinet/|arpa/|netdb|poll\.h|unistd\.h)': ['kube', 'app', 'process', 'cli'],
}
CLOCK_FILE, FAKED_CLOCK_FILE = 'controller/base/real_clock.cc', 'tests/e2e/wall_clock.cc'
CLOCKS = re.compile(r'system_clock::now|steady_clock::now|high_resolution_clock|\bsleep_(for|until)\b|\bs?rand\(|'
                    r'random_device|clock_gettime|gettimeofday|\btime\((nullptr|NULL|0)\)')
MUTANTS = 'tests/mutants'
BEHAVIOURS = 'docs/behaviours.md'
FAULTS, FAULTS_HEAD, FAULTS_COUNT = 'docs/safety.md', '## Every fault and its test', 66
SHARED_MODULES = 'tests/kube/'
SIMULATED = 'tests/simulation/faults.h'
NOT_TESTED = 'not tested'
BEAST_FILES_MAX = 6
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 5
NOT_A_FUNCTION = re.compile(r'^\s*(if|for|while|switch|catch|else|do|namespace|class|struct|enum|union|extern)\b')


def without_comments(text):
    """The same text, line for line, with comments and literals blanked."""
    pattern = r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\''
    return re.sub(pattern, lambda m: re.sub(r'[^\n]', ' ', m.group()), text, flags=re.S)


def includes(text):
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#include\s+([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match.group(2), match.group(1) == '<'


def check_layers(path, text):
    layer = path.split('/')[1] if path.count('/') >= 2 else None
    if not path.startswith(('controller/', 'worker/')) or layer not in LAYERS:
        return
    for number, name, is_system in includes(text):
        match = re.match(r'(?:controller|worker)/(\w+)/', name)
        if match and match.group(1) != layer and match.group(1) not in LAYERS[layer]:
            yield number, f'{layer} must not include {name}: dependencies point down only'
        if name.startswith('tests/') or (name.startswith('worker/') and path.startswith('controller/')):
            yield number, f'{path.split("/")[0]} must not include {name}'
        for pattern, homes in LIBRARIES.items():
            if re.match(pattern, name + ('>' if is_system else '')) and layer not in homes:
                yield number, f'{name} may be included in {" and ".join(homes)} only'


def check_clocks(path, code):
    if path in (CLOCK_FILE, FAKED_CLOCK_FILE):
        return
    for number, line in enumerate(code.splitlines(), 1):
        if CLOCKS.search(line):
            yield number, f'clocks, sleep and randomness of the machine belong in {CLOCK_FILE}'


def functions(code):
    """(first line, last line, parameters) of every function body, by matching braces."""
    stack, since = [], 0
    line_of = lambda offset: code.count('\n', 0, offset) + 1
    for match in re.finditer(r'[{};]', code):
        at = match.start()
        if match.group() == '{':
            head = code[since:at]
            opens = re.search(r'[\w>\])~=]\s*\((.*)\)[^()]*$', head, flags=re.S)
            is_function = (opens and not NOT_A_FUNCTION.match(head.strip() or ' ') and '=' not in head.split('(')[0]
                           and not any(kind == 'function' for kind, *_ in stack))
            start = since + len(head) - len(head.lstrip())
            stack.append(('function' if is_function else 'block', start, opens.group(1) if is_function else ''))
        elif match.group() == '}' and stack:
            kind, start, parameters = stack.pop()
            if kind == 'function':
                yield line_of(start), line_of(at), parameters
        since = at + 1


def count_parameters(parameters):
    depth, count = 0, 1 if parameters.strip() else 0
    for char in re.split(r'\)\s*(?:noexcept\s*)?:(?!:)', parameters)[0]:
        if char in '<({[':
            depth += 1
        elif char in '>)}]':
            depth -= 1
        elif char == ',' and depth == 0:
            count += 1
    return count


def check_lengths(path, text, code):
    lines = text.count('\n')
    if lines > FILE_LINES_MAX:
        yield 1, f'{lines} lines; at most {FILE_LINES_MAX}'
    if not path.endswith(('.cc', '.h')):
        return
    for first, last, parameters in functions(code):
        if last - first + 1 > FUNCTION_LINES_MAX:
            yield first, f'a function of {last - first + 1} lines; at most {FUNCTION_LINES_MAX}'
        if count_parameters(parameters) > PARAMETERS_MAX:
            yield first, f'{count_parameters(parameters)} parameters; at most {PARAMETERS_MAX}, then an options struct'


TYPE_HEAD = re.compile(r'(?:^|[\s>])(?:class|struct|union|enum)\s+(?:(?:class|struct)\s+)?(?:\[\[[^\]]*\]\]\s*)*'
                       r'(\w+)(?:\s+final)?\s*(?::(?!:).*)?$', flags=re.S)
NAMESPACE_HEAD = re.compile(r'\bnamespace\b\s*([\w:]*)\s*$')


def types(code):
    """(line, qualified name) of every type that is defined at the scope of a namespace with a name."""
    scopes, since = [], 0  # Of each open brace: the namespace's name, or None for whatever has no linkage outside.
    code = re.sub(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', lambda m: re.sub(r'[^\n]', ' ', m.group()), code, flags=re.M)
    for match in re.finditer(r'[{};]', code):
        head, at = code[since:match.start()], match.start()
        if match.group() == '{':
            space, kind = NAMESPACE_HEAD.search(head), TYPE_HEAD.search(head)
            if kind and None not in scopes:
                yield code.count('\n', 0, at) + 1, '::'.join([*scopes, kind.group(1)])
            scopes.append(space.group(1) or None if space else None)
        elif match.group() == '}' and scopes:
            scopes.pop()
        since = at + 1


def check_names(codes):
    """Two types with one name are one type for the linker, whoever includes which header."""
    first = {}
    for path, code in codes.items():
        for line, name in types(code):
            if first.setdefault(name, path) != path:
                yield f'{path}:{line}: {name} is also defined in {first[name]}: rename one, or put it in an anonymous namespace'


def check_modules(paths):
    """The modules of tests/kube are imported from everywhere: another of the same name hides one of the two."""
    shared = {pathlib.PurePath(path).name for path in paths if path.startswith(SHARED_MODULES)}
    shared -= {name for name in shared if name == 'conftest.py' or name.endswith('_test.py')}
    for path in paths:
        name = pathlib.PurePath(path).name
        if path.endswith('.py') and not path.startswith(SHARED_MODULES) and name in shared:
            yield f'{path}:1: {SHARED_MODULES}{name} has this name, and everybody imports that: rename this one'


def has_test(text, name):
    suite, _, case = name.rpartition('.')
    cc = rf'\bTEST(?:_F|_P)?\({suite}, {case}\)'
    return re.search(cc if suite else rf'^ *def {name}\(', text, flags=re.M)


def check_behaviours(root):
    """Rows are `| sentence | `file`: `test`, `test`; `file`: `test` |`. Each names tests, and each test is in its file."""
    path = root / BEHAVIOURS
    lines = path.read_text(encoding='utf-8').splitlines() if path.is_file() else []
    rows = [(number, line.split('|')) for number, line in enumerate(lines, 1) if line.startswith('|')]
    for number, cells in rows[2:]:
        text, tests = '', 0
        for name in re.findall(r'`([^`]+)`', cells[2]):
            if name.endswith(('.cc', '.py')):
                text = (root / name).read_text(encoding='utf-8') if (root / name).is_file() else ''
                continue
            tests += 1
            if not has_test(text, name):
                yield f'{BEHAVIOURS}:{number}: there is no test {name}'
        if not tests:
            yield f'{BEHAVIOURS}:{number}: names no test'


def tests_by_name(root):
    """Every name that the table of faults may use: SUITE.CASE, FILE::FUNCTION, and the actions of the simulation."""
    names = set()
    for path in sorted((root / 'tests').rglob('*_test.*')):
        text = path.read_text(encoding='utf-8')
        names.update(f'{suite}.{case}' for suite, case in re.findall(r'\bTEST(?:_F|_P)?\((\w+), (\w+)\)', text))
        names.update(f'{path.name}::{name}' for name in re.findall(r'^def (test_\w+)\(', text, flags=re.M))
    actions = root / SIMULATED
    return names | set(re.findall(r'"([a-z-]+)"', actions.read_text(encoding='utf-8')) if actions.is_file() else ())


def check_faults(root):
    """Rows are `| number | fault | `test`… | `action`… | `test`… |`, numbered without a gap. Each names tests that exist, or
    says that there is none."""
    path = root / FAULTS
    if not path.is_file():
        return
    text = path.read_text(encoding='utf-8')
    before, _, section = text.partition(FAULTS_HEAD + '\n')
    first, known, number = before.count('\n') + 2, tests_by_name(root), 0
    for at, line in enumerate(section.split('\n## ')[0].splitlines(), first):
        row = re.match(r'\| (\d+) \|[^|]*\|(.*)', line)
        if not row:
            continue
        number += 1
        if int(row.group(1)) != number:
            yield f'{FAULTS}:{at}: row {row.group(1)} comes where {number} should'
        names = re.findall(r'`([^`]+)`', row.group(2))
        for name in names:
            if name not in known:
                yield f'{FAULTS}:{at}: there is no test {name}'
        if bool(names) == (NOT_TESTED in row.group(2)):
            yield f'{FAULTS}:{at}: names tests, or says "{NOT_TESTED}"'
    if number != FAULTS_COUNT:
        yield f'{FAULTS}:{first}: {number} faults; there are {FAULTS_COUNT}'


def check_mutants(root):
    """Each patch still applies: one that has gone stale proves nothing when ./dev mutants is run at last."""
    for path in sorted((root / MUTANTS).glob('*.patch')):
        done = subprocess.run(['git', 'apply', '--check', '--whitespace=nowarn', str(path)], cwd=root, capture_output=True)
        if done.returncode:
            yield f'{path.relative_to(root)}:1: the patch does not apply; make it anew'


def violations(root, paths):
    beast, codes = [], {}
    for path in paths:
        text = (root / path).read_text(encoding='utf-8')
        code = without_comments(text)
        found = list(check_lengths(path, text, code))
        if path.endswith(('.cc', '.h')):
            if path.startswith(('controller/', 'worker/')):
                codes[path] = code
            found += [*check_layers(path, text), *check_clocks(path, code)]
            if path.startswith('controller/') and path.endswith('.cc') and 'boost/beast' in text:
                beast.append(path)
        for line, what in found:
            yield f'{path}:{line}: {what}'
    yield from check_names(codes)
    yield from check_modules(paths)
    yield from check_behaviours(root)
    yield from check_faults(root)
    yield from check_mutants(root)
    if len(beast) > BEAST_FILES_MAX:
        yield f'{beast[0]}:1: {len(beast)} files include Boost.Beast; at most {BEAST_FILES_MAX}: {" ".join(beast)}'


def tracked(root):
    out = subprocess.run(['git', 'ls-files', '--cached', '--others', '--exclude-standard', '*.cc', '*.h', '*.py', '*.sh',
                          'dev'], cwd=root, capture_output=True, text=True, check=True).stdout
    return [path for path in out.splitlines() if (root / path).is_file()]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--root', type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    root = parser.parse_args().root
    found = list(violations(root, tracked(root)))
    print('\n'.join(found) or 'structure: nothing found')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
