"""A segment of each request that a Flask application answers.

    XRayMiddleware(app, recorder) -> [flask] -> recorder -> segment

Where clerestory records requests as well, its record has the ids of the segment, and there is one
server span.

Invariant: an application answers as it would without, but for the header that names the trace.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from clerestory.integrations.web.exchange import XRAY_MARK
from clerestory.integrations.xray import stack
from clerestory.integrations.xray.causes import whole_stack
from clerestory.integrations.xray.entities import Segment
from clerestory.integrations.xray.header import NAME, TraceHeader

if TYPE_CHECKING:
    from flask import Flask, Response

    from clerestory.integrations.xray.recorder import XRayRecorder

_KEY: Final = "clerestory.xray.segment"
_RENDER_MARK: Final = "clerestory_traced"


class XRayMiddleware:
    """Makes a segment of each request.

    Args:
        app: A Flask application.
        recorder: `xray_recorder`.

    >>> XRayMiddleware(app, xray_recorder)  # doctest: +SKIP
    """

    def __init__(self, app: Flask, recorder: XRayRecorder) -> None:
        self.app = app
        self._recorder = recorder
        if getattr(app, XRAY_MARK, False):
            stack.note_misuse("middleware_twice", f"{app.name!r} has XRayMiddleware already")
            return
        setattr(app, XRAY_MARK, True)
        app.before_request_funcs.setdefault(None, []).insert(0, self._before_request)
        app.after_request(self._after_request)
        app.teardown_request(self._teardown_request)
        _trace_templates(recorder)

    def _before_request(self) -> None:
        from flask import request

        recorder = self._recorder
        header = TraceHeader.of(dict(request.headers))
        naming = recorder.dynamic_naming
        name = naming.get_name(request.host) if naming else recorder.service
        segment = recorder.begin_segment(
            name=name or self.app.name,
            traceid=header.root,
            parent_id=header.parent,
            sampling=self._decision(header, name),
        )
        segment.is_sure = True
        request.environ[_KEY] = segment
        segment.save_origin_trace_header(header)
        segment.put_http_meta("url", request.base_url)
        segment.put_http_meta("method", request.method)
        segment.put_http_meta("user_agent", request.headers.get("User-Agent"))
        forwarded = request.headers.get("X-Forwarded-For")
        segment.put_http_meta("client_ip", forwarded or request.remote_addr)
        segment.put_http_meta("x_forwarded_for", True if forwarded else None)

    def _decision(self, header: TraceHeader, name: str | None) -> object:
        """Return what the caller decided, else what the rules say of the request."""
        from flask import request

        recorder = self._recorder
        if header.sampled in (0, 1):
            return header.sampled
        if not recorder.sampling or not recorder.enabled:
            return int(recorder.enabled)
        asked = {
            "host": request.host,
            "method": request.method,
            "path": request.path,
            "service": name,
        }
        return recorder.sampler.should_trace(asked) or 0

    @staticmethod
    def _after_request(response: Response) -> Response:
        from flask import request

        segment = request.environ.get(_KEY)
        if not isinstance(segment, Segment):
            return response
        segment.put_http_meta("status", response.status_code)
        header = segment.get_origin_trace_header()
        asks = header is not None and header.sampled == "?"
        told = TraceHeader(segment.trace_id, sampled=segment.sampled if asks else None)
        response.headers[NAME] = told.to_header_str()
        length = response.headers.get("Content-Length", "")
        if length.isdigit():
            segment.put_http_meta("content_length", int(length))
        return response

    def _teardown_request(self, exception: BaseException | None) -> None:
        from flask import request

        segment = request.environ.pop(_KEY, None)
        if not isinstance(segment, Segment) or not segment.in_progress:
            return
        if exception is not None:
            segment.put_http_meta("status", 500)
            frames = whole_stack(exception, self._recorder.max_trace_back)
            segment.add_exception(exception, frames)
        stack.end(segment)


def _trace_templates(recorder: XRayRecorder) -> None:
    """Make a subsegment of each template that Flask renders, once."""
    from flask import templating

    render: Any = getattr(templating, "_render", None)
    if render is None or hasattr(render, _RENDER_MARK):
        return

    def traced(*args: Any) -> Any:  # Flask has had them in more than one order
        named = (getattr(one, "name", None) for one in args if hasattr(one, "render"))
        block = recorder.in_subsegment(next(named, None) or "template_render")
        with contextlib.nullcontext() if stack.current() is None else block:
            return render(*args)

    setattr(traced, _RENDER_MARK, True)
    templating._render = traced  # type: ignore[assignment]  # noqa: SLF001
