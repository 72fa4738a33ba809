"""The package: a ZIP file in the one form that `outside/verify.py` takes. Its one rule: no clock, no compression, no
order but that of the calls; so the same files make the same bytes with every version of every library."""

from collections.abc import Mapping
from hashlib import sha256
from typing import IO, Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from services.audit.export import domain
from services.audit.tlog.note import Signer, sign
from shared.errors import TooLarge

PACKAGE_BYTES_MAX = 200 * 1024 * 1024
# With the ZIP file's own records of at most 65,000 members.
FILE_BYTES_MAX = PACKAGE_BYTES_MAX + 25 * 1024 * 1024
FILE_RIGHTS = 0o100644
UNIX = 3


class Package:
    """Writes an export, file by file; `close` adds the signed manifest."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = ZipFile(file, "w", ZIP_STORED, allowZip64=False)
        self._files: list[dict[str, Any]] = []
        self._bytes = 0

    def add(self, path: str, data: bytes) -> None:
        """Add a file that the manifest lists. Raises TooLarge."""
        self._write(path, data)
        self._files.append({"path": path, "size": len(data), "sha256": sha256(data).hexdigest()})

    def close(self, document: Mapping[str, Any], signer: Signer) -> str:
        """Write the manifest, sign it, and end the file. Returns the manifest's SHA-256 in hex."""
        manifest = domain.manifest_json({**document, "format": domain.FORMAT, "files": self._files})
        digest = sha256(manifest).hexdigest()
        self._write("manifest.json", manifest)
        self._write("manifest.note", sign(domain.manifest_text(signer.name, digest), signer).encode())
        self._zip.close()
        return digest

    def let_go(self) -> None:
        """Let go of the file. After `close` this changes nothing; after a failure nothing is written later."""
        self._zip.close()

    def _write(self, path: str, data: bytes) -> None:
        self._bytes += len(data)
        if self._bytes > PACKAGE_BYTES_MAX:
            raise TooLarge(
                "export-too-large",
                f"This export would be larger than {PACKAGE_BYTES_MAX >> 20} MiB: ask for less at a time.",
            )
        info = ZipInfo(path)  # dated 1980-01-01, the first day that a ZIP file can name
        info.create_system = UNIX
        info.external_attr = FILE_RIGHTS << 16
        self._zip.writestr(info, data)
