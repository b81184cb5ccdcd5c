"""A loopback server that speaks the Hugging Face Hub's protocol, for its real client.

It keeps repositories in memory, counts requests, and fails on demand. Under `/zoo/`
it is a plain file server of a folder.
"""

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class Fault:
    """What goes wrong: for requests whose `METHOD /path` the pattern is found in.

    A status is answered; `cut` sends so many bytes of a file and closes; `also` are
    headers that replace the right ones; `together` waits for as many such requests.
    """

    pattern: str
    status: int = 0
    cut: int = -1
    also: dict = field(default_factory=dict)  # headers of an answer that is right
    together: threading.Barrier | None = None
    times: int = 10**6
    message: str = ""
    headers: dict = field(default_factory=dict)


@dataclass
class Repository:
    private: bool = False
    commits: dict = field(default_factory=lambda: {"0" * 40: {}})
    refs: dict = field(default_factory=lambda: {"main": "0" * 40})

    def commit(self, files, ref="main"):
        text = json.dumps([len(self.commits), sorted(files)])
        sha = hashlib.sha1(text.encode()).hexdigest()
        self.commits[sha] = dict(files)
        self.refs[ref] = sha
        return sha

    def resolve(self, revision):
        return self.refs.get(revision, revision)


class HubServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.token = "hf_loopbacktoken"
        self.reset()
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def reset(self):
        self.repositories = {}
        self.blobs = {}
        self.faults = []
        self.requests = []
        self.secrets = []  # what was sent to authorize them
        self.folder = None

    def put(self, repo, folder, **changes):
        """Commit a folder's files, some of them changed; returns the commit."""
        files = {p.name: p.read_bytes() for p in Path(folder).iterdir() if p.is_file()}
        files |= {name.replace("__", "."): data for name, data in changes.items()}
        files = {name: data for name, data in files.items() if data is not None}
        return self.repositories.setdefault(repo, Repository()).commit(files)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def log_message(self, *args):
        pass

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def do_GET(self):
        self.answer()

    do_HEAD = do_POST = do_PUT = do_GET

    def answer(self):
        parts = urlsplit(self.path)
        self.route = unquote(parts.path)
        self.query = parse_qs(parts.query)
        size = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(size)
        self.cut, self.also = -1, {}  # until a fault says otherwise
        if self.headers.get("Transfer-Encoding") == "chunked":
            self.body = self.read_chunks()
        if "agent-harnesses" in self.route:  # the client's telemetry
            return self.fail(404)
        line = f"{self.command} {self.route}"
        self.server.requests.append(line)
        if secret := self.headers.get("Authorization"):
            self.server.secrets.append(secret)
        for fault in self.server.faults:
            if fault.times > 0 and re.search(fault.pattern, line):
                fault.times -= 1
                if fault.together:
                    fault.together.wait(60)
                if fault.status:
                    message = fault.message or f"fault {fault.status}"
                    return self.fail(fault.status, message, **fault.headers)
                self.cut, self.also = fault.cut, fault.also
                break
        for pattern, name in ROUTES:
            match = re.fullmatch(pattern, line)
            if match:
                return getattr(self, name)(**match.groupdict())
        return self.fail(404)

    def read_chunks(self):
        body = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    # Answers.

    def send(self, content, status=200, headers=None):
        self.send_response(status)
        for key, value in {**(headers or {}), **self.also}.items():
            self.send_header(key, str(value))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.cut >= 0:
            self.wfile.write(content[: self.cut])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)
            return
        self.wfile.write(content)

    def json(self, data, status=200, **headers):
        headers = {key.replace("_", "-"): value for key, value in headers.items()}
        headers = {"Content-Type": "application/json"} | headers
        self.send(json.dumps(data).encode(), status, headers)

    def fail(self, status, message="", **headers):
        self.json({"error": message or "not found"}, status, **headers)

    def repository(self, repo, revision=None):
        """The repository, or None once its absence was answered."""
        found = self.server.repositories.get(repo)
        allowed = self.headers.get("Authorization") == f"Bearer {self.server.token}"
        if found is None or (found.private and not allowed):
            self.fail(404 if allowed else 401, X_Error_Code="RepoNotFound")
            return None
        if revision and found.resolve(revision) not in found.commits:
            self.fail(404, X_Error_Code="RevisionNotFound")
            return None
        return found

    # Reading.

    def models(self):
        author = self.query.get("author", [""])[0]
        names = [n for n in self.server.repositories if n.startswith(f"{author}/")]
        self.json([{"id": name, "tags": ["keras_attend"]} for name in names])

    def model(self, repo, revision=None):
        found = self.repository(repo, revision)
        if found:
            sha = found.resolve(revision or "main")
            siblings = [{"rfilename": path} for path in found.commits[sha]]
            self.json({"id": repo, "sha": sha, "siblings": siblings, "tags": []})

    def tree(self, repo, revision):
        found = self.repository(repo, revision)
        if found:
            files = found.commits[found.resolve(revision)]
            self.json([self.entry(path, data) for path, data in files.items()])

    def entry(self, path, data):
        entry = {"type": "file", "path": path, "size": len(data), "oid": oid(data)}
        if path.endswith(".h5"):
            sha256 = hashlib.sha256(data).hexdigest()
            lfs = {"oid": sha256, "size": len(data), "pointerSize": 130}
            entry["lfs"] = lfs
        return entry

    def file(self, repo, revision, path):
        found = self.repository(repo, revision)
        if not found:
            return
        sha = found.resolve(revision)
        headers = {"X-Repo-Commit": sha}
        if path not in found.commits[sha]:
            self.fail(404, X_Error_Code="EntryNotFound", X_Repo_Commit=sha)
            return
        data = found.commits[sha][path]
        etag = self.entry(path, data).get("lfs", {"oid": oid(data)})["oid"]
        headers |= {"ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if path.endswith(".h5"):
            headers |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": len(data)}
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not wanted:
            return self.send(data, headers=headers)
        start = int(wanted[1])
        headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self.send(data[start:], 206, headers)

    def plain(self, path):
        file = (self.server.folder or Path("/nowhere")) / path
        if not file.is_file():
            return self.fail(404)
        self.send(file.read_bytes())

    # Writing.

    def create(self):
        asked = json.loads(self.body)
        repo = f"{asked['organization']}/{asked['name']}"
        if self.headers.get("Authorization") != f"Bearer {self.server.token}":
            return self.fail(401, "Invalid username or password.")
        url = {"url": f"{self.server.url}/{repo}", "name": repo}
        if repo in self.server.repositories:
            return self.json(url | {"error": "You already created it"}, 409)
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.server.repositories[repo] = Repository(private)
        self.json(url)

    def branch(self, repo, revision):
        found = self.repository(repo)
        if found:
            if revision in found.refs:
                return self.fail(409, "Reference already exists")
            found.refs[revision] = found.refs["main"]
            self.json({})

    def yaml(self):
        self.json({"errors": [], "warnings": []})

    def preupload(self, repo, revision):
        if self.repository(repo, revision):
            mode = {True: "lfs", False: "regular"}
            files = [
                {
                    "path": file["path"],
                    "uploadMode": mode[file["path"].endswith((".h5", ".png"))],
                    "shouldIgnore": False,
                }
                for file in json.loads(self.body)["files"]
            ]
            self.json({"files": files})

    def batch(self, repo):
        objects = []
        for wanted in json.loads(self.body)["objects"]:
            if wanted["oid"] not in self.server.blobs:
                href = f"{self.server.url}/lfs/{wanted['oid']}"
                wanted |= {"actions": {"upload": {"href": href}}}
            objects.append(wanted)
        self.json({"transfer": "basic", "objects": objects})

    def upload(self, blob):
        if hashlib.sha256(self.body).hexdigest() != blob:
            return self.fail(400, "the sha256 differs")
        self.server.blobs[blob] = self.body
        self.send(b"")

    def commit(self, repo, revision):
        found = self.repository(repo, revision)
        if not found:
            return
        if self.headers.get("Authorization") != f"Bearer {self.server.token}":
            return self.fail(403, "Forbidden")
        head = found.resolve(revision)
        files = dict(found.commits[head])
        for line in self.body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "header":
                parent = value.get("parentCommit")
                if parent not in (None, head):
                    return self.fail(412, "The head has moved")
            elif item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                files[value["path"]] = self.server.blobs[value["oid"]]
            elif item["key"] == "deletedFile":
                del files[value["path"]]
        proposed = "create_pr" in self.query
        sha = found.commit(files, "refs/pr/1" if proposed else revision)
        answer = {
            "commitUrl": f"{self.server.url}/{repo}/commit/{sha}",
            "commitOid": sha,
        }
        if proposed:
            answer["pullRequestUrl"] = f"{self.server.url}/{repo}/discussions/1"
        self.json(answer)


def oid(data):
    """A blob's name, as git has it."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


REPO = "(?P<repo>[^/]+/[^/]+)"
REVISION = "(?P<revision>.+)"
ROUTES = [
    ("GET /zoo/(?P<path>.+)", "plain"),
    ("GET /api/models", "models"),
    (f"GET /api/models/{REPO}", "model"),
    (f"GET /api/models/{REPO}/revision/{REVISION}", "model"),
    (f"GET /api/models/{REPO}/tree/{REVISION}", "tree"),
    (f"(GET|HEAD) /{REPO}/resolve/{REVISION}/(?P<path>[^/]+)", "file"),
    ("POST /api/repos/create", "create"),
    ("POST /api/validate-yaml", "yaml"),
    (f"POST /api/models/{REPO}/branch/{REVISION}", "branch"),
    (f"POST /api/models/{REPO}/preupload/{REVISION}", "preupload"),
    (f"POST /{REPO}.git/info/lfs/objects/batch", "batch"),
    ("PUT /lfs/(?P<blob>[0-9a-f]{64})", "upload"),
    (f"POST /api/models/{REPO}/commit/{REVISION}", "commit"),
]
