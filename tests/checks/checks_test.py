"""The structure checks must be able to fail: each is shown one tree that breaks it and one that does not."""
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent


def run(tmp_path, files):
    subprocess.run(['git', 'init', '-q', str(tmp_path)], check=True)
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = subprocess.run([sys.executable, str(HERE / 'checks.py'), '--root', str(tmp_path)], capture_output=True, text=True)
    return done.returncode, done.stdout


BAD = {
    'upward include': ('controller/model/a.h', '#include "controller/engine/store.h"\n', 'must not include'),
    'tests from the controller': ('controller/app/a.h', '#include "tests/x.h"\n', 'must not include'),
    'a lock in the engine': ('controller/engine/a.h', '#include <mutex>\n', 'kube and app only'),
    'a socket library in the engine': ('controller/engine/a.h', '#include <boost/asio.hpp>\n', 'only'),
    'a clock': ('controller/engine/a.cc', 'auto t = std::chrono::steady_clock::now();\n', 'real_clock.cc'),
    'a sleep in a test': ('tests/a_test.cc', 'std::this_thread::sleep_for(x);\n', 'real_clock.cc'),
    'a long file': ('controller/app/a.cc', '\n' * 401, '401 lines'),
    'a long function': ('controller/app/a.cc', 'int F(int a) {\n' + '  g();\n' * 69 + '}\n', 'a function of 71 lines'),
    'many parameters': ('controller/app/a.cc', 'int F(int a, int b, int c, int d, int e, int f) {\n}\n', '6 parameters'),
}
GOOD = {
    'a downward include': ('controller/engine/a.h', '#include "controller/model/phase.h"\n#include <chrono>\n'),
    'the clock file': ('controller/base/real_clock.cc', 'clock_gettime(id, &now);\n'),
    'a clock in a comment': ('controller/engine/a.cc', '// not steady_clock::now()\n'),
    'a long file, just': ('controller/app/a.cc', '\n' * 400),
    'a long function, just': ('controller/app/a.cc', 'int F(int a) {\n' + '  g();\n' * 68 + '}\n'),
    'a constructor with many members': ('controller/app/a.cc', 'A::A(int a)\n    : b_(a, 1), c_(a, 2), d_(a, 3), e_(a, 4) {\n}\n'),
    'five parameters': ('controller/app/a.cc', 'int F(std::map<int, int> a, int b, int c, int d, int e) {\n}\n'),
}


@pytest.mark.parametrize('name', BAD)
def test_finds(tmp_path, name):
    path, text, expected = BAD[name]
    code, out = run(tmp_path, {path: text})
    assert code == 1 and expected in out and out.startswith(path + ':')


@pytest.mark.parametrize('name', GOOD)
def test_passes(tmp_path, name):
    path, text = GOOD[name]
    assert run(tmp_path, {path: text}) == (0, 'structure: nothing found\n')


def test_finds_a_module_that_hides_a_shared_one(tmp_path):
    files = {f'tests/{folder}/{name}.py': '' for folder in ('kube', 'bench') for name in ('conftest', 'rest', 'run_test')}
    code, out = run(tmp_path, files)
    assert code == 1 and out.startswith('tests/bench/rest.py:1: ') and out.count('\n') == 1


def test_counts_the_heavy_files(tmp_path):
    files = {f'controller/kube/f{i}.cc': '#include <boost/beast/core.hpp>\n' for i in range(7)}
    code, out = run(tmp_path, files)
    assert code == 1 and '7 files include Boost.Beast' in out


def of_kube(text):
    return {'controller/app/a.h': 'namespace jobrun {\nstruct Reply {\n  int a;\n};\n}  // namespace jobrun\n',
            'controller/kube/a.h': text}


@pytest.mark.parametrize('text', [
    'namespace jobrun {\nstruct Reply {\n};\n}\n',
    'namespace jobrun {\nclass [[nodiscard]] Reply final : public Base<int>,\n              Other {\n};\n}\n',
    'namespace jobrun {\ntemplate <class T>\nstruct Reply {\n};\n}\n',
    'namespace jobrun {\nenum class Reply : int { kA };\n}\n',
    'namespace jobrun {\nnamespace {\nstruct Own {};\n}\nvoid F() {\n}\nunion Reply {\n};\n}\n',
])
def test_finds_two_types_of_one_name(tmp_path, text):
    code, out = run(tmp_path, of_kube(text))
    assert code == 1 and 'controller/kube/a.h:' in out and 'jobrun::Reply is also defined in controller/app/a.h' in out


