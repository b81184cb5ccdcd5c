"""A file server cannot fill the disk or the memory, nor hold a program for ever."""

import time
import zlib

import pytest
from raw_server import RawServer

from keras_attend import zoo
from keras_attend.zoo.hub import file_server, limits

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
    monkeypatch.setattr(file_server, "PATIENCE", 0.4)
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


# The Hub, whose client is another.


def headers(send, length=True):
    send(b"HTTP/1.1 200 OK\r\nX-Repo-Commit: " + b"0" * 40 + b'\r\nETag: "abc"\r\n')
    if length:
        send(b"Content-Length: 100\r\n")
    send(b"\r\n")


def a_get_without_a_length(send, request):
    headers(send, request.startswith(b"HEAD"))
    if request.startswith(b"GET"):
        endless(send)


def a_gzip_bomb(send, request):
    if request.startswith(b"HEAD"):
        return headers(send)
    send(OK + b"Content-Encoding: gzip\r\n\r\n")
    packer = zlib.compressobj(wbits=31)
    while True:  # a kB of each MB
        send(packer.compress(bytes(2**20)) + packer.flush(zlib.Z_SYNC_FLUSH))


def a_get_that_drips(send, request):
    headers(send)
    if request.startswith(b"GET"):
        slowly(send, b"")


HUB_ATTACKS = [
    *(a_get_without_a_length, a_gzip_bomb, a_get_that_drips, silent),
    *(slow_headers, slow_continue, endless_continue, endless_headers),
]


@pytest.mark.parametrize("attack", HUB_ATTACKS, ids=lambda attack: attack.__name__)
def test_a_hub_that_does_not_end(attack, hub, tmp_path, monkeypatch):
    server = at(RawServer(attack), monkeypatch)
    begin = time.monotonic()
    with pytest.raises((OSError, ValueError), match="org/small"):
        zoo.load("hf://org/small")
    assert time.monotonic() - begin < 6
    assert server.sent < 2**24
    kept = [path for path in (tmp_path / "hf").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in kept) < 10_000
    server.close()


def test_a_hub_whose_list_does_not_end(hub, monkeypatch):
    def pages(send, request):
        body = b'[{"id": "org/small", "padding": "' + b"x" * 10**6 + b'"}]'
        link = f'Link: <{server.url}/api/models?cursor=1>; rel="next"\r\n'.encode()
        length = f"Content-Length: {len(body)}\r\n\r\n".encode()
        send(OK + link + length + body)

    server = at(RawServer(pages), monkeypatch)
    with pytest.raises(ValueError, match="the list of org must have at most"):
        zoo.list_models("hf://org")
    server.close()


def at(server, monkeypatch):
    """Make the Hub's client, and its patience, a raw server's."""
    from huggingface_hub import constants

    monkeypatch.setattr(limits, "PATIENCE", 0.5)
    monkeypatch.setattr(limits, "RATE", 10**7)
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    return server
