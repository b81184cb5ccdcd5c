"""A file server cannot fill the disk or the memory, nor hold a program for ever."""

import time

import pytest
from raw_server import RawServer

from keras_attend.zoo.hub import file_server

OK = b"HTTP/1.1 200 OK\r\nContent-Type: x\r\n"
BLOCK = b"x" * 65536


def endless(send, data=BLOCK, pause=0.0):
    for _ in range(10**6):
        send(data)
        time.sleep(pause)


def slowly(send, data):
    for byte in data:
        send(bytes([byte]))
        time.sleep(0.05)
    endless(send, b"x", 0.05)


def negative_chunk(send, request):
    send(OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n")
    endless(send)


def huge_chunk(send, request):
    send(OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 15 + b"\r\n")
    endless(send)


def redirect_with_an_endless_body(send, request):
    send(b"HTTP/1.1 302 Found\r\nLocation: /other\r\n\r\n")
    endless(send)


def error_with_an_endless_body(send, request):
    send(b"HTTP/1.1 500 Failed\r\n\r\n")
    endless(send)


def no_length(send, request):
    send(OK + b"\r\n")
    endless(send)


def endless_continue(send, request):
    endless(send, b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def endless_status_line(send, request):
    send(b"HTTP/1.1 200 ")
    endless(send)


def endless_header(send, request):
    send(OK + b"X: ")
    endless(send)


def endless_headers(send, request):
    send(OK)
    endless(send, b"X: y\r\n" * 1000)


def endless_trailers(send, request):
    send(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
    endless(send, b"X: y\r\n" * 1000)


def redirects_for_ever(send, request):
    number = int(request.split(b" ")[1].rpartition(b"/")[2] or b"0")
    place = f"Location: /{number + 1}\r\nContent-Length: 0\r\n\r\n"
    send(b"HTTP/1.1 302 Found\r\n" + place.encode())


def slow_headers(send, request):
    slowly(send, OK)


def slow_body(send, request):
    send(OK + b"Content-Length: 900\r\n\r\n")
    slowly(send, b"")


def slow_redirect(send, request):
    send(b"HTTP/1.1 302 Found\r\nLocation: /other\r\n\r\n")
    slowly(send, b"")


def slow_continue(send, request):
    endless(send, b"HTTP/1.1 100 Continue\r\n\r\n", 0.05)


def silent(send, request):
    time.sleep(30)


ATTACKS = [
    *(negative_chunk, huge_chunk, redirect_with_an_endless_body, no_length),
    *(error_with_an_endless_body, endless_continue, endless_status_line),
    *(endless_header, endless_headers, endless_trailers, redirects_for_ever),
    *(slow_headers, slow_body, slow_redirect, slow_continue, silent),
]


@pytest.mark.parametrize("how", ["read", "save"])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_server_that_does_not_end(attack, how, tmp_path, monkeypatch):
    monkeypatch.setattr(file_server, "PATIENCE", 1.0)
    server, begin = RawServer(attack), time.monotonic()
    try:
        with pytest.raises((OSError, ValueError), match=r"127\.0\.0\.1"):
            if how == "read":
                file_server.read(f"{server.url}/0", 1000)
            else:
                file_server.save(f"{server.url}/0", tmp_path / "file", 1000)
        assert time.monotonic() - begin < 3
        # What the sockets hold beside what is read is a few MB.
        assert server.sent < 2**24
        assert not list(tmp_path.iterdir())
    finally:
        server.close()


def test_a_good_server_is_read(tmp_path):
    def good(send, request):
        send(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")

    server = RawServer(good)
    assert file_server.read(f"{server.url}/0", 5) == b"hello"
    file_server.save(f"{server.url}/0", tmp_path / "file", 5)
    assert (tmp_path / "file").read_bytes() == b"hello"
    server.close()
