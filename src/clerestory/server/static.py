"""The page: files that the web build made, or a plain sentence when it did not.

    ui/dist -> [static] -> browser

Invariant: every path that is no API answers index.html, and no file outside `dist` is ever read.
"""

import base64
import hashlib
import mimetypes
import re
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

_MISSING: Final = b"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>clerestory</title></head><body><h1>clerestory is running</h1>
<p>The web page was not built. Build it with <code>npm ci &amp;&amp; npm run build</code> in
<code>web/</code>, or install a released wheel, which contains it. The API works.</p></body></html>
"""
_STYLE: Final = re.compile(rb"<style[^>]*>(.*?)</style>", re.DOTALL)
_SCRIPT: Final = re.compile(rb"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)


def _hashes(pattern: "re.Pattern[bytes]", page: bytes) -> str:
    found = (hashlib.sha256(text).digest() for text in pattern.findall(page))
    return "".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in found)


def policy_of(page: bytes) -> str:
    """Return the content security policy that fits a page: its own inline parts and no others."""
    return (
        f"default-src 'self'; script-src 'self'{_hashes(_SCRIPT, page)}; "
        f"style-src 'self'{_hashes(_STYLE, page)}; img-src 'self' data:; "
        "connect-src 'self'; worker-src 'self'; base-uri 'self'; frame-ancestors 'none'; "
        "object-src 'none'"
    )


class Static:
    """Serves the built page from a directory."""

    def __init__(self, directory: Path) -> None:
        self._files = _files_of(directory)
        index = self._files.pop("index.html", None)
        page = index.read_bytes() if index else _MISSING
        if b"<base " not in page:
            page = page.replace(b"<head>", b'<head><base href="/">', 1)
        self._page = page
        self._tag = f'"{hashlib.sha256(page).hexdigest()[:32]}"'
        self._headers = {
            "Content-Security-Policy": policy_of(page),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
        }

    async def serve(self, request: Request) -> Response:
        """Answer a path that is no API."""
        path = request.url.path.lstrip("/")
        found = self._files.get(path)
        if found is not None:
            kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
            caching = "public, max-age=31536000, immutable" if path.startswith("assets/") else ""
            headers = self._headers | {"Cache-Control": caching or "no-cache"}
            return Response(found.read_bytes(), media_type=kind, headers=headers)
        if path.startswith("assets/"):
            return Response(b"not found", 404, media_type="text/plain")
        headers = self._headers | {"Cache-Control": "no-cache", "ETag": self._tag}
        if request.headers.get("if-none-match") == self._tag:
            return Response(b"", 304, headers)
        return Response(self._page, media_type="text/html", headers=headers)


def _files_of(directory: Path) -> dict[str, Path]:
    if not directory.is_dir():
        return {}
    return {
        path.relative_to(directory).as_posix(): path
        for path in directory.rglob("*")
        if path.is_file()
    }
