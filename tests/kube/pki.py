"""Throw-away certificates for one test server, made with the openssl program. Standard library only."""

import pathlib
import subprocess

_DAYS = "7"
_SERVER_NAMES = ("DNS:localhost", "DNS:kubernetes.default.svc", "IP:127.0.0.1", "IP:::1", "IP:10.0.0.1")


def create(directory, server_names=_SERVER_NAMES):
    """Makes ca, server, admin (of system:masters) and the service account key in `directory`, when not there."""
    directory = pathlib.Path(directory)
    if (directory / "admin.crt").exists():
        return
    directory.mkdir(parents=True, exist_ok=True)
    _openssl(directory, "req", "-x509", *_new_key("ca"), "-out", "ca.crt", "-days", _DAYS, "-subj", "/CN=jobrun-test-ca")
    server(directory, "server", "/CN=kube-apiserver", server_names)
    _openssl(directory, "genrsa", "-out", "sa.key", "2048")
    client(directory, "admin", ["system:masters"])


def server(directory, name, subject, names):
    """Makes NAME.crt and NAME.key of a server that has these names, as in `DNS:localhost`; a client's too."""
    _issue(pathlib.Path(directory), name, subject, "subjectAltName=" + ",".join(names))


def client(directory, user, groups=()):
    """Makes USER.crt and USER.key, which authenticate as the user and its groups."""
    directory = pathlib.Path(directory)
    if (directory / f"{user}.crt").exists():
        return
    subject = "".join(f"/O={group}" for group in groups) + f"/CN={user}"
    _issue(directory, user, subject, "extendedKeyUsage=clientAuth")


def _issue(directory, name, subject, extension):
    extensions = directory / f"{name}.ext"
    extensions.write_text(extension + "\n")
    _openssl(directory, "req", *_new_key(name), "-out", f"{name}.csr", "-subj", subject)
    _openssl(directory, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
             "-out", f"{name}.crt", "-days", _DAYS, "-extfile", extensions.name)


def _new_key(name):
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key"]


def _openssl(directory, *arguments):
    done = subprocess.run(["openssl", *arguments], cwd=directory, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
