"""Work that is shared among servers, of which any may be lost at any time; the servers are stand-ins."""

import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from maprps.launch.folder import Photo
from maprps.launch.share_work import CannotGoOn, ServerLost, share
from maprps.launch.terminal import Problem

PHOTOS = [Photo(Path(f"{i}.jpg"), f"{i}.jpg", Path(f"{i}.png")) for i in range(12)]


class Client:
    def __init__(self, name):
        self.name, self.timeout, self.cancelled = name, 1.0, 0

    def alive(self):
        pass

    def cancel(self):
        self.cancelled += 1


class Source:
    """A server that can be connected to `times` times."""

    def __init__(self, name, times=1):
        self.name, self.times, self.client = name, times, Client(name)

    def connect(self, check):
        check()
        self.times -= 1
        if self.times < 0:
            raise Problem("it does not answer")
        return self.client


class Done:
    """Does photos; at(name of the client, photo) may raise."""

    def __init__(self, at=lambda name, photo: None):
        self.at, self.count, self.lock = at, Counter(), threading.Lock()

    def __call__(self, client, photo, tell):
        tell("at it")
        time.sleep(0.001)
        self.at(client.name, photo)
        with self.lock:
            self.count[photo] += 1


def kinds(events):
    return Counter(event.kind for event in events if event.kind != "at work")


@pytest.mark.parametrize("servers", [1, 3])
def test_every_photo_is_done_once(servers):
    do = Done()
    events = list(share(PHOTOS, [Source(str(i)) for i in range(servers)], do))
    assert do.count == Counter(PHOTOS)
    assert kinds(events) == {"done": 12}


def test_what_a_lost_server_had_is_done_elsewhere():
    def at(name, photo):
        if name == "bad":
            raise ServerLost("it is gone")

    do = Done(at)
    events = list(share(PHOTOS, [Source("good"), Source("bad")], do))
    assert do.count == Counter(PHOTOS)
    assert kinds(events) == {"done": 12, "moved": 1, "gone": 1}


def test_the_last_photo_waits_for_no_lost_server():
    """One server has nothing left to do while the other is still at the last photo, and loses it."""
    idle = threading.Event()

    def at(name, photo):
        if name == "bad":
            idle.wait(10)
            raise ServerLost("it hangs")
        idle.set()

    do = Done(at)
    events = list(share(PHOTOS[:2], [Source("bad"), Source("good")], do))
    assert do.count == Counter(PHOTOS[:2])
    assert kinds(events)["done"] == 2


def test_a_photo_that_servers_die_of_is_given_up():
    def at(name, photo):
        if photo == PHOTOS[3]:
            raise ServerLost("it is gone")

    do = Done(at)
    events = list(share(PHOTOS, [Source("one", times=9)], do))
    assert do.count == Counter(PHOTOS) - Counter(PHOTOS[3:4])
    assert kinds(events) == {"done": 11, "moved": 1, "failed": 1}


def test_a_photo_that_fails_stops_no_other():
    def at(name, photo):
        if photo == PHOTOS[3]:
            raise Problem("it is broken")

    events = list(share(PHOTOS, [Source("one")], Done(at)))
    assert kinds(events) == {"done": 11, "failed": 1}
    assert [event.detail for event in events if event.kind == "failed"] == ["it is broken"]


def test_photos_are_left_over_where_no_server_is_left():
    def at(name, photo):
        raise ServerLost("it is gone")

    events = list(share(PHOTOS, [Source("one"), Source("two", times=0)], Done(at)))
    assert kinds(events) == {"moved": 1, "gone": 2}


@pytest.mark.parametrize("error", [CannotGoOn("the disk is full"), OSError("a bug")])
def test_some_errors_end_everything(error):
    def at(name, photo):
        raise error

    with pytest.raises(type(error)):
        list(share(PHOTOS, [Source("one"), Source("two")], Done(at)))


def test_who_stops_listening_stops_the_work():
    def at(name, photo):
        while True:
            time.sleep(0.01)
            source.client.alive()

    source = Source("one")
    work = share(PHOTOS, [source], Done(at))
    assert next(work).kind == "at work"
    work.close()
    assert source.client.cancelled == 1
