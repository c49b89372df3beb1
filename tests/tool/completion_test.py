"""What is made from the command line itself: completion scripts, the man page."""

import pathlib
import subprocess

import pytest

from place import bare, program
from servers import ROOT

MAN = ROOT / "docs" / "man" / "jobrun.1"


def completed(tmp_path, *words):
    """What bash would offer for the last of these words."""
    script = tmp_path / "jobrun.bash"
    script.write_text(bare("completion", "bash").stdout)
    # Run as a shell would: what was typed in an array, and where the cursor is.
    asked = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _jobrun; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", asked, "bash", script, "jobrun", *words], capture_output=True, text=True,
                          timeout=30, check=True, cwd=tmp_path,
                          env={"PATH": f"{pathlib.Path(program()).parent}:/usr/bin:/bin", "HOME": str(tmp_path)})
    return done.stdout.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_take_their_scripts(tmp_path, shell):
    script = tmp_path / shell
    script.write_text(bare("completion", shell).stdout)
    assert "--lane" in script.read_text() or "-l lane" in script.read_text()
    subprocess.run([shell, "-n", script], check=True, timeout=30)


@pytest.mark.parametrize("words, offered", [
    (["ex"], ["exec", "explain"]), (["list", "--lan"], ["--lane"]), (["get", "--wat"], ["--watch"]),
    (["explain", "--contr"], ["--controller"]), (["list", "--outp"], ["--output"]),
    (["-n", "a", "completion", "--ins"], [])])
def test_bash_completes_commands_and_flags(tmp_path, words, offered):
    assert sorted(completed(tmp_path, *words)) == offered


def test_bash_completes_files(tmp_path):
    (tmp_path / "config-a").touch()
    assert completed(tmp_path, "list", "--kubeconfig", "conf") == ["config-a"]


def test_an_unknown_shell_is_told():
    done = bare("completion", "tcsh")
    assert done.returncode == 64 and "expected bash, zsh or fish" in done.stderr


def test_the_man_page_is_up_to_date():
    assert MAN.read_text() == bare("man").stdout, f"make it anew: build/release/bin/jobrun man > {MAN.relative_to(ROOT)}"


def test_the_man_page_has_every_command_and_is_well_formed():
    page = bare("man").stdout
    for command in ("exec", "work", "list", "explain", "retry", "top"):
        assert f'.SS "jobrun {command}' in page
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=page, capture_output=True, text=True,
                          timeout=30, check=True)
    assert done.stderr == ""


def test_zsh_offers_commands(tmp_path):
    """Its script defines the function and binds it, in a shell that has its completion system."""
    script = tmp_path / "jobrun.zsh"
    script.write_text(bare("completion", "zsh").stdout)
    asked = f"autoload -U compinit; compinit -u -D; source {script}; print $_comps[jobrun]; functions _jobrun | grep -c watch"
    done = subprocess.run(["zsh", "-f", "-c", asked], capture_output=True, text=True, timeout=30, check=True,
                          env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
    assert done.stdout.split()[0] == "_jobrun" and int(done.stdout.split()[1]) > 0, done


def test_fish_completes_commands_and_flags(tmp_path):
    script = tmp_path / "jobrun.fish"
    script.write_text(bare("completion", "fish").stdout)
    for typed, offered in (("jobrun ex", {"exec", "explain"}), ("jobrun list --lan", {"--lane"})):
        done = subprocess.run(["fish", "--no-config", "-c", f"source {script}; complete -C '{typed}'"], text=True,
                              capture_output=True, timeout=30, check=True,
                              env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
        assert {line.split("\t")[0] for line in done.stdout.splitlines()} == offered, done
