"""Events from a webhook in ten lines: signatures are checked by the package `standardwebhooks`.

`python docs/examples/events_from_webhook.py whsec_… 8080` listens on loopback. Answer 2xx once the
event is stored: what is answered otherwise, or not at all, is sent again with the same id.
"""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

secret, port = sys.argv[1], int(sys.argv[2])


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            event = Webhook(secret).verify(body, dict(self.headers))
            print(event["subject"], event["type"], event["data"], flush=True)
            self.send_response(204)
        except WebhookVerificationError:
            self.send_response(403)
        self.end_headers()


HTTPServer(("127.0.0.1", port), Receiver).serve_forever()
