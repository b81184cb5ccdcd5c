"""The page's server: who may ask what, without a browser."""

import http.client
import json
import os
import threading
import time
from contextlib import closing

import numpy as np
import pytest

from keras_attend.video.page import Page
from keras_attend.video.page import page as page_module

pytest.importorskip("PIL")
FRAME = np.random.default_rng(0).integers(0, 255, (60, 100, 3), "uint8")


@pytest.fixture(autouse=True)
def _no_browser(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def page():
    with Page() as page:
        page.ask(FRAME)
        yield page


def ask(page, name, method="GET", body=None, whole=None, **headers):
    place, token = page.address.split("/")[2:4]
    host, port = place.split(":")
    path = f"/{token}/{name}" if whole is None else whole
    with closing(http.client.HTTPConnection(host, int(port), timeout=60)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer, answer.read()


def send(page, boxes):
    answer, body = ask(page, "boxes", "POST", json.dumps(boxes))
    return answer.status, json.loads(body).get("error")


def test_it_listens_on_this_computer_alone(page):
    assert page.address.startswith("http://127.0.0.1:")
    assert page._server._server.server_address[0] == "127.0.0.1"
    assert len(page.address.split("/")[3]) >= 32


@pytest.mark.parametrize("name", ["", "page.css", "page.js", "picture", "state"])
def test_only_those_who_know_the_address_may_ask(page, name):
    answer, body = ask(page, name)
    assert answer.status == 200 and body
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    token = page.address.split("/")[3]
    wrong = token[:-1] + ("a" if token[-1] != "a" else "b")
    for path in (f"/{name}", f"/{wrong}/{name}", f"/{token}", "x", "*"):
        answer, body = ask(page, "", whole=path)
        assert (answer.status, body) == (404, b"There is nothing here.\n"), path


@pytest.mark.parametrize(
    "name", ["page.py", "server.py", "../page.html", "%2e%2e/page.html", "page.html"]
)
def test_nothing_else_is_served(page, name):
    assert ask(page, name)[0].status == 404
    assert ask(page, "boxes")[0].status == 404  # it is for POST
    assert ask(page, "", "PUT")[0].status == 501


def test_other_sites_may_not_ask(page):
    """One that has its own name point here, and one that sends a form."""
    port = page.address.split(":")[2].split("/")[0]
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", ""):
        assert ask(page, "", Host=host)[0].status == 403, host
    assert ask(page, "", Host=f"localhost:{port}")[0].status == 200
    answer, _ = ask(page, "boxes", "POST", "[[1,1,9,9]]", Origin="http://evil.example")
    assert answer.status == 403 and not page.has_boxes
    answer, _ = ask(page, "boxes", "POST", "[[1,1,9,9]]", Origin="null")
    assert answer.status == 403 and not page.has_boxes


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([], "Draw a box first"),
        ([[1, 2, 3]], "list of|must be at most 100"),
        ([[200, 10, 10, 10]], "overlap the image of height 60"),
        ([[-50, 0, 10, 10]], "overlap the image"),
        ([[1, 2, 0, 4]], "positive w and h"),
        ([[1, 2, float("nan"), 4]], "finite"),
        ([[1, 2, 1e300, 4]], "finite"),
        ([[1, 1, 9, 9]] * 101, "at most 100"),
        ({"x": 1}, "must be a list"),
        ("[[1,1,9,9]]", "must be a list"),
        ([[1, 2, 3, 4], [5]], "must be a list"),
    ],
)
def test_boxes_that_cannot_be(page, boxes, message):
    import re

    status, error = send(page, boxes)
    assert status == 400 and re.search(message, error)
    assert not page.has_boxes
    assert json.loads(ask(page, "state")[1])["phase"] == "draw"  # it asks again


def test_bodies_that_are_no_boxes(page):
    assert ask(page, "boxes", "POST", b"\xff\x00[[")[0].status == 400
    assert ask(page, "boxes", "POST", b"[" * 60000)[0].status == 400
    assert ask(page, "boxes", "POST", b" " * 70000)[0].status == 413
    for size in ("-1", "9" * 30, "x", "\u00b2"):
        headers = {"Content-Length": size.encode("latin-1")}
        assert ask(page, "boxes", "POST", None, **headers)[0].status == 413
    assert not page.has_boxes


