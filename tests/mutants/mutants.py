#!/usr/bin/env python3
"""Breaks each guard on purpose and sees that the tests named for it turn red.

A mutant is a patch NAME.patch in this folder. Above the diff it says, a line each:
  guard: what the broken code was there for
  tests: PROGRAM:GTEST_FILTER …   each of them must fail once the patch is applied

The tree is copied to build/mutants, so that nothing here is touched. Exit 1 when a patch does not apply or build,
when a named test is missing or red before the patch, or when one stays green with it.
"""
import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
WORK = ROOT / 'build' / 'mutants'
SOURCE, BUILD = WORK / 'source', WORK / 'build'
BUILD_SECONDS_MAX = 900
TEST_SECONDS_MAX = 120


class Mutant:
    def __init__(self, path):
        self.path, self.name = path, path.stem
        header = path.read_text(encoding='utf-8').split('\n--- ')[0]
        guard = re.search(r'^guard: (.+)$', header, re.M)
        tests = re.search(r'^tests: (.+)$', header, re.M)
        if not guard or not tests:
            sys.exit(f'{path}: expected the lines "guard: …" and "tests: PROGRAM:FILTER …" above the diff')
        self.guard = guard.group(1)
        self.tests = [test.split(':', 1) for test in tests.group(1).split()]


def run(*command, seconds=BUILD_SECONDS_MAX, cwd=SOURCE):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False)


def copy_tree():
    """The tree as git sees it, uncommitted changes included; unchanged files keep their time."""
    SOURCE.mkdir(parents=True, exist_ok=True)
    names = run('git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard', cwd=ROOT).stdout.split('\0')
    kept = set()
    for name in filter(None, names):
        origin, copy = ROOT / name, SOURCE / name
        if not origin.is_file():
            continue
        kept.add(copy)
        if not copy.exists() or copy.read_bytes() != origin.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(origin.read_bytes())
            copy.chmod(origin.stat().st_mode)
    for copy in SOURCE.rglob('*'):
        if copy.is_file() and copy not in kept:
            copy.unlink()


def build(programs):
    if not (BUILD / 'build.ninja').exists():
        done = run('cmake', '-S', str(SOURCE), '-B', str(BUILD), '-G', 'Ninja', '-DCMAKE_BUILD_TYPE=Debug',
                   '-DCMAKE_CXX_FLAGS_DEBUG=-O0', '-DJOBRUN_BENCH=OFF')
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
    done = run('cmake', '--build', str(BUILD), '--target', *sorted(programs))
    return done.returncode == 0, done.stdout[-3000:]


def passes(program, pattern):
    """(ran any test, all passed)"""
    try:
        done = run(str(BUILD / 'bin' / program), f'--gtest_filter={pattern}', seconds=TEST_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return True, False
    ran = re.search(r'Running (\d+) tests? from', done.stdout)
    return bool(ran) and int(ran.group(1)) > 0, done.returncode == 0


def judge(mutant):
    """Applies, builds and runs one mutant; returns what is wrong, or nothing."""
    applied = run('git', 'apply', '--whitespace=nowarn', str(mutant.path))
    if applied.returncode:
        return ['does not apply: ' + applied.stderr.strip()]
    try:
        built, output = build({program for program, _ in mutant.tests})
        if not built:
            return ['does not build:\n' + output]
        return [f'{program}:{pattern} stayed green' for program, pattern in mutant.tests if passes(program, pattern)[1]]
    finally:
        run('git', 'apply', '-R', '--whitespace=nowarn', str(mutant.path))


def check_green(mutants):
    """Every named test exists and passes without any mutant."""
    built, output = build({program for mutant in mutants for program, _ in mutant.tests})
    if not built:
        sys.exit('the tree does not build:\n' + output)
    wrong = []
    for mutant in mutants:
        for program, pattern in mutant.tests:
            ran, passed = passes(program, pattern)
            if not ran or not passed:
                wrong.append(f'{mutant.name}: {program}:{pattern} {"is red" if ran else "matches no test"} without the mutant')
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', help='mutants to try; all without one')
    names = parser.parse_args().names
    mutants = [Mutant(path) for path in sorted(HERE.glob('*.patch')) if not names or path.stem in names]
    if not mutants:
        sys.exit('no such mutant')
    copy_tree()
    wrong = check_green(mutants)
    for mutant in mutants:
        found = judge(mutant)
        wrong += [f'{mutant.name}: {what}' for what in found]
        print(f'{"survived" if found else "killed  "}  {mutant.name}: {mutant.guard}', flush=True)
    print('\n'.join(wrong))
    print(f'mutants: {len(mutants)} tried, {"all killed" if not wrong else f"{len(wrong)} problems"}')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