@pytest.mark.parametrize('text', [
    'namespace jobrun {\nnamespace {\nstruct Reply {\n};\n}\n}\n',
    'namespace jobrun {\nclass Client {\n  struct Reply {\n  };\n};\nstruct Client::Reply {\n};\n}\n',
    'namespace jobrun {\nstruct Reply;\nReply Ask(struct Reply reply);\nvoid F() {\n  struct Reply {\n  };\n}\n}\n',
    'namespace jobrun::http {\nstruct Reply {\n};\n}\n',
    '// namespace jobrun { struct Reply {\nnamespace jobrun {\nstruct Replies {\n};\n}\n',
    'namespace jobrun {\nstruct Reply* Find() {\n}\ntemplate <>\nstruct Other<Reply> {\n};\n}\n',
])
def test_passes_types_that_are_not_one(tmp_path, text):
    assert run(tmp_path, of_kube(text)) == (0, 'structure: nothing found\n')


TEST_FILES = {'tests/a_test.cc': 'TEST(ATest, Holds) {\n}\nTEST_F(BTest, Too) {\n}\n', 'tests/b_test.py': 'def test_it(space):\n    pass\n'}
TABLE_HEAD = 'Prose with `names`.\n\n| behaviour | tests |\n|---|---|\n'


@pytest.mark.parametrize('row,complaint', [
    ('| it holds | `tests/a_test.cc`: `ATest.Holds`, `BTest.Too`; `tests/b_test.py`: `test_it` |', None),
    ('| it holds | `tests/a_test.cc`: `ATest.Hold` |', 'there is no test ATest.Hold'),
    ('| it holds | `tests/b_test.py`: `test_i` |', 'there is no test test_i'),
    ('| it holds | `tests/a_test.cc`: `ATest.Holds`, `test_it` |', 'there is no test test_it'),
    ('| it holds | `tests/c_test.cc`: `ATest.Holds` |', 'there is no test ATest.Holds'),
    ('| it holds | `tests/a_test.cc` |', 'names no test'),
    ('| it holds | |', 'names no test'),
])
def test_behaviours_name_tests_that_exist(tmp_path, row, complaint):
    code, out = run(tmp_path, {**TEST_FILES, 'docs/behaviours.md': TABLE_HEAD + row + '\n'})
    assert (code, out) == ((1, f'docs/behaviours.md:5: {complaint}\n') if complaint else (0, 'structure: nothing found\n'))


FAULTS_HEAD = 'Prose.\n\n## Every fault and its test\n\n| # | fault | unit | simulated | real |\n|---|---|---|---|---|\n'
FAULTS_TAIL = ''.join(f'| {number} | it fails | `ATest.Holds` | | |\n' for number in range(2, 67))
ACTIONS = {'tests/simulation/faults.h': 'kFaultNames = {"cut-watch",\n "pause"};\n'}


@pytest.mark.parametrize('row, complaint', [
    ('| 1 | it `fails` | `ATest.Holds` `BTest.Too` | `cut-watch` | `b_test.py::test_it` |', None),
    ('| 1 | it fails | not tested | | |', None),
    ('| 1 | it fails | `ATest.Hold` | | |', '7: there is no test ATest.Hold'),
    ('| 1 | it fails | | `cut-watches` | |', '7: there is no test cut-watches'),
    ('| 1 | it fails | | | `b_test.py::test_i` |', '7: there is no test b_test.py::test_i'),
    ('| 1 | it fails | | | |', '7: names tests, or says "not tested"'),
    ('| 1 | it fails | `ATest.Holds` | not tested | |', '7: names tests, or says "not tested"'),
    ('| 2 | it fails | `ATest.Holds` | | |', '7: row 2 comes where 1 should'),
    ('| 1 | it fails | `ATest.Holds` | | |\n| 2 | it fails too | `ATest.Holds` | | |', '9: row 2 comes where 3 should'),
    ('', '4: 65 faults; there are 66'),
])
def test_faults_name_tests_that_exist(tmp_path, row, complaint):
    code, out = run(tmp_path, {**TEST_FILES, **ACTIONS, 'docs/safety.md': FAULTS_HEAD + row + '\n' + FAULTS_TAIL})
    if complaint:
        assert code == 1 and f'docs/safety.md:{complaint}\n' in out
    else:
        assert (code, out) == (0, 'structure: nothing found\n')


PATCH = 'guard: x\ntests: a:b\n\n--- a/tests/a.txt\n+++ b/tests/a.txt\n@@ -1 +1 @@\n-kept\n+broken\n'


@pytest.mark.parametrize('text, complaint', [
    ('kept\n', None),
    ('changed since\n', 'the patch does not apply; make it anew'),
])
def test_mutants_apply(tmp_path, text, complaint):
    code, out = run(tmp_path, {'tests/a.txt': text, 'tests/mutants/m.patch': PATCH})
    assert (code, out) == ((1, f'tests/mutants/m.patch:1: {complaint}\n') if complaint else (0, 'structure: nothing found\n'))
