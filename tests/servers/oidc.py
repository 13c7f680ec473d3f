"""A service on 127.0.0.1 that signs people in: `oidc-provider-mock`, and wrong answers of its."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx
import oidc_provider_mock
from joserfc import jws
from joserfc.jwk import KeySet, RSAKey
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from api.sign_in import Provider

Tampering = Callable[[dict[str, Any], dict[str, Any]], None]
CLIENT, SECRET = "helpdesk", "tide-table-of-the-harbour"


class OidcServer:
    """The service; as a context manager it runs."""

    def __init__(self) -> None:
        self._app = oidc_provider_mock.app()
        self._client = httpx.Client()
        self._key = RSAKey.generate_key(2048, {"kid": "first"})
        self._http = make_server("127.0.0.1", 0, self._serve, threaded=True)
        self.address = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self.reset()

    def reset(self) -> None:
        """Answer as it should."""
        self.tampering: Tampering | None = None
        """Changes header and claims of the tokens; `alg: none` leaves them unsigned."""
        self.described: dict[str, Any] = {}
        """What its discovery document says otherwise."""
        self.replies: dict[str, Response] = {}
        """What is sent instead, by path."""
        self.hidden: tuple[str, ...] = ()
        """Claims that are told by its page on users only."""
        self.asked: list[str] = []
        """Paths, in turn."""
        self.verified = False
        """Whether the last code was fetched by whoever began (PKCE)."""
        self._challenge = ""

    def __enter__(self) -> Self:
        # It would print each request.
        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._client.close()
        self._thread.join()

    @property
    def provider(self) -> Provider:
        """It, as the helpdesk's settings name it."""
        return Provider(self.address, CLIENT, SECRET, "Clinic Login", "openid email profile")

    def knows(self, subject: str, **claims: object) -> None:
        """Have somebody with an account there."""
        self._client.put(f"{self.address}/users/{subject}", json=claims).raise_for_status()

    def signs_in(self, sent: str, subject: str) -> str:
        """Do as a person does who was sent there: returns where they are sent back."""
        query = parse_qs(urlsplit(sent).query)
        assert query["code_challenge_method"] == ["S256"]
        self._challenge = query["code_challenge"][0]
        return self._client.post(sent, data={"sub": subject}).headers["location"]

    def refuses(self, sent: str) -> str:
        """Do as a person does who thinks better of it."""
        return self._client.post(sent, data={"action": "deny"}).headers["location"]

    def _serve(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        self.asked.append(path)
        return self._reply(path, environ)(environ, start)

    def _reply(self, path: str, environ: dict[str, Any]) -> Response:
        if path in self.replies:
            return self.replies[path]
        if path == "/jwks":
            return _json(KeySet([self._key]).as_dict(private=False))
        if path == "/oauth2/token":
            sent = Request(environ).get_data()
            self._check(parse_qs(sent.decode())["code_verifier"][0])
            environ["wsgi.input"] = io.BytesIO(sent)
        told = Response.from_app(self._app, environ)
        if path == "/.well-known/openid-configuration":
            return _json({**json.loads(told.get_data()), **self.described})
        if path == "/oauth2/token" and told.status_code == 200:
            answer = json.loads(told.get_data())
            return _json({**answer, "id_token": self._signed(answer["id_token"])})
        return told

    def _check(self, verifier: str) -> None:
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        self.verified = digest.rstrip(b"=").decode() == self._challenge

    def _signed(self, token: str) -> str:
        header: dict[str, Any] = {"alg": "RS256", "kid": "first"}
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        claims = {name: claims[name] for name in claims if name not in self.hidden}
        if self.tampering:
            self.tampering(header, claims)
        if header["alg"] == "none":
            return f"{_base64(json.dumps(header))}.{_base64(json.dumps(claims))}."
        return jws.serialize_compact(header, json.dumps(claims), self._key)


def _base64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _json(told: Any) -> Response:
    return Response(json.dumps(told), content_type="application/json")