def test_the_first_tab_that_sends_is_heard(page):
    assert send(page, [[1, 2, 30, 20], [50, 10, 20, 20]]) == (200, None)
    status, error = send(page, [[5, 5, 5, 5]])
    assert status == 409 and "another tab" in error
    np.testing.assert_array_equal(page.boxes(), [[1, 2, 30, 20], [50, 10, 20, 20]])
    page.ask(FRAME)  # a camera's next frame comes too late
    assert json.loads(ask(page, "state")[1])["phase"] == "wait"


def test_a_page_hears_of_changes_at_once(page):
    page.show(FRAME, "frame 1")
    state = json.loads(ask(page, "state?page=a")[1])
    assert (state["phase"], state["words"]) == ("live", "frame 1")
    assert (state["width"], state["height"]) == (100, 60)
    begin = time.monotonic()
    threading.Timer(0.3, page.show, (FRAME, "frame 2")).start()
    later = json.loads(ask(page, f"state?page=a&known={state['number']}")[1])
    assert later["words"] == "frame 2" and later["number"] > state["number"]
    assert 0.2 < time.monotonic() - begin < page_module.WAIT


def test_a_picture_that_nobody_waits_for_is_not_needed(page):
    ask(page, "picture")
    assert page.is_ready
    page.show(FRAME, "frame 1")
    assert not page.is_ready
    ask(page, "picture")
    assert page.is_ready


def test_the_end_waits_for_open_pages(page, monkeypatch):
    monkeypatch.setattr(page_module, "LAST", 30.0)
    number = json.loads(ask(page, "state?page=a")[1])["number"]

    def browser():
        state = json.loads(ask(page, f"state?page=a&known={number}")[1])
        assert (state["phase"], state["words"]) == ("done", "all done")
        ask(page, f"state?page=a&known=-1&shown={state['number']}")

    thread = threading.Thread(target=browser)
    thread.start()
    begin = time.monotonic()
    page.finish("all done")
    assert time.monotonic() - begin < 20
    thread.join()


def test_a_page_that_is_closed(page, monkeypatch):
    monkeypatch.setattr(page_module, "CLOSED", 0.3)
    ask(page, "state?page=a"), ask(page, "state?page=b")
    ask(page, "closed?page=a", "POST")
    time.sleep(0.5)
    assert not page.is_closed  # the other one is open
    ask(page, "closed?page=b", "POST")
    ask(page, "state?page=c")  # it was loaded again
    time.sleep(0.5)
    assert not page.is_closed
    ask(page, "closed?page=c", "POST")
    end = time.monotonic() + 30
    while not page.is_closed:
        assert time.monotonic() < end
        time.sleep(0.05)
    with pytest.raises(ValueError, match="page was closed before boxes"):
        page.boxes()


def test_a_port_in_use(page, capsys):
    port = int(page.address.split(":")[2].split("/")[0])
    with pytest.raises(ValueError, match=rf"port {port} cannot be used .* --port"):
        Page(port)
    with pytest.raises(ValueError, match=r"must be in 0..65535"):
        Page(70000)


def test_the_address_is_printed(capsys):
    with Page() as page:
        error = capsys.readouterr().err
        assert "No browser can be opened here" in error and page.address in error
        port = page.address.split(":")[2].split("/")[0]
        assert f"ssh -L {port}:127.0.0.1:{port}" in error


@pytest.mark.skipif(os.name == "nt", reason="a shell's script")
def test_the_browser_is_opened(tmp_path, monkeypatch, capsys):
    script, told = tmp_path / "browser", tmp_path / "told"
    script.write_text(f'#!/bin/sh\necho "$1" > {told}.new; mv {told}.new {told}\n')
    script.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{script} %s")
    with Page() as page:
        end = time.monotonic() + 60
        while not told.exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        assert told.read_text().strip() == page.address
        assert page.address in capsys.readouterr().err
