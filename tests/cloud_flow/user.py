"""A user of the backend's HTTP interface, and the address where it wants to be called."""
import http.server
import json
import queue
import threading
import urllib.error
import urllib.request
from decimal import Decimal


class User:
    def __init__(self, port):
        self.root = f"http://127.0.0.1:{port}"

    def ask(self, method, path, content=None):
        """The status and the answer."""
        request = urllib.request.Request(self.root + path, None if content is None else json.dumps(content).encode(),
                                         {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, self._content(answer)
        except urllib.error.HTTPError as answer:
            return answer.code, self._content(answer)

    @staticmethod
    def _content(answer):
        text = answer.read().decode()
        return json.loads(text, parse_float=Decimal) if answer.headers.get_content_type() == "application/json" else text

    def order(self, devices, points=None, **more):
        status, answer = self.ask("POST", "/orders", {"devices": devices, "points": points, **more})
        assert status == 202, (status, answer)
        return answer["order"]

    def poll(self, order):
        status, answer = self.ask("GET", f"/orders/{order}")
        assert status == 200, (status, answer)
        return answer["results"]


class Address(http.server.ThreadingHTTPServer):
    """`calls` has what was told. The first `refuse` calls are answered with an error."""

    def __init__(self, refuse=0):
        calls = self.calls = queue.Queue()
        left = [refuse]

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                left[0] -= 1
                if left[0] < 0:
                    calls.put(json.loads(body))
                self.send_response(200 if left[0] < 0 else 503)
                self.end_headers()

            def log_message(self, *_args):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/told"

    def close(self):
        self.shutdown()
        self.server_close()
