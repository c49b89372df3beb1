"""Every story of stories.py about the worker of every language in docs/workers.

Nearly all of their time is waiting, so they take place at the same time, the languages of a story side by side; the
test of each waits for its end, and fails where it failed, with what its workers said.
"""

import concurrent.futures

import pytest

import languages
import servers
from cases import NAMESPACE, Case
from observer import Observer
from rest import Rest
from stories import told_on

CASES_MAX = 12  # At a time; a JVM that starts takes a core for some seconds.
CASE_SECONDS_MAX = 300


def pytest_generate_tests(metafunc):
    told = [(server, tell, language) for server in servers.selected() for tell in told_on(server)
            for language in languages.LANGUAGES]
    metafunc.parametrize("server,tell,language", told, indirect=["server"], scope="session",
                         ids=[f"{server}-{tell.__name__}-{language}" for server, tell, language in told])


class Told:
    """The selected cases of one server, begun at once."""

    def __init__(self, server, selected):
        self._server = server
        servers.create_namespace(Rest(server.kubeconfig), NAMESPACE)
        self._observer = Observer(server)
        # The kernel ends a worker with the thread that started it, so the threads stay until close().
        self._pool = concurrent.futures.ThreadPoolExecutor(CASES_MAX)
        self._futures = {case: self._pool.submit(self._tell, *case) for case in selected}

    def outcome(self, tell, language):
        return self._futures[tell, language].result(CASE_SECONDS_MAX)

    def close(self):
        self._pool.shutdown(cancel_futures=True)

    def _tell(self, tell, language):
        case = Case(self._server, self._observer, language, tell.__name__)
        try:
            tell(case)
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{case.logs()}") from failure
        finally:
            case.close()


@pytest.fixture(scope="session")
def told(request, server):
    """The cases of this session on the server."""
    parameters = [item.callspec.params for item in request.session.items if item.function is test_a_worker]
    begun = Told(server, [(each["tell"], each["language"]) for each in parameters if each["server"] == server.name])
    yield begun
    begun.close()


def test_a_worker(told, tell, language):
    languages.command(language)
    told.outcome(tell, language)
