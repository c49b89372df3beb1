"""Bad input: one clear line that names what, where and what to do, and the documented exit code. Needs no server."""

import os

import pytest

from controller import Controller, run_to_its_end
from gate import write_kubeconfig

USAGE, CREDENTIALS = 2, 4
NOBODY = "http://127.0.0.1:9"  # The discard port: nothing here listens on it.


@pytest.mark.parametrize("arguments,said", [
    (["--kubeconfg", "x"], ["unknown flag --kubeconfg", "--kubeconfig"]),
    (["--frobnicate"], ["unknown flag --frobnicate", "--help"]),
    (["serve"], ["unexpected argument serve"]),
    (["--config"], ["--config", "expected a value"]),
    (["--log-level", "loud"], ["--log-level", "debug, info, warn or error", "loud"]),
    (["--namespace", "No_Such"], ["--namespace", "No_Such"]),
    (["--metrics-bind-address", "8080"], ["--metrics-bind-address", "8080"]),
])
def test_usage(arguments, said):
    refused(USAGE, said, *arguments)


@pytest.mark.parametrize("text,said", [
    (None, ["config.yaml", "No such file"]),
    ("lanes: [", ["config.yaml:1:"]),
    ("reaping: Enabled\nlanes:\n  etl: {deadlineSecond: 5}\n",
     ["config.yaml:3:9", "lanes.etl", "deadlineSecond", "deadlineSeconds"]),
    ("reapin: Enabled\n", ["config.yaml:1:1", "reapin", "reaping"]),
    ("reaping: Enabled\nreaping: Disabled\n", ["config.yaml:2:1", "reaping"]),
    ("- a\n- b\n", ["config.yaml:1:1", "expected a mapping"]),
])
def test_configuration_that_can_not_be_trusted(tmp_path, text, said):
    path = tmp_path / "config.yaml"
    if text is not None:
        path.write_text(text)
    refused(USAGE, said, "--config", path, "--kubeconfig", write_kubeconfig(tmp_path / "kubeconfig", NOBODY))


@pytest.mark.parametrize("text,said", [
    ("reaping: Perhaps\n", ["config.yaml:1:10", "reaping", "Enabled", "Perhaps", "the built-in default is used"]),
    ("rateLimit: {burst: many}\n", ["config.yaml:1:20", "rateLimit.burst", "many", "the built-in default is used"]),
    ("lanes: {etl: {deadlineSeconds: 0}}\n", ["config.yaml:1:32", "lanes.etl.deadlineSeconds", "0", "lane etl is held"]),
])
def test_bad_value_is_a_warning(tmp_path, text, said):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", NOBODY)
    controller = Controller(tmp_path / "log", kubeconfig, "--config", path).start()
    try:
        line, = controller.lines(" warn ")
        assert all(part in line for part in said), line
        if "held" in said[-1]:
            assert "held lanes: etl" in controller.page("/readyz?verbose")[1]
    finally:
        controller.kill()


@pytest.mark.parametrize("text,said", [
    (None, ["no such file", "--kubeconfig", "$KUBECONFIG"]),
    ("{", ["kubeconfig"]),
    ("apiVersion: v1\nkind: Config\n", ["current-context"]),
    ('{"current-context": "a", "contexts": [{"name": "b", "context": {}}]}', ["the context", "there are: b"]),
    ('{"current-context": "a", "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],'
     ' "clusters": [{"name": "c", "cluster": {"server": "ftp://x"}}], "users": [{"name": "u", "user": {}}]}', ["ftp://x"]),
    ('{"current-context": "a", "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],'
     ' "clusters": [{"name": "c", "cluster": {"server": "https://x", "certificate-authority": "/no/ca.crt"}}],'
     ' "users": [{"name": "u", "user": {}}]}', ["/no/ca.crt", "No such file"]),
], ids=["missing", "malformed", "empty", "dangling", "scheme", "ca"])
def test_credentials(tmp_path, text, said):
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    refused(CREDENTIALS, [str(path), *said], "--kubeconfig", path)


EXEC = {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin", "interactiveMode": "Never",
        "installHint": "Get it from the shop."}


@pytest.mark.parametrize("exec_,said", [
    ({}, ["the credential plugin no-such-plugin", "No such file or directory", "is it installed?: Get it from the shop."]),
    ({"command": "true"}, ["the credential plugin true", "what it printed (0 bytes) can't be used", "one JSON object"]),
    ({"command": "false"}, ["the credential plugin false", "exit code 1"]),
    ({"command": "true", "interactiveMode": "Always"}, ["interactiveMode: Always", "standard input is no terminal"]),
    ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, ["line 1", "apiVersion", "client.authentication.k8s.io/v1beta1"]),
], ids=["missing", "silent", "failing", "asking", "version"])
def test_credential_plugin(tmp_path, exec_, said):
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, NOBODY.replace("http", "https"), user={"exec": {**EXEC, **exec_}})
    refused(CREDENTIALS, [str(path), r'user \"test\"', *said], "--kubeconfig", path)


def test_proxy_that_can_not_be_used(tmp_path):
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, "https://api.invalid", {"proxy-url": "https://me:secret@proxy"})
    refused(CREDENTIALS, [str(path), "proxy-url", "https://…@proxy", "is not supported", "http://proxy:3128"],
            "--kubeconfig", path)
    write_kubeconfig(path, "https://api.invalid")
    refused(CREDENTIALS, ["$https_proxy", "ftp://proxy", "http://proxy:3128"], "--kubeconfig", path,
            environment={**os.environ, "HTTPS_PROXY": "", "https_proxy": "ftp://proxy"})


def test_no_credentials_at_all(tmp_path):
    nothing = {key: value for key, value in os.environ.items() if not key.startswith("KUBE")}
    refused(CREDENTIALS, ["--kubeconfig", "$KUBECONFIG"], environment={**nothing, "HOME": str(tmp_path)})


@pytest.mark.parametrize("scheme,cluster,added,said", [
    ("https", {"insecure-skip-tls-verify": True}, "", ["insecure-skip-tls-verify", "test", "certificate-authority"]),
    ("http", {}, "", ["is not https"]),
    ("https", {}, "\n---\nkind: Config\n", ["line 2", "not read"]),
])
def test_doubtful_credentials_are_a_warning(tmp_path, scheme, cluster, added, said):
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, NOBODY.replace("http", scheme), cluster, {"token": "secret"})
    path.write_text(path.read_text() + added)
    controller = Controller(tmp_path / "log", path).start()
    try:
        line, = controller.lines(" warn ")
        assert all(part in line for part in [str(path) if added else "credentials", *said]), line
        assert "secret" not in controller.log
    finally:
        controller.kill()


def test_address_that_is_taken(tmp_path):
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", NOBODY)
    first = Controller(tmp_path / "log", kubeconfig).start()
    try:
        address = first.metrics_address
        refused(USAGE, ["can't serve", "listen on", address], "--kubeconfig", kubeconfig, "--metrics-bind-address", address,
                "--health-probe-bind-address", "127.0.0.1:0")
    finally:
        first.kill()


def test_help_and_version_are_no_errors():
    for flag in ("--help", "--version"):
        assert run_to_its_end(flag) == (0, "")


def refused(code, said, *arguments, environment=None):
    """The program ends with this code, and one of its lines is a complaint, which has all these parts."""
    found, stderr = run_to_its_end(*arguments, environment=environment)
    complaints = [line for line in stderr.splitlines() if " info " not in line]
    assert (found, len(complaints)) == (code, 1), stderr
    for part in said:
        assert part in complaints[0], complaints[0]
