"""A time stamping authority of the tests: openssl's, behind a small HTTP server on loopback."""

import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONFIG = """
[req]
distinguished_name = dn
prompt = no
[dn]
CN = {name}
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[tsa]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa_config]
dir = {folder}
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def openssl(folder, *arguments):
    command = [shutil.which("openssl") or "openssl", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


class TimeAuthority:
    """Answers time stamp queries; `answer` overrides its reply (status, bytes)."""

    def __init__(self, folder):
        folder.mkdir()
        self.folder = folder
        self.answer = None
        self.asked = 0
        self._make_certificates()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def _make_certificates(self):
        folder = self.folder
        (folder / "ca.cnf").write_text(CONFIG.format(folder=folder, name="Test root"))
        (folder / "tsa.cnf").write_text(CONFIG.format(folder=folder, name="Test time stamps"))
        (folder / "serial").write_text("01\n")
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        root = ["req", "-x509", *new_key, "-config", "ca.cnf", "-extensions", "ca", "-days", "30"]
        openssl(folder, *root, "-keyout", "ca.key", "-out", "ca.pem")
        openssl(folder, "req", *new_key, "-config", "tsa.cnf", "-keyout", "tsa.key", "-out", "tsa.csr")
        sign = ["x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
        openssl(folder, *sign, "-extfile", "tsa.cnf", "-extensions", "tsa", "-days", "30", "-out", "tsa.pem")

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}/tsr"

    @property
    def ca_file(self):
        return self.folder / "ca.pem"

    @property
    def settings(self):
        return {"tsa_url": self.url, "tsa_ca_file": self.ca_file}

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def reply_to(self, query):
        self.asked += 1
        (self.folder / "query.tsq").write_bytes(query)
        reply = ["ts", "-reply", "-queryfile", "query.tsq", "-config", "tsa.cnf", "-section", "tsa_config"]
        openssl(self.folder, *reply, "-out", "reply.tsr")
        return 200, (self.folder / "reply.tsr").read_bytes()

    def _handler(authority):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                query = self.rfile.read(int(self.headers["Content-Length"]))
                status, content = authority.answer or authority.reply_to(query)
                self.send_response(status)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_arguments):
                pass

        return Handler
