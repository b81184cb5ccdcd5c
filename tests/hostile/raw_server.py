"""A server of a few lines that answers whatever a test likes, in raw bytes."""

import socket
import threading


class RawServer:
    """`answer(send, request)` writes each answer; an error of the client ends it."""

    def __init__(self, answer):
        self.answer, self.sent, self.connections = answer, 0, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client):
        def send(data):
            client.sendall(data)
            self.sent += len(data)

        try:
            with client:
                self.answer(send, client.recv(65536))
        except OSError:
            pass

    def close(self):
        self.socket.close()
