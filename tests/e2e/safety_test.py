"""The real API server and its store are killed, stopped, crippled and changed under controllers and workers. Whatever
happens, no run is reaped whose worker lives, and every other one is, as soon as that can be told again.
"""

import shutil
import time

from afflictions import delete_resource, service_account_token
from crew import SCALED, TIMEOUT, Crew, counted_as_written
from gate import write_kubeconfig
from replicas import leader_of, replica
from servers import install_crd
from space import eventually, known
from stories import lone_story

LONG_SECONDS = 3 * TIMEOUT + 1


def clock_stands(controller):
    return controller.metrics().total("jobrun_silence_clock_stopped") == 1


def outlast(space, seconds, begin, end):
    """Two replicas, and workers that live, that are dead already and that die meanwhile, go through a disturbance of so
    many seconds, in which the Lease is lost too. After a refusal a worker takes its time for the next try."""
    replicas = [replica(space) for _ in range(2)]
    leader_of(replicas)
    crew = Crew(space, 8, interval=2)
    crew.lose(1)
    began = time.monotonic()
    begin()
    crew.lose(2)
    eventually(lambda: all(clock_stands(each) for each in replicas))
    time.sleep(max(0.0, began + seconds - time.monotonic()))
    end()
    stop = time.monotonic() - began
    crew.comes_out_right(stop)
    leader_of(replicas)
    assert not any(clock_stands(each) for each in replicas)


@lone_story
def test_an_api_server_that_is_killed_and_started_again(space):
    outlast(space, TIMEOUT + 1, space.server.kill, space.server.restart)


@lone_story
def test_an_api_server_that_stands_still_for_three_timeouts(space):
    """Every connection stays open, and what was sent into it meanwhile is answered at last."""
    outlast(space, LONG_SECONDS, space.server.pause, space.server.resume)


@lone_story
def test_a_store_that_stands_still_for_three_timeouts(space):
    """Reads are answered from the API server's cache all the time: they prove nothing."""
    def begin():
        space.server.pause_etcd()
        assert space.rest.get(f"{space.runs}?resourceVersion=0").code == 200

    outlast(space, LONG_SECONDS, begin, space.server.resume_etcd)


@lone_story
def test_a_store_that_is_killed_and_started_again(space):
    outlast(space, TIMEOUT + 1, space.server.kill_etcd, space.server.restart_etcd)


@lone_story
def test_a_store_that_takes_no_writes_for_three_timeouts(space):
    """All that is there can be read and watched, and workers are refused."""
    def begin():
        space.server.refuse_writes()
        assert space.get("default-1").phase == "Running"

    outlast(space, LONG_SECONDS, begin, space.server.take_writes)


@lone_story
def test_a_resource_that_is_deleted_and_created_again(space):
    """All runs are gone with it, canaries too. Those that come with the new one are judged like any others."""
    replicas = [replica(space) for _ in range(2)]
    Crew(space, 3, lane="gone").lose(1)
    delete_resource(space)
    for each in replicas:
        eventually(lambda each=each: not each.ready())
    install_crd(space.rest)
    crew = Crew(space, 6, lane="new")
    crew.lose(2)
    for each in replicas:
        each.await_ready()
    crew.comes_out_right(stop=TIMEOUT)
    ended = known({("Succeeded",): 3, ("Stuck",): 3})
    eventually(lambda: replicas[0].metrics().by("jobrun_runs", "phase") == ended)
    counted_as_written(space)


@lone_story
def test_a_token_and_a_ca_that_are_replaced(space):
    """From one moment to the next the old ones are of no use; the files that hold them are empty for a while, and then
    hold the new ones."""
    token_file, ca_file = space.dir / "token", space.dir / "ca.crt"
    token_file.write_text(service_account_token(space, until_gone="first"))
    shutil.copy(space.server.ca_file, ca_file)
    controller = space.controller(config=SCALED, kubeconfig=write_kubeconfig(
        space.dir / "replaced.kubeconfig", space.server.url, {"certificate-authority": str(ca_file)},
        {"tokenFile": str(token_file)}))
    crew = Crew(space, 7)
    crew.lose(1)
    began = time.monotonic()
    for file in (token_file, ca_file):
        file.write_text("")
    assert space.rest.delete(f"/api/v1/namespaces/{space.name}/secrets/first").code == 200
    space.server.renew_certificate()
    space.server.restart()
    space.rest.close()
    crew.lose(1)
    eventually(lambda: clock_stands(controller))
    assert not controller.ready()
    token_file.write_text(service_account_token(space))
    shutil.copy(space.server.ca_file, ca_file)
    controller.await_ready(30)
    crew.comes_out_right(time.monotonic() - began)
