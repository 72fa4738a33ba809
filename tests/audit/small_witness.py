"""A small witness (C2SP tlog-witness) as a real HTTP server on loopback: it cosigns what only grew, and refuses the
rest. It can be told to misbehave."""

import threading
import time
from base64 import b64decode, b64encode
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.tlog.merkle import EMPTY_ROOT, verify_consistency
from services.audit.tlog.note import Checkpoint, NoteInvalid, Verifier, open_note


class SmallWitness:
    """Knows logs by origin, with the key of each. `answer` overrides its reply (status, type, body); `slow_seconds`
    makes it wait; `forge` makes it sign another text."""

    def __init__(self, name, *, trusted):
        self.name = name
        self.trusted = dict(trusted)  # origin: vkey
        self.seen = {}  # origin: (size, root)
        self.asked = []
        self.answer = None
        self.slow_seconds = 0.0
        self.forge = False
        self.key = Ed25519PrivateKey.generate()
        self._one_at_a_time = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = False  # closing waits for all of them
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}/prefix"

    @property
    def vkey(self):
        public = b"\x04" + self.key.public_key().public_bytes_raw()
        return f"{self.name}+{self._key_id().hex()}+{b64encode(public).decode()}"

    def _key_id(self):
        public = b"\x04" + self.key.public_key().public_bytes_raw()
        return sha256(self.name.encode() + b"\n" + public).digest()[:4]

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def add_checkpoint(self, body):
        """Status, content type and body of the reply."""
        head, _, note = body.partition("\n\n")
        first, *proof = head.split("\n")
        if not first.startswith("old "):
            return 400, "text/plain", "no old size"
        old = int(first[4:])
        self.asked.append(old)
        origin = note.partition("\n")[0]
        if origin not in self.trusted:
            return 404, "text/plain", "unknown origin"
        try:
            text = open_note(note, Verifier.parse(self.trusted[origin]))
        except NoteInvalid:
            return 403, "text/plain", "no known signature"
        new = Checkpoint.parse(text)
        if old > new.size:
            return 400, "text/plain", "old is larger"
        size, root = self.seen.get(origin, (0, EMPTY_ROOT))
        if old != size:
            return 409, "text/x.tlog.size", f"{size}\n"
        if old == new.size and root != new.root:
            return 409, "text/plain", "another root"
        if not verify_consistency(old, new.size, root, new.root, [b64decode(line) for line in proof]):
            return 422, "text/plain", "not consistent"
        self.seen[origin] = (new.size, new.root)
        return 200, "text/plain", self._line(text)

    def _line(self, text):
        now = int(time.time())
        signed = f"cosignature/v1\ntime {now}\n{text}" + ("forged\n" if self.forge else "")
        signature = now.to_bytes(8, "big") + self.key.sign(signed.encode())
        return f"— {self.name} {b64encode(self._key_id() + signature).decode()}\n"

    def _handler(witness):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                time.sleep(witness.slow_seconds)
                with witness._one_at_a_time:
                    found = witness.add_checkpoint(body) if self.path == "/prefix/add-checkpoint" else (404, "", "")
                status, kind, content = witness.answer or found
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content.encode())))
                self.end_headers()
                self.wfile.write(content.encode())

            def log_message(self, *_arguments):
                pass

        return Handler
